//! Values of codes, asked of the golden model.

use quaver_contract::{Encoding, Format, Specials};
use quaver_golden::Number;

use crate::exact::Exact;

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Not a number.
    Nan,
    /// Infinity of a sign.
    Infinity {
        /// The sign.
        negative: bool,
    },
    /// Anything else.
    Finite(Exact),
}

/// The value of a code.
pub(crate) fn decode(format: &'static Format, code: u32) -> Value {
    match quaver_golden::decode(code, format) {
        Number::Nan => Value::Nan,
        Number::Infinity { negative } => Value::Infinity { negative },
        Number::Finite {
            negative,
            significand,
            exponent,
        } => Value::Finite(Exact {
            negative,
            significand,
            exponent,
        }),
    }
}

/// The name of a layout in format files.
pub(crate) fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Float => "float",
        Encoding::TwosComplement => "twos_complement",
        Encoding::PowerOfTwo => "power_of_two",
    }
}

/// The name of a set of special codes in format files.
pub(crate) fn specials_name(specials: Specials) -> &'static str {
    match specials {
        Specials::None => "none",
        Specials::Ieee => "ieee",
        Specials::AllOnesNan => "all_ones_nan",
        Specials::NegativeZeroNan => "negative_zero_nan",
        Specials::NegativeZeroNanAllOnesInfinity => "negative_zero_nan_all_ones_infinity",
    }
}
