//! The one rounder (numerics.md, rules 5.3 and 5.4). Every lost bit is lost here.

use quaver_contract::Rounding;

use crate::number::Magnitude;

/// One half, as a fraction of 32 bits.
const HALF: u32 = 1 << 31;

/// Rounds `significand * 2^exponent` to a multiple of `2^quantum` and returns which multiple.
///
/// The multiple must be below 2^31. `code_of` gives the code of a multiple, because `rne` takes
/// ties to the neighbour whose code is even (with fraction bits that is the even significand).
/// `random` is used by stochastic rounding alone.
#[inline]
pub fn round<M: Magnitude>(
    negative: bool,
    significand: M,
    exponent: i32,
    quantum: i32,
    code_of: impl Fn(u64) -> u64,
    rounding: Rounding,
    random: u32,
) -> u64 {
    // In units of the quantum, with 32 fraction bits; `rest`: something lies below those.
    let (fixed, rest) = significand.shifted(exponent - quantum + 32);
    let lower = fixed >> 32;
    let fraction = fixed as u32;
    let inexact = fraction != 0 || rest;
    let up = match rounding {
        Rounding::NearestEven => {
            let above_half = fraction > HALF || (fraction == HALF && rest);
            let tie = fraction == HALF && !rest;
            above_half || (tie && code_of(lower) % 2 == 1)
        }
        Rounding::NearestAway => fraction >= HALF,
        Rounding::TowardZero => false,
        Rounding::TowardPositive => inexact && !negative,
        Rounding::TowardNegative => inexact && negative,
        // Rule 5.4: fraction / 2^32 is floor((|x| - lo) / (hi - lo) * 2^32) / 2^32.
        Rounding::Stochastic => fraction.checked_add(random).is_none(),
    };
    lower + u64::from(up)
}

/// Whether a rounding never makes a number of that sign larger in magnitude (rule 5.5).
pub fn is_toward_zero(rounding: Rounding, negative: bool) -> bool {
    match rounding {
        Rounding::TowardZero => true,
        Rounding::TowardPositive => negative,
        Rounding::TowardNegative => !negative,
        Rounding::NearestEven | Rounding::NearestAway | Rounding::Stochastic => false,
    }
}

/// Whether a rounding goes to the nearest number, ties aside.
pub fn is_nearest(rounding: Rounding) -> bool {
    matches!(rounding, Rounding::NearestEven | Rounding::NearestAway)
}
