//! Reductions along axes. Sums are binary64.

use ndarray::{ArrayD, Axis};

use super::super::context::Context;
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

fn reduce(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    start: f64,
    step: fn(f64, f64) -> f64,
    finish: fn(f64, usize) -> f64,
) -> Result<Vec<Tensor>, Error> {
    let wide = context.floats(inputs, 0)?.mapv(f64::from);
    reduce_wide(context, inputs, wide, start, step, finish)
}

fn reduce_wide(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    mut wide: ArrayD<f64>,
    start: f64,
    step: fn(f64, f64) -> f64,
    finish: fn(f64, usize) -> f64,
) -> Result<Vec<Tensor>, Error> {
    let axes = context.list(inputs, 1, "axes")?.unwrap_or_default();
    let rank = wide.ndim();
    let mut chosen: Vec<usize> = match axes.as_slice() {
        [] if context.int("noop_with_empty_axes", 0)? != 0 => {
            return Ok(vec![Tensor::Float(context.floats(inputs, 0)?.clone())]);
        }
        [] => (0..rank).collect(),
        axes => axes
            .iter()
            .map(|&axis| context.axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    chosen.sort_unstable();
    chosen.dedup();
    let count = chosen.iter().map(|&axis| wide.shape()[axis]).product();
    for &axis in &chosen {
        let reduced = wide.fold_axis(Axis(axis), start, |&sum, &value| step(sum, value));
        wide = reduced.insert_axis(Axis(axis));
    }
    if context.int("keepdims", 1)? == 0 {
        for &axis in chosen.iter().rev() {
            wide = wide.index_axis_move(Axis(axis), 0);
        }
    }
    Ok(vec![Tensor::Float(
        wide.mapv(|sum| finish(sum, count) as f32),
    )])
}

pub(super) fn sum(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    reduce(context, inputs, 0.0, |sum, value| sum + value, |sum, _| sum)
}

pub(super) fn mean(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    reduce(
        context,
        inputs,
        0.0,
        |sum, value| sum + value,
        |sum, count| sum / count as f64,
    )
}

pub(super) fn max(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let larger = |a: f64, b: f64| if b > a || b.is_nan() { b } else { a };
    extreme(context, inputs, f64::NEG_INFINITY, larger)
}

pub(super) fn min(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let smaller = |a: f64, b: f64| if b < a || b.is_nan() { b } else { a };
    extreme(context, inputs, f64::INFINITY, smaller)
}

/// The largest or least element; truth values are 0 and 1.
fn extreme(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    start: f64,
    step: fn(f64, f64) -> f64,
) -> Result<Vec<Tensor>, Error> {
    let Tensor::Bool(values) = context.operand(inputs, 0)? else {
        return reduce(context, inputs, start, step, |value, _| value);
    };
    let numbers = Tensor::Float(values.mapv(|value| f32::from(u8::from(value))));
    let mut inputs = inputs.to_vec();
    inputs[0] = Some(&numbers);
    let results = reduce(context, &inputs, start, step, |value, _| value)?;
    let truths = results.into_iter().map(|result| match result {
        Tensor::Float(values) => Tensor::Bool(values.mapv(|value| value > 0.0)),
        other => other,
    });
    Ok(truths.collect())
}

pub(super) fn product(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    reduce(context, inputs, 1.0, |all, value| all * value, |all, _| all)
}

/// A sum of a function of every number, and what becomes of it.
fn sum_of(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    each: fn(f64) -> f64,
    finish: fn(f64, usize) -> f64,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let wide = values.mapv(f64::from).mapv(each);
    reduce_wide(context, inputs, wide, 0.0, |sum, value| sum + value, finish)
}

pub(super) fn l1(context: &mut Context<'_, '_>, inputs: &Inputs<'_>) -> Result<Vec<Tensor>, Error> {
    sum_of(context, inputs, f64::abs, |sum, _| sum)
}

pub(super) fn l2(context: &mut Context<'_, '_>, inputs: &Inputs<'_>) -> Result<Vec<Tensor>, Error> {
    sum_of(context, inputs, |value| value * value, |sum, _| sum.sqrt())
}

pub(super) fn sum_square(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    sum_of(context, inputs, |value| value * value, |sum, _| sum)
}

pub(super) fn log_sum(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    sum_of(context, inputs, |value| value, |sum, _| sum.ln())
}

pub(super) fn log_sum_exp(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    // Two numbers with the logarithm of the sum of their exponentials, of which none overflows.
    let join = |a: f64, b: f64| {
        let (high, low) = if a < b { (b, a) } else { (a, b) };
        if low == f64::NEG_INFINITY || high == f64::INFINITY {
            high
        } else {
            high + (low - high).exp().ln_1p()
        }
    };
    reduce(context, inputs, f64::NEG_INFINITY, join, |log, _| log)
}

/// ArgMax: the first of the largest, or the last where it is asked for.
pub(super) fn arg_max(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    arg(context, inputs, |value, best| value > best)
}

/// ArgMin, likewise.
pub(super) fn arg_min(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    arg(context, inputs, |value, best| value < best)
}

fn arg(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    better: fn(f32, f32) -> bool,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let axis = context.int("axis", 0)?;
    let axis = context.axis(axis, values.ndim())?;
    let last = context.int("select_last_index", 0)? != 0;
    if values.shape()[axis] == 0 {
        return Err(context.error("nothing to choose from"));
    }
    let place: ArrayD<i64> = values.map_axis(Axis(axis), |line| {
        let mut best = 0;
        for (i, &value) in line.iter().enumerate() {
            if better(value, line[best]) || (last && value == line[best]) {
                best = i;
            }
        }
        best as i64
    });
    let place = match context.int("keepdims", 1)? {
        0 => place,
        _ => place.insert_axis(Axis(axis)),
    };
    Ok(vec![Tensor::Int(ElementType::Int64, place)])
}
