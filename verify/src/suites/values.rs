//! What the arithmetic suites share: operands as the core's wires carry them.

use quaver_contract::Format;
use quaver_golden::number::Magnitude;
use quaver_golden::{Number, decode};
use quaver_hdl::OperandWidths;

/// An operand's wires, least significant first: significand, exponent, sign, inf, nan
/// (core.md, "Numbers inside the core").
pub(super) fn pack_operand(number: Number, widths: OperandWidths) -> u64 {
    let (exponent_bits, significand_bits) = (widths.exponent, widths.significand);
    let flags = |nan: bool, inf: bool, sign: bool| {
        (u64::from(nan) << 2 | u64::from(inf) << 1 | u64::from(sign))
            << (exponent_bits + significand_bits)
    };
    match number {
        Number::Nan => flags(true, false, false),
        Number::Infinity { negative } => flags(false, true, negative),
        Number::Finite {
            negative,
            significand,
            exponent,
        } => {
            let length = significand.bit_length();
            if length == 0 {
                return flags(false, false, negative);
            }
            // The top bit moves to the top of the field; the exponent becomes that bit's.
            let normalised = (significand as u64) << significand_bits >> length;
            let top = exponent + length.cast_signed() - 1;
            let field = u64::from(top.cast_unsigned()) & ((1 << exponent_bits) - 1);
            flags(false, false, negative) | field << significand_bits | normalised
        }
    }
}

/// The wires of the product of two finite operands or specials, as `quaver_product` makes them:
/// the significands' product is not normalised.
pub(super) fn pack_product(a: Number, b: Number, widths: OperandWidths) -> u64 {
    let product_bits = 2 * widths.significand;
    let exponent_bits = widths.exponent + 1;
    let flags = |nan: bool, inf: bool, sign: bool| {
        (u64::from(nan) << 2 | u64::from(inf) << 1 | u64::from(sign))
            << (exponent_bits + product_bits)
    };
    let product = quaver_golden::multiply(a, b);
    match (product, normalised(a, widths), normalised(b, widths)) {
        (Number::Nan, ..) => flags(true, false, false),
        (Number::Infinity { negative }, ..) => flags(false, true, negative),
        (Number::Finite { negative, .. }, Some((exponent_a, a)), Some((exponent_b, b))) => {
            let exponent = (exponent_a + exponent_b).cast_unsigned();
            let field = u64::from(exponent) & ((1 << exponent_bits) - 1);
            flags(false, false, negative) | field << product_bits | (a * b)
        }
        (Number::Finite { negative, .. }, ..) => flags(false, false, negative),
    }
}

/// Exponent and normalised significand of a finite number other than zero.
fn normalised(number: Number, widths: OperandWidths) -> Option<(i32, u64)> {
    match number {
        Number::Finite {
            significand,
            exponent,
            ..
        } if significand != 0 => {
            let length = significand.bit_length();
            let top = exponent + length.cast_signed() - 1;
            Some((top, (significand as u64) << widths.significand >> length))
        }
        _ => None,
    }
}

/// Exponent of the highest bit of a finite number other than zero.
pub(super) fn top_exponent(number: &Number) -> Option<i32> {
    match number {
        Number::Finite {
            significand,
            exponent,
            ..
        } if *significand != 0 => Some(exponent + significand.bit_length().cast_signed() - 1),
        _ => None,
    }
}

/// The numbers of all codes of a format.
pub(super) fn all_numbers(format: &Format) -> impl Iterator<Item = (u32, Number)> + '_ {
    (0..=format.code_mask()).map(move |code| (code, decode(code, format)))
}
