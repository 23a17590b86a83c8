//! Signs, remainders, infinities, and sums of several operands.

use super::super::context::Context;
use super::elementwise::{binary, two};
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

pub(super) fn sign(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let sign = |x: f32| {
        if x == 0.0 || x.is_nan() {
            x
        } else {
            x.signum()
        }
    };
    Ok(vec![match context.operand(inputs, 0)? {
        Tensor::Int(element, values) => Tensor::Int(*element, values.mapv(i64::signum)),
        _ => Tensor::Float(context.floats(inputs, 0)?.mapv(sign)),
    }])
}

/// Mod: of integers with the divisor's sign, or with `fmod` of any number with the dividend's.
pub(super) fn modulo(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (a, b) = two(context, inputs)?;
    let truncated = context.int("fmod", 0)? != 0;
    if !truncated && matches!(a, Tensor::Float(_)) {
        return Err(context.error("attribute fmod = 0 of FLOAT is not supported (1)"));
    }
    // The remainder of the least number by -1 is 0, though the quotient overflows.
    let integer = |a: i64, b: i64| match (truncated, b) {
        (_, 0) => None,
        (true, b) => Some(a.wrapping_rem(b)),
        (false, b) => {
            let rest = a.wrapping_rem(b);
            let other = rest != 0 && (rest < 0) != (b < 0);
            Some(if other { rest + b } else { rest })
        }
    };
    Ok(vec![binary(context, a, b, |a, b| a % b, integer)?])
}

pub(super) fn is_nan(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    Ok(vec![Tensor::Bool(values.mapv(f32::is_nan))])
}

pub(super) fn is_inf(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let negative = context.int("detect_negative", 1)? != 0;
    let positive = context.int("detect_positive", 1)? != 0;
    let values = context.floats(inputs, 0)?;
    let infinite =
        |x: f32| (negative && x == f32::NEG_INFINITY) || (positive && x == f32::INFINITY);
    Ok(vec![Tensor::Bool(values.mapv(infinite))])
}

/// The sum of any number of operands.
pub(super) fn sum(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let mut sum = Tensor::Float(context.floats(inputs, 0)?.clone());
    for place in 1..inputs.len() {
        context.floats(inputs, place)?;
        let operand = context.operand(inputs, place)?;
        sum = binary(context, &sum, operand, |a, b| a + b, i64::checked_add)?;
    }
    Ok(vec![sum])
}

pub(super) fn mean(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let mut sums = sum(context, inputs)?;
    for sum in &mut sums {
        if let Tensor::Float(values) = sum {
            values.mapv_inplace(|value| value / inputs.len() as f32);
        }
    }
    Ok(sums)
}
