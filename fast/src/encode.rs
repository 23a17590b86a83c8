//! Binary32 to codes (numerics.md, section 5), in integer arithmetic without branches, so that a
//! loop over it vectorises.

use quaver_contract::{Conversion, Encoding, Infinity, Overflow, Rounding};

use crate::Isa;
use crate::isa::for_each_isa;

const INFINITY: u32 = 0x7f80_0000;

/// A conversion made ready: the target as plain numbers.
#[derive(Clone, Copy)]
pub struct Encoder {
    encoding: Encoding,
    rounding: Rounding,
    fraction_bits: u32,
    bias: i32,
    /// Binary32 exponent field of the target's smallest normal exponent.
    min_field: u32,
    /// Least discarded bits: binary32's fraction bits beyond the target's.
    min_shift: u32,
    sign_shift: u32,
    sign_mask: u32,
    max_code: u32,
    /// Code of an overflow and of an infinity, before the sign.
    overflow_code: u32,
    infinity_code: u32,
    /// Whether the two above take the input's sign (a NaN does not).
    overflow_signed: bool,
    infinity_signed: bool,
    nan_code: u32,
    /// The code that would be -0 and is not.
    no_negative_zero: bool,
}

impl Encoder {
    /// Prepares a conversion.
    ///
    /// # Errors
    /// Those of [`Conversion::validate`].
    pub fn new(conversion: &Conversion) -> Result<Self, quaver_contract::ContractError> {
        conversion.validate()?;
        let format = conversion.format;
        let max_code = format.max_code();
        let nan_code = format.nan_code().unwrap_or(match format.encoding {
            Encoding::Float => max_code,
            _ => 0,
        });
        let infinity = format.infinity_code().unwrap_or(max_code);
        let overflow = match conversion.overflow {
            Overflow::Saturate => (max_code, true),
            Overflow::Infinity => (infinity, true),
            Overflow::Nan => (nan_code, false),
        };
        let from_infinity = match conversion.infinity {
            Infinity::Saturate => (max_code, true),
            Infinity::Infinity => (infinity, true),
            Infinity::Nan => (nan_code, false),
        };
        Ok(Self {
            encoding: format.encoding,
            rounding: conversion.rounding,
            fraction_bits: format.fraction_bits,
            bias: format.bias,
            // Targets that reach below binary32 have none of its subnormals to round.
            min_field: (format.min_exponent() + 127).max(1).cast_unsigned(),
            min_shift: 23 - format.fraction_bits,
            sign_shift: 32 - format.bits(),
            sign_mask: format.sign_mask(),
            max_code,
            overflow_code: overflow.0,
            overflow_signed: overflow.1,
            infinity_code: from_infinity.0,
            infinity_signed: from_infinity.1,
            nan_code,
            no_negative_zero: !format.has_negative_zero(),
        })
    }

    /// The code of one binary32 number; `random` is used by stochastic rounding alone.
    pub fn one(&self, value: u32, random: u32) -> u32 {
        match self.encoding {
            Encoding::Float => match self.rounding {
                Rounding::NearestEven => self.float::<NEAREST_EVEN>(value, random),
                Rounding::TowardZero => self.float::<TOWARD_ZERO>(value, random),
                Rounding::TowardPositive => self.float::<TOWARD_POSITIVE>(value, random),
                Rounding::TowardNegative => self.float::<TOWARD_NEGATIVE>(value, random),
                Rounding::NearestAway => self.float::<NEAREST_AWAY>(value, random),
                Rounding::Stochastic => self.float::<STOCHASTIC>(value, random),
            },
            Encoding::TwosComplement => self.integer(value, random),
            Encoding::PowerOfTwo => self.power_of_two(value, random),
        }
    }

    /// Whether a magnitude with these discarded bits moves up, for the rare encodings.
    fn rounds_up(
        &self,
        discarded: u64,
        shift: u32,
        odd: bool,
        negative: bool,
        random: u32,
    ) -> bool {
        let half = 1u64 << shift >> 1;
        match self.rounding {
            Rounding::NearestEven => discarded > half || (discarded == half && half != 0 && odd),
            Rounding::NearestAway => half != 0 && discarded >= half,
            Rounding::TowardZero => false,
            Rounding::TowardPositive => !negative && discarded != 0,
            Rounding::TowardNegative => negative && discarded != 0,
            Rounding::Stochastic => {
                let fraction = (u128::from(discarded) << 32 >> shift) as u64;
                fraction + u64::from(random) >= 1 << 32
            }
        }
    }

