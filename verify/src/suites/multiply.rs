//! `multiply` and `relu`: the drain's scale and its activation.

use quaver_contract::formats::FP32;
use quaver_golden::scale::relu;
use quaver_golden::{Number, decode, multiply_fp32};

use super::values::top_exponent;
use crate::bench::{Bench, Unit};
use crate::coverage::Coverage;
use crate::describe;
use crate::random::Random;
use crate::stimulus::fp32::Fp32Class;
use crate::{SuiteContext, Tally, VerifyError};

const MULTIPLY_CASES: u64 = 4_000_000;
const RELU_CASES: u64 = 2_000_000;

/// A pair of factors: any classes, or exponents that bring the product to an end of the range.
fn factors(random: &mut Random) -> (u32, u32) {
    let a = Fp32Class::any(random);
    if random.one_in(2) {
        return (a, Fp32Class::any(random));
    }
    let field_a = (a >> 23 & 0xff).cast_signed();
    // Fields of normal factors add up to 127 plus the product's field.
    let wanted = if random.one_in(4) {
        random.between(250, 258)
    } else {
        random.between(-26, 3)
    };
    let field_b = (wanted + 127 - field_a).clamp(0, 254) as u32;
    let mut b = (random.bits32() & 0x807f_ffff) | field_b << 23;
    if random.one_in(2) {
        // Few fraction bits: exact products and ties.
        b &= !(0x7f_ffff >> random.below(12));
    }
    (a, b)
}

/// Runs `quaver_fp32_multiply`.
pub(super) fn run_multiply(
    context: &SuiteContext<'_>,
    tally: &mut Tally,
) -> Result<(), VerifyError> {
    let mut class = |name: &str| tally.coverage.declare(name);
    let (nan, inf_times_zero) = (class("nan"), class("inf * 0"));
    let (infinity, zero) = (class("infinity"), class("zero"));
    let (overflow, underflow) = (class("overflow"), class("rounded to zero"));
    let (normal, subnormal) = (class("normal result"), class("subnormal result"));
    let (one, both) = (
        class("one subnormal factor"),
        class("two subnormal factors"),
    );
    let (exact, tie, inexact) = (class("exact"), class("tie"), class("inexact"));

    let latencies = context.latencies(1, 1..=4);
    let cases = context.cases(MULTIPLY_CASES) / latencies.len() as u64;
    for &latency in &latencies {
        let unit = Unit {
            name: "quaver_fp32_multiply",
            parameters: vec![("LATENCY", latency.to_string())],
            inputs: &["a_i", "b_i"],
            output: "product_o",
            latency,
        };
        let mut random = context.random(&format!("multiply {latency}"));
        let next = || {
            let (a, b) = factors(&mut random);
            [a.into(), b.into()]
        };
        let expected = |&[a, b]: &[u64; 2], coverage: &mut Coverage| {
            let (a, b) = (a as u32, b as u32);
            let product = multiply_fp32(a, b);
            let (number_a, number_b) = (decode(a, FP32), decode(b, FP32));
            let exact_product = quaver_golden::multiply(number_a, number_b);
            coverage.count(match (exact_product, decode(product, FP32)) {
                (Number::Nan, _) if number_a == Number::Nan || number_b == Number::Nan => nan,
                (Number::Nan, _) => inf_times_zero,
                (Number::Infinity { .. }, _) => infinity,
                (Number::Finite { .. }, Number::Infinity { .. }) => overflow,
                (number, _) if number.is_zero() => zero,
                (_, number) if number.is_zero() => underflow,
                _ if product & 0x7f80_0000 == 0 => subnormal,
                _ => normal,
            });
            let is_subnormal = |number| top_exponent(number).is_some_and(|top| top < 1 - 127);
            match (is_subnormal(&number_a), is_subnormal(&number_b)) {
                (false, false) => {}
                (true, true) => coverage.count(both),
                _ => coverage.count(one),
            }
            if let (
                Number::Finite {
                    significand,
                    exponent,
                    ..
                },
                Some(top),
            ) = (exact_product, top_exponent(&exact_product))
            {
                // The weight of the last place, and that of the lowest bit set.
                let quantum = (top - 23).max(-149);
                let lowest = exponent + significand.trailing_zeros().cast_signed();
                coverage.count(match quantum - lowest {
                    ..=0 => exact,
                    1 => tie,
                    _ => inexact,
                });
            }
            product.into()
        };
        let describe = |&[a, b]: &[u64; 2]| {
            let (a, b) = (a as u32, b as u32);
            format!("{} * {}", describe::code(a, FP32), describe::code(b, FP32))
        };
        Bench::open(context, unit)?.check(cases, tally, next, expected, describe)?;
    }
    Ok(())
}

/// Runs `quaver_relu`.
pub(super) fn run_relu(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let mut class = |name: &str| tally.coverage.declare(name);
    let (nan, positive, negative) = (class("nan"), class("positive or +0"), class("negative"));
    let (minus_zero, minus_infinity) = (class("-0"), class("-inf"));
    let unit = Unit {
        name: "quaver_relu",
        parameters: Vec::new(),
        inputs: &["value_i"],
        output: "value_o",
        latency: 0,
    };
    let mut random = context.random("relu");
    let next = || [Fp32Class::any(&mut random).into()];
    let expected = |&[value]: &[u64; 1], coverage: &mut Coverage| {
        let value = value as u32;
        let (class, result) = match decode(value, FP32) {
            // The unit passes a NaN on with its payload; the conversion behind it makes it the
            // canonical one (numerics.md, 3.5 and 5.1).
            Number::Nan => (nan, value),
            Number::Infinity { negative: true } => (minus_infinity, relu(value)),
            Number::Finite {
                negative: true,
                significand: 0,
                ..
            } => (minus_zero, relu(value)),
            Number::Finite { negative: true, .. } => (negative, relu(value)),
            _ => (positive, relu(value)),
        };
        coverage.count(class);
        result.into()
    };
    let describe = |&[value]: &[u64; 1]| format!("relu of {}", describe::code(value as u32, FP32));
    let cases = context.cases(RELU_CASES);
    Bench::open(context, unit)?.check(cases, tally, next, expected, describe)
}
