//! Codes to exact numbers (numerics.md, rules 2.1 to 2.4).

use quaver_contract::{Encoding, Format, Specials};

use crate::Number;

/// The number that a code stands for. Bits above the format's width are ignored.
#[inline]
pub fn decode(code: u32, format: &Format) -> Number {
    let code = code & format.code_mask();
    if is_nan(code, format) {
        return Number::Nan;
    }
    let negative = code & format.sign_mask() != 0;
    let magnitude = code & format.magnitude_mask();
    if format.infinity_code() == Some(magnitude) {
        return Number::Infinity { negative };
    }
    let (significand, exponent) = match format.encoding {
        Encoding::Float => {
            // Rule 2.1. Field 0 has no hidden bit and the exponent of field 1.
            let field = magnitude >> format.fraction_bits;
            let fraction = magnitude & ((1 << format.fraction_bits) - 1);
            let hidden = u32::from(field != 0) << format.fraction_bits;
            let exponent = field.max(1).cast_signed() - format.bias;
            (
                hidden | fraction,
                exponent - format.fraction_bits.cast_signed(),
            )
        }
        // Rule 2.3. The sign bit weighs -2^F.
        Encoding::TwosComplement if negative => {
            ((1 << format.fraction_bits) - magnitude, -format.bias)
        }
        Encoding::TwosComplement => (magnitude, -format.bias),
        // Rule 2.3.
        Encoding::PowerOfTwo => (1, magnitude.cast_signed() - format.bias),
    };
    Number::Finite {
        negative,
        significand: significand.into(),
        exponent,
    }
}

/// Rule 2.2's column "NaN".
fn is_nan(code: u32, format: &Format) -> bool {
    let magnitude = code & format.magnitude_mask();
    match format.specials {
        Specials::None => false,
        Specials::Ieee => format
            .infinity_code()
            .is_some_and(|infinity| magnitude > infinity),
        Specials::AllOnesNan => magnitude == format.magnitude_mask(),
        Specials::NegativeZeroNan | Specials::NegativeZeroNanAllOnesInfinity => {
            code == format.sign_mask()
        }
    }
}
