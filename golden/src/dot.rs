//! The fused dot product of a matrix unit (numerics.md, rule 4.3): align, truncate, add, once.

use quaver_contract::accumulator::{Addend, Dot, DotOutput, Groups, ProductExponent};
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Format, Rounding};

use crate::accumulate::{add_narrow, add_rounded};
use crate::decode::decode;
use crate::encode::{encode, encode_fp32};
use crate::number::{Magnitude, Number};
use crate::product::multiply;

/// A decoded operand, and the exponent by which its products are aligned.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    /// Its value.
    pub number: Number,
    /// Exponent of the hidden bit's place, also where that bit is 0: the format's smallest
    /// exponent for subnormals.
    pub field_exponent: i32,
}

/// The operand that a code is.
pub fn operand(code: u32, format: &Format) -> Operand {
    let number = decode(code, format);
    Operand {
        number,
        field_exponent: match number {
            Number::Finite { exponent, .. } => exponent + format.fraction_bits.cast_signed(),
            _ => 0,
        },
    }
}

/// A finite term: `(-1)^negative * significand * 2^unit`, aligned as if it had `exponent`.
#[derive(Clone, Copy)]
struct Term {
    negative: bool,
    significand: u128,
    unit: i32,
    exponent: i32,
}

/// A sum of aligned terms: `value * 2^(exponent - fraction_bits)`.
#[derive(Clone, Copy)]
struct Aligned {
    value: i128,
    exponent: i32,
    fraction_bits: i32,
}

/// One block: the accumulator after it, both as binary32 bits.
pub fn dot_block(dot: &Dot, accumulator: u32, block: &[(Operand, Operand)]) -> u32 {
    let mut addend = decode(accumulator, FP32);
    if dot.flush_subnormals {
        addend = flush(addend);
    }
    let products: Vec<Number> = block
        .iter()
        .map(|(a, b)| multiply(a.number, b.number))
        .collect();
    if let Some(special) = special(products.iter().copied().chain([addend])) {
        return match special {
            Number::Nan => dot.nan,
            infinity => encode_fp32(infinity),
        };
    }
    let terms: Vec<Option<Term>> = block
        .iter()
        .zip(&products)
        .map(|((a, b), &product)| term(product, exponent(dot, a) + exponent(dot, b)))
        .collect();

    let sum = match (dot.addend, dot.groups) {
        (Addend::Early, Groups::One) => align_and_add(
            dot,
            terms.into_iter().chain([addend_term(addend)]).flatten(),
        ),
        (_, Groups::One) => align_and_add(dot, terms.into_iter().flatten()),
        (_, Groups::EvenOdd) => {
            let group = |odd: usize| {
                align_and_add(dot, terms.iter().skip(odd).step_by(2).copied().flatten())
            };
            add_floored(group(0), group(1))
        }
    };
    let result = match dot.addend {
        Addend::Early => output(dot.output, sum.number()),
        Addend::LateRounded => {
            let rounded = decode(output(dot.output, sum.number()), FP32);
            add_rounded(rounded, addend)
        }
        Addend::LateExact => add_rounded(sum.number(), addend),
        Addend::LateFloored {
            sum_bits,
            addend_bits,
        } => encode_fp32(late_floored(
            sum,
            addend,
            sum_bits.cast_signed(),
            addend_bits.cast_signed(),
        )),
    };
    let result = decode(result, FP32);
    let result = if dot.flush_subnormals {
        flush(result)
    } else {
        result
    };
    // A zero result is +0, whatever it came from.
    if result.is_zero() {
        0
    } else {
        encode_fp32(result)
    }
}

/// NaN or infinity, when a term is one (rule 3.5).
fn special(terms: impl Iterator<Item = Number>) -> Option<Number> {
    let mut seen = None;
    for term in terms {
        seen = match (seen, term) {
            (_, Number::Nan) => return Some(Number::Nan),
            (Some(Number::Infinity { negative: a }), Number::Infinity { negative: b })
                if a != b =>
            {
                return Some(Number::Nan);
            }
            (_, Number::Infinity { .. }) => Some(term),
            (seen, Number::Finite { .. }) => seen,
        };
    }
    seen
}

/// The exponent that an operand gives to its products.
fn exponent(dot: &Dot, operand: &Operand) -> i32 {
    let Number::Finite {
        significand,
        exponent,
        ..
    } = operand.number
    else {
        return 0;
    };
    let normalised = exponent + significand.bit_length().cast_signed() - 1;
    match dot.exponent {
        ProductExponent::Field => operand.field_exponent,
        ProductExponent::Normalised => normalised,
        ProductExponent::NormalisedAbove(floor) => normalised.max(floor),
    }
}

