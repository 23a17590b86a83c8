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
    let values = context.floats(inputs, 0)?;
    let axes = context.list(inputs, 1, "axes")?.unwrap_or_default();
    let rank = values.ndim();
    let mut chosen: Vec<usize> = match axes.as_slice() {
        [] if context.int("noop_with_empty_axes", 0)? != 0 => {
            return Ok(vec![Tensor::Float(values.clone())]);
        }
        [] => (0..rank).collect(),
        axes => axes
            .iter()
            .map(|&axis| context.axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    chosen.sort_unstable();
    chosen.dedup();
    let count = chosen.iter().map(|&axis| values.shape()[axis]).product();
    let mut wide = values.mapv(f64::from);
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
    reduce(context, inputs, f64::NEG_INFINITY, larger, |largest, _| {
        largest
    })
}

/// ArgMax: the first of the largest, or the last where it is asked for.
pub(super) fn arg_max(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
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
            if value > line[best] || (last && value == line[best]) {
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
