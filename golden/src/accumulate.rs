//! Exact sums, and the binary32 additions made of them (numerics.md, rules 3.3, 3.5 and 4.1).

use quaver_contract::formats::FP32;

use crate::decode::decode;
use crate::encode::encode_fp32;
use crate::number::{Magnitude, Number};
use crate::product::multiply;
use crate::wide::Wide;

/// `a + b`, exactly, for any two numbers whose bits span at most 511 places.
///
/// Exact cancellation gives +0; two zeros of one sign keep it (IEEE 754-2019, 6.3).
pub fn add_exact(a: Number, b: Number) -> Number<Wide> {
    let (a, b) = match specials(a, b) {
        Ok(finite) => finite,
        Err(special) => return special,
    };
    let exponent = a.exponent.min(b.exponent);
    let aligned = |x: Finite| Wide::new(x.significand, x.exponent.abs_diff(exponent));
    let (aligned_a, aligned_b) = (aligned(a), aligned(b));
    let (negative, significand) = if a.negative == b.negative {
        (a.negative, aligned_a.plus(aligned_b))
    } else if aligned_a == aligned_b {
        (false, Wide::new(0, 0))
    } else if aligned_a > aligned_b {
        (a.negative, aligned_a.minus(aligned_b))
    } else {
        (b.negative, aligned_b.minus(aligned_a))
    };
    Number::Finite {
        negative,
        significand,
        exponent,
    }
}

/// [`add_exact`] in 128 bits, when both terms fit there on one scale; `None` when they do not.
///
/// The same sum by the same integer addition, only in registers. Most additions of a GEMM fit.
pub fn add_narrow(a: Number, b: Number) -> Option<Number> {
    let (a, b) = match specials(a, b) {
        Ok(finite) => finite,
        Err(special) => return Some(special),
    };
    let exponent = a.exponent.min(b.exponent);
    // Two terms below 2^126 have a sum below 2^127, which i128 holds with its sign.
    let aligned = |x: Finite| {
        let left = x.exponent.abs_diff(exponent);
        (x.significand.bit_length() + left <= 126).then(|| {
            let magnitude = (x.significand << left).cast_signed();
            if x.negative { -magnitude } else { magnitude }
        })
    };
    let sum = aligned(a)? + aligned(b)?;
    Some(Number::Finite {
        // -0 has no integer: a zero sum is -0 only as the sum of two -0.
        negative: sum < 0 || (sum == 0 && a.negative && b.negative),
        significand: sum.unsigned_abs(),
        exponent,
    })
}

/// `RNE32(a + b)` of two exact numbers, as a binary32 code.
pub fn add_rounded(a: Number, b: Number) -> u32 {
    match add_narrow(a, b) {
        Some(sum) => encode_fp32(sum),
        None => encode_fp32(add_exact(a, b)),
    }
}

/// `RNE32(a + b)` on binary32 codes (rule 3.3).
pub fn add_fp32(a: u32, b: u32) -> u32 {
    add_rounded(decode(a, FP32), decode(b, FP32))
}

/// One step of rule 4.1: `RNE32(accumulator + a * b)`, the product exact, on a binary32 code.
pub fn multiply_add_fp32(accumulator: u32, a: Number, b: Number) -> u32 {
    add_rounded(decode(accumulator, FP32), multiply(a, b))
}

#[derive(Clone, Copy)]
struct Finite {
    negative: bool,
    significand: u128,
    exponent: i32,
}

/// The two finite terms, or the sum when a term is not finite (rule 3.5).
fn specials<M>(a: Number, b: Number) -> Result<(Finite, Finite), Number<M>> {
    match (a, b) {
        (Number::Nan, _) | (_, Number::Nan) => Err(Number::Nan),
        (Number::Infinity { negative: a }, Number::Infinity { negative: b }) if a != b => {
            Err(Number::Nan)
        }
        (Number::Infinity { negative }, _) | (_, Number::Infinity { negative }) => {
            Err(Number::Infinity { negative })
        }
        (
            Number::Finite {
                negative: negative_a,
                significand: significand_a,
                exponent: exponent_a,
            },
            Number::Finite {
                negative: negative_b,
                significand: significand_b,
                exponent: exponent_b,
            },
        ) => Ok((
            Finite {
                negative: negative_a,
                significand: significand_a,
                exponent: exponent_a,
            },
            Finite {
                negative: negative_b,
                significand: significand_b,
                exponent: exponent_b,
            },
        )),
    }
}
