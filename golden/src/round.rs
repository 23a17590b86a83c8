//! The one rounder (numerics.md, rules 5.3 and 5.4). Every lost bit is lost here.

use quaver_contract::{Conversion, Dither, Rounding, Stochastic};

use crate::number::Magnitude;

/// Bits of the discarded fraction that are looked at one by one: those of the longest random
/// number, and the half that `Dither::Half` adds to it.
const FRACTION_BITS: u32 = 33;

/// One half, as a fraction of that many bits.
const HALF: u64 = 1 << (FRACTION_BITS - 1);

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
    conversion: &Conversion,
    random: u32,
) -> u64 {
    // In units of the quantum, with fraction bits; `rest`: something lies below those.
    let (fixed, rest) = significand.shifted(exponent - quantum + FRACTION_BITS.cast_signed());
    let lower = fixed >> FRACTION_BITS;
    let fraction = fixed & ((1 << FRACTION_BITS) - 1);
    let inexact = fraction != 0 || rest;
    let up = match conversion.rounding {
        Rounding::NearestEven => {
            let above_half = fraction > HALF || (fraction == HALF && rest);
            let tie = fraction == HALF && !rest;
            above_half || (tie && code_of(lower) % 2 == 1)
        }
        Rounding::NearestAway => fraction >= HALF,
        Rounding::TowardZero => false,
        Rounding::TowardPositive => inexact && !negative,
        Rounding::TowardNegative => inexact && negative,
        Rounding::Stochastic => dithers_up(fraction, rest, conversion.stochastic, random),
    };
    lower + u64::from(up)
}

/// Rule 5.4 on a fraction of [`FRACTION_BITS`] bits, with or without something below those.
fn dithers_up(fraction: u64, rest: bool, rule: Stochastic, random: u32) -> bool {
    let one = 1u64 << rule.bits;
    let random = u64::from(random) & (one - 1);
    let below = FRACTION_BITS - rule.bits;
    let kept = fraction >> below;
    let lost = fraction & ((1 << below) - 1);
    let half = 1 << (below - 1);
    let tie = lost == half && !rest;
    let above_half = lost > half || (lost == half && rest);
    let compared = match rule.dither {
        Dither::Floor => kept,
        // kept + lost + 1/2 reaches one with what is lost only when that is a half or more.
        Dither::Half => kept + u64::from(lost >= half),
        Dither::NearestEven => kept + u64::from(above_half || (tie && kept % 2 == 1)),
        Dither::NearestOdd => kept + u64::from(above_half || (tie && kept.is_multiple_of(2))),
    };
    compared + random >= one
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