    /// The code of a `Float` target. Selects only, no branches.
    #[inline(always)]
    fn float<const ROUNDING: u32>(&self, value: u32, random: u32) -> u32 {
        let negative = value >> 31;
        let magnitude = value & 0x7fff_ffff;
        let field = magnitude >> 23;
        let significand = (magnitude & 0x007f_ffff) | (u32::from(field != 0) << 23);
        // The target's binade, never below its smallest.
        let binade = field.max(self.min_field);
        let shift = self.min_shift + (binade - field.max(1));
        let rounded = if ROUNDING == STOCHASTIC {
            // floor(discarded fraction * 2^32) + random carries into the kept bits.
            let scaled = (u64::from(significand) << 32) >> shift.min(63);
            ((scaled + u64::from(random)) >> 32) as u32
        } else {
            // Beyond 25 the kept bits are zero and every addend below acts as it would there.
            let shift = shift.min(31);
            let half = (1u32 << shift) >> 1;
            let ones = (1u32 << shift) - 1;
            // Ties go to the even code: with a fraction the kept last bit, without one the field's.
            let odd =
                ((significand >> shift) ^ ((binade - self.min_field) << self.fraction_bits)) & 1;
            let addend = match ROUNDING {
                NEAREST_EVEN => half.saturating_sub(1) + (odd & half.min(1)),
                NEAREST_AWAY => half,
                TOWARD_POSITIVE => ones * (1 - negative),
                TOWARD_NEGATIVE => ones * negative,
                _ => 0,
            };
            (significand + addend) >> shift
        };
        // A hidden bit that is kept counts one exponent field; a carry moves up to the next.
        let magnitude_code = ((binade - self.min_field) << self.fraction_bits) + rounded;
        let toward_zero = match ROUNDING {
            TOWARD_ZERO => true,
            TOWARD_POSITIVE => negative == 1,
            TOWARD_NEGATIVE => negative == 0,
            _ => false,
        };
        let sign = (value & 0x8000_0000) >> self.sign_shift;
        let overflows = magnitude_code > self.max_code;
        let beyond = if toward_zero {
            self.max_code
        } else {
            self.overflow_code
        };
        let beyond_sign = if toward_zero || self.overflow_signed {
            sign
        } else {
            0
        };
        let mut code = if overflows { beyond } else { magnitude_code };
        let mut signed = if overflows { beyond_sign } else { sign };
        let infinite = magnitude == INFINITY;
        code = if infinite { self.infinity_code } else { code };
        signed = if infinite && !self.infinity_signed {
            0
        } else if infinite {
            sign
        } else {
            signed
        };
        signed = if self.no_negative_zero && code == 0 {
            0
        } else {
            signed
        };
        if magnitude > INFINITY {
            self.nan_code
        } else {
            code | signed
        }
    }

    /// Rule 5.7: the nearest integer of `value * 2^bias`, always saturating.
    fn integer(&self, value: u32, random: u32) -> u32 {
        let negative = value >> 31 == 1;
        let magnitude = value & 0x7fff_ffff;
        if magnitude > INFINITY {
            return self.nan_code;
        }
        let limit = u64::from(self.max_code) + u64::from(negative);
        let field = (magnitude >> 23).max(1).cast_signed();
        let significand =
            u64::from(magnitude & 0x007f_ffff) | (u64::from(magnitude >> 23 != 0) << 23);
        let right = 150 - field - self.bias;
        let integer = if right <= 0 {
            // At least 2^23: beyond every integer format, unless it is zero.
            if significand == 0 { 0 } else { u64::MAX }
        } else {
            let shift = right.cast_unsigned().min(63);
            let kept = significand >> shift;
            let discarded = significand & ((1 << shift) - 1);
            kept + u64::from(self.rounds_up(discarded, shift, kept & 1 == 1, negative, random))
        };
        let integer = integer.min(limit) as u32;
        let code = if negative {
            integer.wrapping_neg()
        } else {
            integer
        };
        code & (self.sign_mask | self.max_code)
    }

