//! Exact numbers to codes: policies, the call of the rounder, and packing (numerics.md, rule 5).

use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Encoding, Format, Infinity, Nan, Overflow, Powers};

use crate::number::{Magnitude, Number};
use crate::round::{is_toward_zero, round};

/// Converts a number to a code of `conversion.format`, rounding once.
///
/// `random` holds the random bits for stochastic rounding; the other roundings ignore it. The
/// conversion must be valid (`Conversion::validate`): every policy has a code in the format. A NaN
/// counts as positive; [`encode_nan`] takes its sign.
#[inline]
pub fn encode<M: Magnitude>(number: Number<M>, conversion: &Conversion, random: u32) -> u32 {
    let format = conversion.format;
    match number {
        Number::Nan => encode_nan(false, conversion),
        Number::Infinity { negative: true }
            if format.encoding == Encoding::PowerOfTwo
                && conversion.powers != Powers::FieldMagnitude =>
        {
            not_positive(format)
        }
        Number::Infinity { negative } => match conversion.infinity {
            Infinity::Saturate => largest(format, negative),
            Infinity::Infinity => infinity(format, negative),
            Infinity::Nan => encode_nan(negative, conversion),
        },
        Number::Finite {
            negative,
            significand,
            exponent,
        } => {
            let finite = Finite {
                negative,
                significand,
                exponent,
            };
            match format.encoding {
                Encoding::Float => encode_float(&finite, conversion, random),
                Encoding::TwosComplement => encode_integer(&finite, conversion, random),
                Encoding::PowerOfTwo => encode_power_of_two(&finite, conversion, random),
            }
        }
    }
}

/// RNE32: binary32, nearest, ties to even, overflow to infinity (IEEE 754-2019, 4.3.1 and 7.4).
pub fn encode_fp32<M: Magnitude>(number: Number<M>) -> u32 {
    const RNE32: Conversion = Conversion::native(FP32);
    encode(number, &RNE32, 0)
}

struct Finite<M> {
    negative: bool,
    significand: M,
    exponent: i32,
}

impl<M: Magnitude> Finite<M> {
    /// `floor(log2 |x|)`, or `None` for zero.
    fn floor_log2(&self) -> Option<i32> {
        let length = self.significand.bit_length();
        (length != 0).then(|| self.exponent + length.cast_signed() - 1)
    }

    fn round(
        &self,
        quantum: i32,
        code_of: impl Fn(u64) -> u64,
        conversion: &Conversion,
        random: u32,
    ) -> u64 {
        round(
            self.negative,
            self.significand,
            self.exponent,
            quantum,
            code_of,
            conversion,
            random,
        )
    }
}

/// Rules 5.3, 5.5 and 5.6.
#[inline]
fn encode_float<M: Magnitude>(x: &Finite<M>, conversion: &Conversion, random: u32) -> u32 {
    let format = conversion.format;
    let Some(log2) = x.floor_log2() else {
        return with_sign(0, x.negative, format);
    };
    let fraction_bits = format.fraction_bits;
    let quantum = log2.max(format.min_exponent()) - fraction_bits.cast_signed();

    // Below 2^F a significand is zero or subnormal: field 0, and the fraction is all of it. Else the
    // hidden bit is dropped beside the field. A significand that rounding took to 2^(F+1) leaves
    // fraction 2^F, whose carry into the field is just what is due.
    let hidden = 1 << fraction_bits;
    let field = quantum + fraction_bits.cast_signed() + format.bias;
    let code_of = |significand: u64| match significand.checked_sub(hidden) {
        None => significand,
        Some(fraction) => (u64::from(field.cast_unsigned()) << fraction_bits) + fraction,
    };
    let code = code_of(x.round(quantum, code_of, conversion, random));

    // Magnitudes are ordered as their codes are, and the field above had no upper bound.
    if code > u64::from(format.max_code()) {
        overflow(x.negative, conversion)
    } else {
        with_sign(code as u32, x.negative, format)
    }
}