/// A term, unless it is zero: zero terms take no part.
fn term(number: Number, exponent: i32) -> Option<Term> {
    match number {
        Number::Finite {
            negative,
            significand,
            exponent: unit,
        } if significand != 0 => Some(Term {
            negative,
            significand,
            unit,
            exponent,
        }),
        _ => None,
    }
}

/// The accumulator as a term; its exponent is that of its field.
fn addend_term(addend: Number) -> Option<Term> {
    let Number::Finite { exponent, .. } = addend else {
        return None;
    };
    term(addend, exponent + FP32.fraction_bits.cast_signed())
}

/// Truncates every term toward zero to the fraction bits below the largest exponent, and adds.
fn align_and_add(dot: &Dot, terms: impl Iterator<Item = Term> + Clone) -> Aligned {
    let largest = terms.clone().map(|term| term.exponent).max();
    let exponent = largest
        .unwrap_or(dot.exponent_floor)
        .max(dot.exponent_floor);
    let fraction_bits = dot.fraction_bits.cast_signed();
    let value = terms
        .map(|term| {
            let left = term.unit - (exponent - fraction_bits);
            let (magnitude, _) = term.significand.shifted(left);
            if term.negative {
                -i128::from(magnitude)
            } else {
                i128::from(magnitude)
            }
        })
        .sum();
    Aligned {
        value,
        exponent,
        fraction_bits,
    }
}

/// Adds two sums at the larger exponent, the other one moved there by floor.
fn add_floored(a: Aligned, b: Aligned) -> Aligned {
    let exponent = match (a.value, b.value) {
        (0, _) => b.exponent,
        (_, 0) => a.exponent,
        _ => a.exponent.max(b.exponent),
    };
    let moved = |x: Aligned| x.value >> (exponent - x.exponent).clamp(0, 127);
    Aligned {
        value: moved(a) + moved(b),
        exponent,
        fraction_bits: a.fraction_bits,
    }
}

/// [`Addend::LateFloored`].
fn late_floored(sum: Aligned, addend: Number, sum_bits: i32, addend_bits: i32) -> Number {
    let Some(addend) = addend_term(addend) else {
        return sum.number();
    };
    let reference = if sum.value == 0 {
        addend.exponent
    } else {
        sum.exponent.max(addend.exponent)
    };
    // In units of 2^(reference - bits), by floor.
    let floored = |value: i128, unit: i32, bits: i32| {
        let left = unit - (reference - bits);
        match left {
            // Zero is zero, however far its unit is from the reference.
            _ if value == 0 => 0,
            0.. => value << left,
            _ => value >> (-left).min(127),
        }
    };
    let from_sum = floored(sum.value, sum.exponent - sum.fraction_bits, sum_bits);
    let magnitude = addend.significand.cast_signed();
    let signed = if addend.negative {
        -magnitude
    } else {
        magnitude
    };
    let from_addend = if addend.exponent < reference - addend_bits - 1 {
        0
    } else {
        floored(signed, addend.unit, addend_bits)
    };
    let total = |value: i128, bits: i32| Aligned {
        value,
        exponent: reference,
        fraction_bits: bits,
    };
    add_narrow(
        total(from_sum, sum_bits).number(),
        total(from_addend, addend_bits).number(),
    )
    .expect("two sums of fewer than 64 bits")
}

/// A block's sum as binary32.
fn output(output: DotOutput, sum: Number) -> u32 {
    match (output, sum) {
        (DotOutput::NearestEven, _) => encode_fp32(sum),
        (
            DotOutput::Truncate(bits),
            Number::Finite {
                negative,
                significand,
                exponent,
            },
        ) => {
            // Bits below the kept ones of its own exponent are dropped, then binary32's own.
            let surplus = significand.bit_length().saturating_sub(bits + 1);
            let kept = Number::Finite {
                negative,
                significand: significand >> surplus << surplus,
                exponent,
            };
            let log2 = exponent + significand.bit_length().cast_signed() - 1;
            if log2 > FP32.exponent_limit() - 1 {
                return encode_fp32::<u128>(Number::Infinity { negative });
            }
            let toward_zero = Conversion::native(FP32).with_rounding(Rounding::TowardZero);
            encode(kept, &toward_zero, 0)
        }
        (DotOutput::Truncate(_), special) => encode_fp32(special),
    }
}

/// Subnormal binary32 numbers as zeros of their sign.
fn flush(number: Number) -> Number {
    match number {
        Number::Finite {
            negative,
            significand,
            exponent,
        } if exponent + significand.bit_length().cast_signed() - 1 < FP32.min_exponent() => {
            Number::zero(negative)
        }
        other => other,
    }
}

impl Aligned {
    fn number(self) -> Number {
        Number::Finite {
            negative: self.value < 0,
            significand: self.value.unsigned_abs(),
            exponent: self.exponent - self.fraction_bits,
        }
    }
}
