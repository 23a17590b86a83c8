//! Operators that pick elements: Gather, Slice, Split, Pad.

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::super::context::{Context, MOST_ELEMENTS};
use super::shape::each;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

pub(super) fn gather(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let Tensor::Int(_, indices) = context.operand(inputs, 1)? else {
        return Err(context.error("input 1 has to be integers"));
    };
    let axis = context.int("axis", 0)?;
    let axis = context.axis(axis, tensor.shape().len())?;
    let length = tensor.shape()[axis] as i64;
    let mut places = Vec::with_capacity(indices.len());
    for &index in indices {
        let place = if index < 0 { index + length } else { index };
        if !(0..length).contains(&place) {
            return Err(context.error(format!("index {index} of {length}")));
        }
        places.push(place as usize);
    }
    let mut shape = tensor.shape()[..axis].to_vec();
    shape.extend(indices.shape());
    shape.extend(&tensor.shape()[axis + 1..]);
    let picked = each!(tensor, values => {
        let values = values.select(Axis(axis), &places);
        let values = values.as_standard_layout().into_owned();
        values.into_shape_with_order(IxDyn(&shape)).expect("an index a place")
    });
    Ok(vec![picked])
}

pub(super) fn slice(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let rank = tensor.shape().len();
    let required = |list: Option<Vec<i64>>, name: &str| {
        list.ok_or_else(|| context.error(format!("no {name}")))
    };
    let starts = required(context.list(inputs, 1, "starts")?, "starts")?;
    let ends = required(context.list(inputs, 2, "ends")?, "ends")?;
    let axes = context.list(inputs, 3, "axes")?;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = match inputs.get(4).copied().flatten() {
        Some(_) => context.integers(inputs, 4)?,
        None => vec![1; starts.len()],
    };
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(context.error("starts, ends, axes and steps differ in length"));
    }
    let mut result = tensor.clone();
    let mut cut = vec![false; rank];
    for (((start, end), axis), step) in starts.into_iter().zip(ends).zip(axes).zip(steps) {
        let axis = context.axis(axis, rank)?;
        if std::mem::replace(&mut cut[axis], true) {
            return Err(context.error(format!("axis {axis} is there twice")));
        }
        let length = tensor.shape()[axis] as i64;
        let place = |index: i64| {
            if index < 0 {
                index.saturating_add(length)
            } else {
                index
            }
        };
        let (low, high) = match step {
            0 => return Err(context.error("a step of 0")),
            1.. => {
                let low = place(start).clamp(0, length);
                (low, place(end).clamp(low, length))
            }
            // From start down to behind end.
            _ => {
                let high = place(start).clamp(-1, length - 1) + 1;
                (
                    place(end).clamp(-1, length - 1).saturating_add(1).min(high),
                    high,
                )
            }
        };
        let step = isize::try_from(step).map_err(|_| context.error("a step too long"))?;
        let range = Slice::new(low as isize, Some(high as isize), step);
        result = each!(&result, values => values.slice_axis(Axis(axis), range).to_owned());
    }
    Ok(vec![result])
}

pub(super) fn split(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let axis = context.int("axis", 0)?;
    let axis = context.axis(axis, tensor.shape().len())?;
    let length = tensor.shape()[axis];
    let parts = match context.list(inputs, 1, "split")? {
        Some(parts) => {
            let parts: Option<Vec<usize>> =
                parts.iter().map(|&n| usize::try_from(n).ok()).collect();
            parts.ok_or_else(|| context.error("a negative length"))?
        }
        None => {
            // All alike, but the last, which may be shorter.
            let count = context.node.outputs.len().max(1);
            let each = length.div_ceil(count);
            (0..count)
                .map(|i| each.min(length.saturating_sub(i * each)))
                .collect()
        }
    };
    let sum = parts
        .iter()
        .try_fold(0usize, |sum, &part| sum.checked_add(part));
    if sum != Some(length) {
        return Err(context.error(format!("lengths {parts:?} of {length}")));
    }
    let mut start = 0;
    let pieces = parts.into_iter().map(|part| {
        let range = Slice::from(start..start + part);
        start += part;
        each!(tensor, values => values.slice_axis(Axis(axis), range).to_owned())
    });
    Ok(pieces.collect())
}

/// Pad with a constant, of FP32 numbers.
pub(super) fn pad(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let mode = context.text("mode", "constant")?;
    context.only("mode", &mode, &["constant"])?;
    let values = context.floats(inputs, 0)?;
    let rank = values.ndim();
    let pads = context.list(inputs, 1, "pads")?;
    let pads = pads.ok_or_else(|| context.error("no pads"))?;
    let value = match context.optional_floats(inputs, 2)? {
        Some(value) => value.first().copied().unwrap_or(0.0),
        None => context.float("value", 0.0)?,
    };
    let axes: Vec<usize> = match inputs.get(3).copied().flatten() {
        None => (0..rank).collect(),
        Some(_) => {
            let axes = context.integers(inputs, 3)?;
            axes.iter()
                .map(|&axis| context.axis(axis, rank))
                .collect::<Result<_, _>>()?
        }
    };
    if pads.len() != 2 * axes.len() {
        return Err(context.error(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let mut around = vec![(0i64, 0i64); rank];
    for (i, &axis) in axes.iter().enumerate() {
        around[axis] = (pads[i], pads[axes.len() + i]);
    }
    let mut shape = Vec::new();
    let mut inner = values.view();
    for (axis, &(before, after)) in around.iter().enumerate() {
        let length = values.shape()[axis] as i64;
        let cut = |pad: i64| pad.saturating_neg().max(0);
        let (low, high) = (cut(before), length - cut(after));
        let padded = length
            .checked_add(before)
            .and_then(|n| n.checked_add(after));
        let padded = padded.and_then(|n| usize::try_from(n).ok());
        let padded = padded.filter(|&n| low <= high && n <= MOST_ELEMENTS);
        shape.push(
            padded.ok_or_else(|| context.error(format!("pads {before}, {after} of {length}")))?,
        );
        inner.slice_axis_inplace(Axis(axis), Slice::from(low as isize..high as isize));
    }
    context.elements(&shape)?;
    let mut result = ArrayD::from_elem(IxDyn(&shape), value);
    let mut place = result.view_mut();
    for (axis, &(before, _)) in around.iter().enumerate() {
        let start = before.max(0) as isize;
        let length = inner.shape()[axis] as isize;
        place.slice_axis_inplace(Axis(axis), Slice::from(start..start + length));
    }
    place.assign(&inner);
    Ok(vec![Tensor::Float(result)])
}