/// Rule 5.7: integers times `2^-bias`, always saturating.
fn encode_integer<M: Magnitude>(x: &Finite<M>, conversion: &Conversion, random: u32) -> u32 {
    let format = conversion.format;
    let Some(log2) = x.floor_log2() else {
        return 0;
    };
    let limit = if x.negative {
        1 << format.fraction_bits
    } else {
        u64::from(format.max_code())
    };
    let quantum = -format.bias;
    // Integers of more than 1 + F bits are beyond either limit; no rounding brings them back.
    let integer = if log2 - quantum > format.fraction_bits.cast_signed() {
        limit
    } else {
        x.round(quantum, |integer| integer, conversion, random)
            .min(limit)
    };
    let code = integer as u32;
    let code = if x.negative {
        code.wrapping_neg()
    } else {
        code
    };
    code & format.code_mask()
}

/// Rule 5.7: powers of two alone, neither zero nor negative numbers.
fn encode_power_of_two<M: Magnitude>(x: &Finite<M>, conversion: &Conversion, random: u32) -> u32 {
    let format = conversion.format;
    let smallest = -format.bias;
    let by_magnitude = conversion.powers == Powers::FieldMagnitude;
    let log2 = match x.floor_log2() {
        None if by_magnitude => return 0,
        Some(log2) if by_magnitude || !x.negative => log2,
        _ => return not_positive(format),
    };
    let x = &Finite {
        negative: false,
        ..*x
    };
    let code = if conversion.powers == Powers::Value {
        if log2 < smallest {
            return 0;
        }
        // Multiple 1 or 2 of 2^log2 is that code or the next.
        let code_of = |multiple: u64| u64::from((log2 - smallest).cast_unsigned()) + multiple - 1;
        code_of(x.round(log2, code_of, conversion, random))
    } else if log2 <= smallest {
        // Field 0: the distance to the next code is that of subnormals, and ties stay.
        x.round(smallest + 1, |multiple| multiple, conversion, random)
    } else {
        // The hidden bit is the last one that is kept, so every tie is odd.
        let field = u64::from((log2 - smallest).cast_unsigned());
        field + x.round(log2, |_| 1, conversion, random) - 1
    };
    if code > u64::from(format.max_code()) {
        overflow(x.negative, conversion)
    } else {
        code as u32
    }
}

/// Rule 5.1: the code of a NaN that a NaN or a number of that sign becomes.
pub fn encode_nan(negative: bool, conversion: &Conversion) -> u32 {
    let format = conversion.format;
    match conversion.nan {
        Nan::Canonical => nan(format),
        Nan::Sign => nan(format) | if negative { format.sign_mask() } else { 0 },
        Nan::Ones => with_sign(format.magnitude_mask(), negative, format),
        Nan::OppositeZero => with_sign(0, !negative, format),
    }
}

/// The canonical NaN, or what stands for it (rule 5.1).
fn nan(format: &Format) -> u32 {
    format.nan_code().unwrap_or(match format.encoding {
        Encoding::Float | Encoding::PowerOfTwo => format.max_code(),
        Encoding::TwosComplement => 0,
    })
}

/// Rule 5.7: what zero and negative numbers become in a format of powers of two.
fn not_positive(format: &Format) -> u32 {
    format.nan_code().unwrap_or(0)
}

/// Rule 5.5.
fn overflow(negative: bool, conversion: &Conversion) -> u32 {
    let format = conversion.format;
    if is_toward_zero(conversion.rounding, negative) {
        return largest(format, negative);
    }
    match conversion.overflow {
        Overflow::Saturate => largest(format, negative),
        Overflow::Infinity => infinity(format, negative),
        Overflow::Nan => encode_nan(negative, conversion),
    }
}

/// The largest finite number of that sign; for integers the range is not symmetric.
fn largest(format: &Format, negative: bool) -> u32 {
    match format.encoding {
        Encoding::TwosComplement if negative => format.sign_mask(),
        _ => with_sign(format.max_code(), negative, format),
    }
}

fn infinity(format: &Format, negative: bool) -> u32 {
    let code = format
        .infinity_code()
        .expect("Conversion::validate refuses infinities that the format does not have");
    with_sign(code, negative, format)
}

/// Sets the sign, but makes no -0 in a format that has none (rule 5.6).
fn with_sign(magnitude: u32, negative: bool, format: &Format) -> u32 {
    let zero_without_sign = magnitude == 0 && !format.has_negative_zero();
    if negative && !zero_without_sign {
        magnitude | format.sign_mask()
    } else {
        magnitude
    }
}
