//! Operands of accumulators other than `fp32`, which the golden model adds.
//!
//! In such a core the same number can have two operands, as a subnormal of one format and a normal
//! number of another. So what moves through the model is a token: which format, and which code.

use quaver_contract::accumulator::ProductExponent;
use quaver_contract::{Accumulator, Format};
use quaver_golden::Number;
use quaver_golden::chain::sum;
use quaver_golden::dot::{Operand, operand};

use crate::arithmetic::ABSENT;
use crate::fixed::FixedPoint;
use crate::shape::mask;

/// Codes of a format, so tokens of one.
const CODES: usize = 256;

/// Every operand of the enabled formats. Token 0 is a zero, whose bits are all 0, as those of a
/// clock without a launch.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    accumulator: Accumulator,
    operands: Vec<Operand>,
    bits: Vec<u32>,
    exponent_bits: u32,
    significand_bits: u32,
    /// Exponent of the lowest place of an operand with the smallest exponent.
    least: i32,
}

/// Exponent of the place of the significand's top bit, as docs/core.md says of the accumulator.
fn exponent(accumulator: &Accumulator, operand: &Operand) -> Option<i32> {
    let Number::Finite {
        significand: significand @ 1..,
        exponent,
        ..
    } = operand.number
    else {
        return None;
    };
    let normalised = exponent + significand.ilog2().cast_signed();
    Some(match accumulator {
        Accumulator::Dot(dot) => match dot.exponent {
            ProductExponent::Field => operand.field_exponent,
            ProductExponent::Normalised => normalised,
            ProductExponent::NormalisedAbove(floor) => normalised.max(floor),
        },
        Accumulator::Exact => operand.field_exponent,
        _ => normalised,
    })
}

impl Tokens {
    /// The operands of the formats under an accumulator.
    pub(crate) fn new(accumulator: Accumulator, formats: &[&'static Format]) -> Self {
        let codes = formats.iter().flat_map(|&format| {
            (0..CODES as u32).map(move |code| operand(code & format.code_mask(), format))
        });
        let operands: Vec<Operand> = codes.collect();
        let finite = || {
            operands.iter().filter_map(|operand| {
                let exponent = exponent(&accumulator, operand)?;
                match operand.number {
                    Number::Finite {
                        significand,
                        exponent: unit,
                        ..
                    } => Some((exponent, unit + significand.trailing_zeros().cast_signed())),
                    _ => None,
                }
            })
        };
        let significand_bits = finite().map(|(top, lowest)| (top - lowest + 1).cast_unsigned());
        let significand_bits = significand_bits.max().unwrap_or(1);
        let low = finite().map(|(top, _)| top).min().unwrap_or(0);
        let high = finite().map(|(top, _)| top).max().unwrap_or(0);
        let half = |bits: u32| 1 << (bits - 1);
        let mut exponent_bits = 1;
        let mut base = 0;
        // Of a dot product the smallest code is free for products of zero.
        let spare = match accumulator {
            Accumulator::Dot(_) => Some(1),
            Accumulator::Exact => Some(0),
            _ => None,
        };
        match spare {
            Some(spare) => {
                while high - low + spare >= 2 * half(exponent_bits) {
                    exponent_bits += 1;
                }
                base = low + half(exponent_bits) - spare;
            }
            None => {
                while low < -half(exponent_bits) || high >= half(exponent_bits) {
                    exponent_bits += 1;
                }
            }
        }
        let bits = |operand: &Operand| {
            let sign = |negative| u32::from(negative) << (exponent_bits + significand_bits);
            let special = 1 << (2 + exponent_bits + significand_bits);
            match operand.number {
                Number::Nan => special,
                Number::Infinity { negative } => special >> 1 | sign(negative),
                Number::Finite {
                    negative,
                    significand,
                    exponent: unit,
                } => {
                    let Some(top) = exponent(&accumulator, operand) else {
                        return sign(negative);
                    };
                    let field = (top - base).cast_unsigned() & mask(exponent_bits);
                    let place = unit - (top - (significand_bits.cast_signed() - 1));
                    let aligned = match place {
                        0.. => significand << place,
                        _ => significand >> -place,
                    };
                    sign(negative) | field << significand_bits | aligned as u32
                }
            }
        };
        Self {
            bits: operands.iter().map(bits).collect(),
            accumulator,
            operands,
            exponent_bits,
            significand_bits,
            least: low - (significand_bits.cast_signed() - 1),
        }
    }

    /// The fixed point of exact sums of at most so many terms; `None` where it is too wide.
    pub(crate) fn fixed_point(&self, terms: u32) -> Option<FixedPoint> {
        FixedPoint::new(&self.operands, 2 * self.least, terms)
    }

    /// [`FixedPoint::accumulate`], where the weight is there.
    pub(crate) fn accumulate_fixed(&self, fixed: &FixedPoint, psum: &mut [u32], a: u32, b: u32) {
        if b != ABSENT {
            let (a, b) = (&self.operands[a as usize], &self.operands[b as usize]);
            fixed.accumulate(psum, a, b);
        }
    }

    /// `EXP_W` and `SIG_W`.
    pub(crate) const fn widths(&self) -> (u32, u32) {
        (self.exponent_bits, self.significand_bits)
    }

    /// The tokens of a format's codes, by the format's position.
    pub(crate) fn table(position: usize) -> [u32; CODES] {
        std::array::from_fn(|code| (position * CODES + code) as u32)
    }

    /// The operand inside the core.
    pub(crate) fn bits(&self, token: u32) -> u32 {
        self.bits[token as usize]
    }

    /// The number, for waveforms.
    pub(crate) fn value(&self, token: u32) -> f64 {
        match self.operands[token as usize].number {
            Number::Nan => f64::NAN,
            Number::Infinity { negative: false } => f64::INFINITY,
            Number::Infinity { negative: true } => f64::NEG_INFINITY,
            Number::Finite {
                negative,
                significand,
                exponent,
            } => {
                // Operands have a few bits and small exponents: exact.
                let magnitude = significand as f64 * 2f64.powi(exponent);
                if negative { -magnitude } else { magnitude }
            }
        }
    }

    /// What a PE adds to `psum`: the products of the lanes whose weights are there.
    pub(crate) fn accumulate(
        &self,
        psum: u32,
        lanes: impl Iterator<Item = (u32, u32)>,
        terms: &mut Vec<(Operand, Operand)>,
    ) -> u32 {
        terms.clear();
        let present = lanes.filter(|&(_, weight)| weight != ABSENT);
        let operand = |token: u32| self.operands[token as usize];
        terms.extend(present.map(|(a, b)| (operand(a), operand(b))));
        match terms.is_empty() {
            true => psum,
            false => sum(&self.accumulator, psum, terms),
        }
    }
}
