//! What is not in the vectorised loop: stochastic rounding, integers, powers of two.

use quaver_contract::{Dither, Powers, Rounding};

use super::{Encoder, INFINITY};

/// Fraction bits below the kept ones that stochastic rounding sees; one more says whether anything
/// lies below these.
const SEEN: u32 = 33;

impl Encoder {
    /// `significand / 2^shift`, stochastically rounded (numerics.md, 5.4).
    #[inline(always)]
    pub(super) fn dithered(&self, significand: u64, shift: u32, random: u32) -> u32 {
        // The significand has at most 24 bits: beyond 63 nothing changes.
        let shift = shift.min(63);
        let wide = significand << SEEN;
        let fixed = wide >> shift;
        let rest = u64::from(wide & ((1 << shift) - 1) != 0);
        let fraction = (fixed & ((1 << SEEN) - 1)) << 1 | rest;
        (fixed >> SEEN) as u32 + u32::from(self.dithers_up(fraction, random))
    }

    /// Whether a fraction of 34 bits, the last of them sticky, moves up.
    fn dithers_up(&self, fraction: u64, random: u32) -> bool {
        let bits = self.stochastic.bits;
        let below = SEEN + 1 - bits;
        let half = 1 << (below - 1);
        let odd = fraction >> below & 1;
        let addend = match self.stochastic.dither {
            Dither::Floor => 0,
            Dither::Half => half,
            Dither::NearestEven => half - 1 + odd,
            Dither::NearestOdd => half - odd,
        };
        let random = u64::from(random) & ((1 << bits) - 1);
        ((fraction + addend) >> below) + random >= 1 << bits
    }

    /// Whether `kept + discarded / 2^shift` moves up; `odd` is where its ties go up.
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
            Rounding::Stochastic => self.dithered(discarded, shift, random) != 0,
        }
    }

    /// Rule 5.7: the nearest integer of `value * 2^bias`, always saturating.
    pub(super) fn integer(&self, value: u32, random: u32) -> u32 {
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

    /// Rule 5.7: the exponent, which is rounded by the fraction.
    pub(super) fn power_of_two(&self, value: u32, random: u32) -> u32 {
        let negative = value >> 31 == 1;
        let magnitude = value & 0x7fff_ffff;
        let by_magnitude = self.powers == Powers::FieldMagnitude;
        if magnitude > INFINITY {
            return self.nan_code;
        }
        if magnitude == 0 || (negative && !by_magnitude) {
            return if by_magnitude { 0 } else { self.not_positive };
        }
        if magnitude == INFINITY {
            return self.infinity_code;
        }
        // Normalise binary32's subnormals: 2^exponent <= value < 2^(exponent + 1), and the fraction
        // has `bits`.
        let (exponent, fraction, bits) = if magnitude >> 23 == 0 {
            let top = 31 - magnitude.leading_zeros();
            (top.cast_signed() - 149, magnitude ^ (1 << top), top)
        } else {
            let exponent = (magnitude >> 23).cast_signed() - 127;
            (exponent, magnitude & 0x007f_ffff, 23)
        };
        let code = exponent + self.bias;
        let fraction = u64::from(fraction);
        let code = match self.powers {
            Powers::Value => {
                let odd = code & 1 == 1;
                code + i32::from(self.rounds_up(fraction, bits, odd, false, random))
            }
            Powers::Field | Powers::FieldMagnitude if code > 0 => {
                code + i32::from(self.rounds_up(fraction, bits, true, false, random))
            }
            Powers::Field | Powers::FieldMagnitude => {
                // In halves of 2^(1 - bias); beyond 63 the shift changes nothing.
                let shift = (bits + 1 + code.unsigned_abs()).min(63);
                i32::from(self.rounds_up(fraction | 1 << bits, shift, false, false, random))
            }
        };
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
}