    /// Powers of two: the exponent is rounded between its two neighbours by the value.
    fn power_of_two(&self, value: u32, random: u32) -> u32 {
        let magnitude = value & 0x7fff_ffff;
        if magnitude > INFINITY || value >> 31 == 1 || magnitude == 0 {
            return self.nan_code;
        }
        if magnitude == INFINITY {
            return self.infinity_code;
        }
        // Normalise binary32's subnormals: 2^(exponent) <= value < 2^(exponent + 1).
        let (exponent, fraction, bits) = if magnitude >> 23 == 0 {
            let top = 31 - magnitude.leading_zeros();
            (top.cast_signed() - 149, magnitude ^ (1 << top), top)
        } else {
            (
                (magnitude >> 23).cast_signed() - 127,
                magnitude & 0x007f_ffff,
                23,
            )
        };
        let code = exponent + self.bias;
        let odd = code & 1 == 1;
        let up = self.rounds_up(u64::from(fraction), bits, odd, false, random);
        let code = code + i32::from(up);
        if code > self.max_code.cast_signed() {
            let toward_zero = matches!(
                self.rounding,
                Rounding::TowardZero | Rounding::TowardNegative
            );
            return if toward_zero {
                self.max_code
            } else {
                self.overflow_code
            };
        }
        code.max(0).cast_unsigned()
    }

    /// Encodes `values` into codes of at most 8 bits. `random` holds a number per value for
    /// stochastic rounding, and is empty otherwise.
    ///
    /// # Panics
    /// When the lengths differ, or stochastic rounding has no random numbers.
    pub fn slice<T: Code>(&self, isa: Isa, values: &[f32], random: &[u32], codes: &mut [T]) {
        assert_eq!(values.len(), codes.len(), "values and codes");
        if self.rounding == Rounding::Stochastic {
            assert_eq!(values.len(), random.len(), "values and random numbers");
            for ((code, value), &random) in codes.iter_mut().zip(values).zip(random) {
                *code = T::new(self.one(value.to_bits(), random));
            }
            return;
        }
        if self.encoding != Encoding::Float {
            for (code, value) in codes.iter_mut().zip(values) {
                *code = T::new(self.one(value.to_bits(), 0));
            }
            return;
        }
        match self.rounding {
            Rounding::NearestEven => nearest_even(isa, self, values, codes),
            Rounding::TowardZero => toward_zero(isa, self, values, codes),
            Rounding::TowardPositive => toward_positive(isa, self, values, codes),
            Rounding::TowardNegative => toward_negative(isa, self, values, codes),
            Rounding::NearestAway | Rounding::Stochastic => nearest_away(isa, self, values, codes),
        }
    }
}

const NEAREST_EVEN: u32 = Rounding::NearestEven.number();
const TOWARD_ZERO: u32 = Rounding::TowardZero.number();
const TOWARD_POSITIVE: u32 = Rounding::TowardPositive.number();
const TOWARD_NEGATIVE: u32 = Rounding::TowardNegative.number();
const NEAREST_AWAY: u32 = Rounding::NearestAway.number();
const STOCHASTIC: u32 = Rounding::Stochastic.number();

/// An unsigned integer that holds codes.
pub trait Code: Copy {
    /// The low bits of `code`.
    fn new(code: u32) -> Self;
}

impl Code for u8 {
    #[inline(always)]
    fn new(code: u32) -> Self {
        code as u8
    }
}

impl Code for u16 {
    #[inline(always)]
    fn new(code: u32) -> Self {
        code as u16
    }
}

impl Code for u32 {
    #[inline(always)]
    fn new(code: u32) -> Self {
        code
    }
}

#[inline(always)]
fn float_loop<const ROUNDING: u32, T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) {
    let encoder = *encoder;
    for (code, value) in codes.iter_mut().zip(values) {
        *code = T::new(encoder.float::<ROUNDING>(value.to_bits(), 0));
    }
}

for_each_isa! {
    fn nearest_even<[] T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) = float_loop::<NEAREST_EVEN, T>
}
for_each_isa! {
    fn toward_zero<[] T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) = float_loop::<TOWARD_ZERO, T>
}
for_each_isa! {
    fn toward_positive<[] T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) = float_loop::<TOWARD_POSITIVE, T>
}
for_each_isa! {
    fn toward_negative<[] T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) = float_loop::<TOWARD_NEGATIVE, T>
}
for_each_isa! {
    fn nearest_away<[] T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) = float_loop::<NEAREST_AWAY, T>
}
