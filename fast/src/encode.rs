//! Binary32 to codes (numerics.md, section 5), without branches, so that a loop over it vectorises: in
//! integer arithmetic, but for the units of small numbers, which a binary32 sum rounds.

mod rare;

use quaver_contract::{
    Conversion, Encoding, Infinity, Nan, Overflow, Powers, Rounding, Stochastic,
};

use crate::Isa;
use crate::float_environment::FloatEnvironment;
use crate::isa::for_each_isa;
use crate::memory;

const INFINITY: u32 = 0x7f80_0000;

/// A conversion made ready: the target as plain numbers.
#[derive(Clone, Copy)]
pub struct Encoder {
    encoding: Encoding,
    rounding: Rounding,
    stochastic: Stochastic,
    powers: Powers,
    fraction_bits: u32,
    bias: i32,
    /// Binary32 exponent field of the target's smallest normal exponent.
    min_field: u32,
    /// Least discarded bits: binary32's fraction bits beyond the target's.
    min_shift: u32,
    sign_shift: u32,
    sign_mask: u32,
    max_code: u32,
    /// Codes of an overflow, of an infinity and of a NaN, and the bits that a negative input
    /// inverts in each.
    overflow_code: u32,
    overflow_sign: u32,
    infinity_code: u32,
    infinity_sign: u32,
    nan_code: u32,
    nan_sign: u32,
    /// What a format of powers of two has for zero and negative numbers.
    not_positive: u32,
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
        let canonical = format.nan_code().unwrap_or(match format.encoding {
            Encoding::Float | Encoding::PowerOfTwo => max_code,
            Encoding::TwosComplement => 0,
        });
        let sign_mask = format.sign_mask();
        let (nan_code, nan_sign) = match conversion.nan {
            Nan::Canonical => (canonical, 0),
            Nan::Sign => (canonical, sign_mask),
            Nan::Ones => (format.magnitude_mask(), sign_mask),
            Nan::OppositeZero => (sign_mask, sign_mask),
        };
        let infinity = format.infinity_code().unwrap_or(max_code);
        let overflow = match conversion.overflow {
            Overflow::Saturate => (max_code, sign_mask),
            Overflow::Infinity => (infinity, sign_mask),
            Overflow::Nan => (nan_code, nan_sign),
        };
        let from_infinity = match conversion.infinity {
            Infinity::Saturate => (max_code, sign_mask),
            Infinity::Infinity => (infinity, sign_mask),
            Infinity::Nan => (nan_code, nan_sign),
        };
        Ok(Self {
            encoding: format.encoding,
            rounding: conversion.rounding,
            stochastic: conversion.stochastic,
            powers: conversion.powers,
            fraction_bits: format.fraction_bits,
            bias: format.bias,
            // Targets that reach below binary32 have none of its subnormals to round.
            min_field: (format.min_exponent() + 127).max(1).cast_unsigned(),
            min_shift: 23 - format.fraction_bits,
            sign_shift: 32 - format.bits(),
            sign_mask,
            max_code,
            overflow_code: overflow.0,
            overflow_sign: overflow.1,
            infinity_code: from_infinity.0,
            infinity_sign: from_infinity.1,
            nan_code,
            nan_sign,
            not_positive: format.nan_code().unwrap_or(0),
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
            self.dithered(u64::from(significand), shift, random)
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
        let (beyond, beyond_sign) = if toward_zero {
            (self.max_code, self.sign_mask)
        } else {
            (self.overflow_code, self.overflow_sign)
        };
        let infinite = magnitude == INFINITY;
        let mut code = if overflows { beyond } else { magnitude_code };
        let mut signed = if overflows {
            beyond_sign
        } else {
            self.sign_mask
        };
        code = if infinite { self.infinity_code } else { code };
        signed = if infinite { self.infinity_sign } else { signed };
        signed = if self.no_negative_zero && code == 0 {
            0
        } else {
            signed
        };
        let nan = magnitude > INFINITY;
        code = if nan { self.nan_code } else { code };
        signed = if nan { self.nan_sign } else { signed };
        code ^ (sign & signed)
    }

    /// Encodes `values`. `random` holds a number per value for
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
            Rounding::NearestEven => match Nearest::of(self) {
                Some(nearest) => {
                    let _environment = FloatEnvironment::enter();
                    narrow_nearest_even(isa, &nearest, values, codes);
                }
                None => nearest_even(isa, self, values, codes),
            },
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

    /// The code.
    fn get(self) -> u32;
}

impl Code for u8 {
    #[inline(always)]
    fn new(code: u32) -> Self {
        code as u8
    }

    #[inline(always)]
    fn get(self) -> u32 {
        u32::from(self)
    }
}

impl Code for u16 {
    #[inline(always)]
    fn new(code: u32) -> Self {
        code as u16
    }

