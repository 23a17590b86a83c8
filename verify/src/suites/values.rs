//! What the arithmetic suites share: operands as the core's wires carry them.

use quaver_contract::Format;
use quaver_golden::number::Magnitude;
use quaver_golden::{Number, decode};
use quaver_hdl::{OperandShape, OperandWidths};

/// An operand's wires, least significant first: significand, exponent, sign, inf, nan
/// (core.md, "Numbers inside the core").
pub(crate) fn pack_operand(number: Number, format: &Format, shape: OperandShape) -> u64 {
    let (exponent_bits, significand_bits) = (shape.exponent_bits, shape.significand_bits);
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
            let Some(top) = top_exponent(&number) else {
                return flags(false, false, negative);
            };
            let own = if shape.normalise {
                top.max(shape.exponent_floor)
            } else {
                exponent + format.fraction_bits.cast_signed()
            };
            // From the number's last place to the field's: exact, or the shape is too narrow.
            let left = exponent - (own - (significand_bits.cast_signed() - 1));
            let (up, down) = (left.max(0), (-left).max(0));
            let placed = significand as u64 >> down << up;
            assert_eq!(placed >> up << down, significand as u64, "{shape:?}");
            let code = (own - shape.exponent_base).cast_unsigned();
            let field = u64::from(code) & ((1 << exponent_bits) - 1);
            flags(false, false, negative) | field << significand_bits | placed
        }
    }
}

/// The wires of the product of two operands, as `quaver_product` makes them: the significands'
/// product is not normalised.
pub(crate) fn pack_product(a: Number, b: Number, widths: OperandWidths) -> u64 {
    let factors = normalised(a, widths).zip(normalised(b, widths));
    let finite = factors.map(|((exponent_a, a), (exponent_b, b))| (exponent_a + exponent_b, a * b));
    let product = quaver_golden::multiply(a, b);
    pack(product, finite, widths.exponent + 1, 2 * widths.significand)
}

/// The fields of a number; `finite` is the exponent and significand of one that is not zero.
fn pack(
    number: Number,
    finite: Option<(i32, u64)>,
    exponent_bits: u32,
    significand_bits: u32,
) -> u64 {
    let (flags, magnitude) = match number {
        Number::Nan => (0b100, None),
        Number::Infinity { negative } => (0b010 | u64::from(negative), None),
        Number::Finite { negative, .. } => (u64::from(negative), finite),
    };
    let (exponent, significand) = magnitude.unwrap_or((0, 0));
    let field = u64::from(exponent.cast_unsigned()) & ((1 << exponent_bits) - 1);
    (flags << exponent_bits | field) << significand_bits | significand
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
