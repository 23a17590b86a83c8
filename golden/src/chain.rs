//! The sum of a row and a column under any accumulator (numerics.md, section 4).

use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Conversion, Format, Rounding};

use crate::accumulate::{add_exact, add_fp32, add_narrow, add_rounded};
use crate::decode::decode;
use crate::dot::{Operand, dot_block};
use crate::encode::{encode, encode_fp32};
use crate::number::Number;
use crate::product::multiply;
use crate::wide::Wide;

/// The sum of `init` and all products of `terms`, as binary32 bits.
pub fn sum(accumulator: &Accumulator, init: u32, terms: &[(Operand, Operand)]) -> u32 {
    let products = || terms.iter().map(|(a, b)| multiply(a.number, b.number));
    match accumulator {
        Accumulator::Fp32 => {
            products().fold(init, |sum, product| add_rounded(decode(sum, FP32), product))
        }
        Accumulator::Fp32TowardZero => products().fold(init, |sum, product| {
            add_toward_zero(decode(sum, FP32), product)
        }),
        Accumulator::Tree { lanes } => terms.chunks(*lanes).fold(init, |sum, block| {
            let leaves = block
                .iter()
                .map(|(a, b)| encode_fp32(multiply(a.number, b.number)))
                .collect();
            add_fp32(sum, tree(leaves))
        }),
        Accumulator::Dot(dot) => terms
            .chunks(dot.lanes)
            .fold(init, |sum, block| dot_block(dot, sum, block)),
        Accumulator::Exact => exact(products().chain([decode(init, FP32)])),
        Accumulator::Chunked { inner, every } => terms
            .chunks(*every)
            .fold(init, |outer, chunk| add_fp32(outer, sum(inner, 0, chunk))),
    }
}

/// Rule 7.8: each block's sum starts from +0, is multiplied by the scales of its block, and is added
/// to what the blocks before it came to. `scales` has the two scales of each block.
pub fn sum_blocks(
    accumulator: &Accumulator,
    init: u32,
    terms: &[(Operand, Operand)],
    (length, format): (usize, &Format),
    scales: impl Iterator<Item = (u32, u32)>,
) -> u32 {
    terms
        .chunks(length)
        .zip(scales)
        .fold(init, |outer, (block, (a, b))| {
            let mut factor = multiply(decode(a, format), decode(b, format));
            if format.name == FP32.name {
                factor = decode(encode_fp32(factor), FP32);
            }
            let inner = decode(sum(accumulator, 0, block), FP32);
            add_fp32(outer, encode_fp32(multiply(factor, inner)))
        })
}

/// `a + b` rounded toward zero; beyond the largest number it stays there (rule 5.5).
fn add_toward_zero(a: Number, b: Number) -> u32 {
    let toward_zero = Conversion::native(FP32).with_rounding(Rounding::TowardZero);
    match add_narrow(a, b) {
        Some(sum) => encode(sum, &toward_zero, 0),
        None => encode(add_exact(a, b), &toward_zero, 0),
    }
}

/// Rule 4.2: neighbours in pairs, then the pairs' sums, until one is left; one without a neighbour
/// moves up as it is.
fn tree(mut level: Vec<u32>) -> u32 {
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => add_fp32(*a, *b),
                single => single[0],
            })
            .collect();
    }
    level[0]
}

/// Rule 4.4: positive and negative terms in units of 2^-149 apart, then their difference, rounded
/// once. A zero sum is +0.
fn exact(terms: impl Iterator<Item = Number>) -> u32 {
    const UNIT: i32 = -149;
    let (mut positive, mut negative) = (Wide::new(0, 0), Wide::new(0, 0));
    let mut infinity = None;
    for term in terms {
        match term {
            Number::Nan => return encode_fp32::<u128>(Number::Nan),
            Number::Infinity { negative } => {
                if infinity.is_some_and(|other| other != negative) {
                    return encode_fp32::<u128>(Number::Nan);
                }
                infinity = Some(negative);
            }
            Number::Finite {
                negative: sign,
                significand,
                exponent,
            } => {
                let side = if sign { &mut negative } else { &mut positive };
                *side = side.plus(Wide::new(significand, exponent.abs_diff(UNIT)));
            }
        }
    }
    if let Some(negative) = infinity {
        return encode_fp32::<u128>(Number::Infinity { negative });
    }
    let is_negative = negative > positive;
    encode_fp32(Number::Finite {
        negative: is_negative,
        significand: if is_negative {
            negative.minus(positive)
        } else {
            positive.minus(negative)
        },
        exponent: UNIT,
    })
}
