//! Conversions of numbers that codes and scales make together (numerics.md, rules 7.1, 7.2, 7.7).

use quaver_contract::{Conversion, Format};

use crate::divide::divide;
use crate::encode::{encode, encode_nan};
use crate::{Number, decode, multiply};

/// What a scale does on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// The input stands for its number times the scale; the product is rounded once.
    Multiply,
    /// The result stands for its number times the scale; the quotient is rounded once.
    Divide,
    /// The same, with the quotient rounded to the scale's format first: ONNX QuantizeLinear.
    DivideTwice,
    /// The same, with +0 added to the first quotient, which turns -0 into +0: ONNX QuantizeLinear of
    /// float4e2m1 with a zero point.
    DivideTwicePlusZero,
}

/// Converts a code of `source` with a scale, which is a code of `scale_format`.
///
/// A NaN, of the code or of the scale, takes the code's sign. `random` is as in [`crate::convert()`].
pub fn convert_scaled(
    code: u32,
    source: &Format,
    (scale, scale_format): (u32, &'static Format),
    scaling: Scaling,
    conversion: &Conversion,
    random: u32,
) -> u32 {
    let (x, factor) = (decode(code, source), decode(scale, scale_format));
    let result = match scaling {
        Scaling::Multiply => multiply(x, factor),
        Scaling::Divide => divide(x, factor),
        Scaling::DivideTwice | Scaling::DivideTwicePlusZero => {
            let first = encode(divide(x, factor), &Conversion::native(scale_format), 0);
            match decode(first, scale_format) {
                zero if zero.is_zero() && scaling == Scaling::DivideTwicePlusZero => {
                    Number::zero(false)
                }
                number => number,
            }
        }
    };
    match result {
        Number::Nan => encode_nan(code & source.sign_mask() != 0, conversion),
        number => encode(number, conversion, random),
    }
}
