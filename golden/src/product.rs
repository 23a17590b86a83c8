//! Exact products (numerics.md, rule 2.6), and the binary32 product of the epilogue (3.2).

use quaver_contract::formats::FP32;

use crate::decode::decode;
use crate::encode::encode_fp32;
use crate::number::Number;

/// `a * b`, exactly. IEEE 754-2019, 6.1 to 6.3 and 7.2.
///
/// Significands of up to 64 bits are exact; decoded codes have at most 24.
pub fn multiply(a: Number, b: Number) -> Number {
    match (a, b) {
        (Number::Nan, _) | (_, Number::Nan) => Number::Nan,
        (Number::Infinity { negative }, other) | (other, Number::Infinity { negative }) => {
            match other {
                Number::Infinity { negative: other } => Number::Infinity {
                    negative: negative != other,
                },
                Number::Finite { significand: 0, .. } => Number::Nan,
                Number::Finite {
                    negative: other, ..
                } => Number::Infinity {
                    negative: negative != other,
                },
                Number::Nan => Number::Nan,
            }
        }
        (
            Number::Finite {
                negative: negative_a,
                significand: significand_a,
                exponent: exponent_a,
            },
            Number::Finite {
                negative: negative_b,
                significand: significand_b,
                exponent: exponent_b,
            },
        ) => Number::Finite {
            negative: negative_a != negative_b,
            significand: significand_a * significand_b,
            exponent: exponent_a + exponent_b,
        },
    }
}

/// `RNE32(a * b)` on binary32 codes.
pub fn multiply_fp32(a: u32, b: u32) -> u32 {
    encode_fp32(multiply(decode(a, FP32), decode(b, FP32)))
}
