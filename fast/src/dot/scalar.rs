//! One block of one element, in binary64: aligned terms are integers below 2^53 there.

use quaver_contract::accumulator::{Addend, Dot, DotOutput, Groups};

use super::{Operand, ZERO};

/// A sum of truncated terms, `units * 2^(exponent - fraction_bits)`.
#[derive(Clone, Copy)]
struct Aligned {
    units: i64,
    exponent: i32,
}

/// The accumulator after one block.
pub(crate) fn block(dot: &Dot, accumulator: f32, terms: &[(Operand, Operand)]) -> f32 {
    let accumulator = if dot.flush_subnormals {
        flush(accumulator)
    } else {
        accumulator
    };
    if let Some(special) = special(accumulator, terms) {
        return special;
    }
    let early = match dot.addend {
        Addend::Early if accumulator != 0.0 => {
            Some((f64::from(accumulator), exponent(accumulator)))
        }
        _ => None,
    };
    let products = terms
        .iter()
        .map(|(a, b)| (a.value * b.value, a.exponent + b.exponent))
        .filter(|(value, _)| *value != 0.0);
    let sum = match dot.groups {
        Groups::One => align(dot, products.chain(early)),
        Groups::EvenOdd => {
            let group = |parity| {
                let members = terms.iter().skip(parity).step_by(2);
                let products = members
                    .map(|(a, b)| (a.value * b.value, a.exponent + b.exponent))
                    .filter(|(value, _)| *value != 0.0);
                align(dot, products)
            };
            floored_sum(group(0), group(1))
        }
    };
    let value = sum.units as f64 * power(sum.exponent - dot.fraction_bits.cast_signed());
    let result = match dot.addend {
        Addend::Early => output(dot.output, value),
        Addend::LateRounded => output(dot.output, value) + accumulator,
        Addend::LateExact => sum_to_fp32(value, f64::from(accumulator)),
        Addend::LateFloored {
            sum_bits,
            addend_bits,
        } => late_floored(
            dot,
            sum,
            accumulator,
            sum_bits.cast_signed(),
            addend_bits.cast_signed(),
        ),
    };
    let result = if dot.flush_subnormals {
        flush(result)
    } else {
        result
    };
    // A zero result is +0.
    if result == 0.0 { 0.0 } else { result }
}

/// The result, when a product or the accumulator is not finite.
fn special(accumulator: f32, terms: &[(Operand, Operand)]) -> Option<f32> {
    // Infinite and NaN products behave as IEEE arithmetic has it; finite ones cannot overflow
    // binary64, so their sum stays finite.
    let sum: f64 = terms.iter().map(|(a, b)| a.value * b.value).sum();
    let sum = sum + f64::from(accumulator);
    (!sum.is_finite()).then_some(sum as f32)
}

/// Exponent of a binary32 number's field.
fn exponent(value: f32) -> i32 {
    ((value.to_bits() >> 23 & 0xff).max(1) as i32) - 127
}

/// `2^exponent`.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

fn align(dot: &Dot, terms: impl Iterator<Item = (f64, i32)> + Clone) -> Aligned {
    let largest = terms.clone().map(|(_, exponent)| exponent).max();
    let exponent = largest.unwrap_or(ZERO).max(dot.exponent_floor);
    let scale = power(dot.fraction_bits.cast_signed() - exponent);
    // The conversion to an integer truncates toward zero.
    let units = terms.map(|(value, _)| (value * scale) as i64).sum();
    Aligned { units, exponent }
}

/// Adds at the larger exponent; an arithmetic shift is a floor.
fn floored_sum(a: Aligned, b: Aligned) -> Aligned {
    if a.units == 0 || b.units == 0 {
        return if a.units == 0 { b } else { a };
    }
    let exponent = a.exponent.max(b.exponent);
    let moved = |x: Aligned| x.units >> (exponent - x.exponent).min(63);
    Aligned {
        units: moved(a) + moved(b),
        exponent,
    }
}

fn late_floored(dot: &Dot, sum: Aligned, addend: f32, sum_bits: i32, addend_bits: i32) -> f32 {
    let unit = power(sum.exponent - dot.fraction_bits.cast_signed());
    if addend == 0.0 {
        return (sum.units as f64 * unit) as f32;
    }
    let addend_exponent = exponent(addend);
    let reference = if sum.units == 0 {
        addend_exponent
    } else {
        sum.exponent.max(addend_exponent)
    };
    // Both in units of 2^(reference - sum_bits), which is the finer of the two.
    let left = sum.exponent - dot.fraction_bits.cast_signed() - (reference - sum_bits);
    let from_sum = if sum.units == 0 {
        0
    } else if left >= 0 {
        sum.units << left
    } else {
        sum.units >> (-left).min(63)
    };
    let from_addend = if addend_exponent < reference - addend_bits - 1 {
        0
    } else {
        let floored = (f64::from(addend) * power(addend_bits - reference)).floor() as i64;
        floored << (sum_bits - addend_bits)
    };
    sum_to_fp32(
        from_sum as f64 * power(reference - sum_bits),
        from_addend as f64 * power(reference - sum_bits),
    )
}

/// A block's sum as binary32.
fn output(output: DotOutput, sum: f64) -> f32 {
    let DotOutput::Truncate(bits) = output else {
        return sum as f32;
    };
    let kept = f64::from_bits(sum.to_bits() >> (52 - bits) << (52 - bits));
    if kept.abs() >= power(-126) {
        // At most 23 fraction bits: exact, or infinite.
        kept as f32
    } else {
        ((kept * power(149)) as i64 as f64 * power(-149)) as f32
    }
}

/// `RNE32(a + b)` with one rounding: the binary64 sum is rounded to odd before the second one, so
/// that no tie is made (Boldo and Melquiond, 2008).
fn sum_to_fp32(a: f64, b: f64) -> f32 {
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    if error == 0.0 || sum.to_bits() & 1 == 1 {
        return sum as f32;
    }
    let away = (error > 0.0) == (sum > 0.0);
    let odd = if away {
        sum.to_bits() + 1
    } else {
        sum.to_bits() - 1
    };
    f64::from_bits(odd) as f32
}

fn flush(value: f32) -> f32 {
    if value.is_subnormal() {
        0f32.copysign(value)
    } else {
        value
    }
}