    #[inline(always)]
    fn get(self) -> u32 {
        u32::from(self)
    }
}

impl Code for u32 {
    #[inline(always)]
    fn new(code: u32) -> Self {
        code
    }

    #[inline(always)]
    fn get(self) -> u32 {
        self
    }
}

#[inline(always)]
fn float_loop<const ROUNDING: u32, T: Code>(encoder: &Encoder, values: &[f32], codes: &mut [T]) {
    let encoder = *encoder;
    for (code, value) in codes.iter_mut().zip(values) {
        *code = T::new(encoder.float::<ROUNDING>(value.to_bits(), 0));
    }
}

/// Rounding to the nearest code of a format of at most 8 bits, with all that is constant made ready.
#[derive(Clone, Copy)]
struct Nearest {
    /// Bits of a magnitude beyond the target's fraction, and what rounds them, an odd code's 1 apart.
    shift: u32,
    round: u32,
    /// Taken from a normal number's exponent and fraction.
    offset: u32,
    /// The smallest normal magnitude, and a number whose last place is the unit below it.
    smallest: u32,
    places: u32,
    max_code: u32,
    sign_shift: u32,
    /// Codes, and 16 bits further up the bits that a negative input inverts in them.
    sign: u32,
    zero: u32,
    overflow: u32,
    infinity: u32,
    nan: u32,
}

impl Nearest {
    /// `None` for formats of more bits, and where a code's parity is its exponent's.
    fn of(encoder: &Encoder) -> Option<Self> {
        let bits = 32 - encoder.sign_shift;
        let with_sign = |code: u32, sign: u32| code | sign << 16;
        let places = encoder.min_field + encoder.min_shift;
        (bits <= 8 && encoder.fraction_bits > 0 && places < 255).then(|| Self {
            shift: encoder.min_shift,
            round: (1 << encoder.min_shift >> 1) - 1,
            offset: (encoder.min_field - 1) << encoder.fraction_bits,
            smallest: encoder.min_field << 23,
            places: places << 23,
            max_code: encoder.max_code,
            sign_shift: encoder.sign_shift,
            sign: encoder.sign_mask << 16,
            zero: if encoder.no_negative_zero {
                0
            } else {
                encoder.sign_mask << 16
            },
            overflow: with_sign(encoder.overflow_code, encoder.overflow_sign),
            infinity: with_sign(encoder.infinity_code, encoder.infinity_sign),
            nan: with_sign(encoder.nan_code, encoder.nan_sign),
        })
    }

    /// Runs under [`FloatEnvironment`].
    #[inline(always)]
    fn code(&self, value: u32) -> u32 {
        let magnitude = value & 0x7fff_ffff;
        // A carry moves up to the next exponent.
        let odd = magnitude >> self.shift & 1;
        let normal = ((magnitude + self.round + odd) >> self.shift).wrapping_sub(self.offset);
        // The sum is rounded to whole units, which its lowest bits count.
        let sum = f32::from_bits(magnitude) + f32::from_bits(self.places);
        let below = sum.to_bits().wrapping_sub(self.places);
        let code = if magnitude < self.smallest {
            below
        } else {
            normal
        };
        let mut word = if code == 0 {
            self.zero
        } else {
            code | self.sign
        };
        word = if code > self.max_code {
            self.overflow
        } else {
            word
        };
        word = if magnitude == INFINITY {
            self.infinity
        } else {
            word
        };
        word = if magnitude > INFINITY { self.nan } else { word };
        (word ^ (value >> self.sign_shift & word >> 16)) & 0xff
    }
}

#[inline(always)]
fn nearest_loop<T: Code>(nearest: &Nearest, values: &[f32], codes: &mut [T]) {
    /// Values that are encoded between two requests of memory, and how far ahead those are.
    const STEP: usize = 64;
    const AHEAD: usize = 1024;
    let nearest = *nearest;
    let (steps, rest) = values.as_chunks::<STEP>();
    let (steps_out, rest_out) = codes.as_chunks_mut::<STEP>();
    for (values, codes) in steps.iter().zip(steps_out) {
        // The machine looks ahead by itself, but not beyond a page.
        memory::prefetch::<STEP, _>(values.as_ptr().wrapping_add(AHEAD));
        for (code, value) in codes.iter_mut().zip(values) {
            *code = T::new(nearest.code(value.to_bits()));
        }
    }
    for (code, value) in rest_out.iter_mut().zip(rest) {
        *code = T::new(nearest.code(value.to_bits()));
    }
}

for_each_isa! {
    fn narrow_nearest_even<[] T: Code>(nearest: &Nearest, values: &[f32], codes: &mut [T]) = nearest_loop::<T>
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
