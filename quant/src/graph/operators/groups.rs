//! Normalisations of groups, images and lines, and LogSoftmax. Sums are binary64.

use ndarray::{ArrayD, Axis};

use super::super::context::Context;
use super::normalise::moments;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// A factor for each of so many.
fn factors<'t>(
    context: &Context<'_, '_>,
    inputs: &Inputs<'t>,
    place: usize,
    count: usize,
) -> Result<&'t [f32], Error> {
    let values = context.floats(inputs, place)?;
    let list = values.as_slice().filter(|list| list.len() == count);
    list.ok_or_else(|| context.error(format!("input {place} is {:?} for {count}", values.shape())))
}

/// Each group of channels with mean 0 and variance 1, then scale and bias of its channels or group.
fn groups(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    groups: usize,
    by_group: bool,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let &[_, channels, ref places @ ..] = values.shape() else {
        return Err(context.error(format!(
            "input 0 has {:?}, not two or more axes",
            values.shape()
        )));
    };
    if groups == 0 || channels % groups != 0 {
        return Err(context.error(format!("{channels} channels in {groups} groups")));
    }
    let count = if by_group { groups } else { channels };
    let (scale, bias) = (
        factors(context, inputs, 1, count)?,
        factors(context, inputs, 2, count)?,
    );
    let epsilon = f64::from(context.float("epsilon", 1e-5)?);
    let plane = places.iter().product::<usize>();
    let own = channels / groups;
    let mut result = values.as_standard_layout().into_owned();
    let numbers = result.as_slice_mut().expect("standard layout");
    for (index, group) in numbers.chunks_exact_mut((own * plane).max(1)).enumerate() {
        let (mean, variance) = moments(group);
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for (channel, plane) in group.chunks_exact_mut(plane.max(1)).enumerate() {
            let group = index % groups;
            let place = if by_group {
                group
            } else {
                group * own + channel
            };
            for value in plane {
                let normal = ((f64::from(*value) - mean) * inverse) as f32;
                *value = normal * scale[place] + bias[place];
            }
        }
    }
    Ok(vec![Tensor::Float(result)])
}

/// GroupNormalization: scale and bias are of groups before opset 21, of channels from there on.
pub(super) fn group(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let count = usize::try_from(context.int("num_groups", 0)?).unwrap_or(0);
    groups(context, inputs, count, context.opset < 21)
}

pub(super) fn instance(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let channels = context.floats(inputs, 0)?.shape().get(1).copied();
    groups(context, inputs, channels.unwrap_or(0), false)
}

/// RMSNormalization: the axes from `axis` on have a mean square of 1, times scale.
pub(super) fn rms(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (values, scale) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    let axis = context.axis(context.int("axis", -1)?, values.ndim())?;
    let epsilon = f64::from(context.float("epsilon", 1e-5)?);
    let inner = &values.shape()[axis..];
    let found = || context.error(format!("input 1 is {:?} for {inner:?}", scale.shape()));
    let scale: Vec<f32> = scale
        .broadcast(inner)
        .ok_or_else(found)?
        .iter()
        .copied()
        .collect();
    let mut result = values.as_standard_layout().into_owned();
    let numbers = result.as_slice_mut().expect("standard layout");
    for line in numbers.chunks_exact_mut(scale.len().max(1)) {
        let squares = line.iter().map(|&value| f64::from(value).powi(2));
        let mean = squares.sum::<f64>() / scale.len() as f64;
        let inverse = 1.0 / (mean + epsilon).sqrt();
        for (value, scale) in line.iter_mut().zip(&scale) {
            *value = (f64::from(*value) * inverse) as f32 * scale;
        }
    }
    Ok(vec![Tensor::Float(result)])
}

/// A function of every line along an axis.
fn lines(values: &ArrayD<f32>, axis: usize, change: impl Fn(&mut [f32])) -> ArrayD<f32> {
    let mut result = values.clone();
    let mut buffer = Vec::new();
    for mut line in result.lanes_mut(Axis(axis)) {
        buffer.clear();
        buffer.extend(line.iter());
        change(&mut buffer);
        line.iter_mut()
            .zip(&buffer)
            .for_each(|(to, &from)| *to = from);
    }
    result
}

/// LpNormalization, whose lines of zeros stay.
pub(super) fn lp(context: &mut Context<'_, '_>, inputs: &Inputs<'_>) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let axis = context.axis(context.int("axis", -1)?, values.ndim())?;
    let power = context.int("p", 2)?;
    context.only("p", &power.to_string(), &["1", "2"])?;
    Ok(vec![Tensor::Float(lines(values, axis, |line| {
        let wide = line.iter().map(|&value| f64::from(value));
        let norm = match power {
            1 => wide.map(f64::abs).sum::<f64>(),
            _ => wide.map(|value| value * value).sum::<f64>().sqrt(),
        };
        for value in line.iter_mut().filter(|_| norm != 0.0) {
            *value = (f64::from(*value) / norm) as f32;
        }
    }))])
}

/// LogSoftmax from opset 13 on; before it, everything from the axis on is one line.
pub(super) fn log_softmax(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let old = context.opset < 13;
    let axis = context.axis(
        context.int("axis", if old { 1 } else { -1 })?,
        values.ndim(),
    )?;
    let change = |line: &mut [f32]| {
        let largest = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let wide = line.iter().map(|&value| f64::from(value - largest).exp());
        let log = wide.sum::<f64>().ln();
        for value in line {
            *value = (f64::from(*value - largest) - log) as f32;
        }
    };
    if !old {
        return Ok(vec![Tensor::Float(lines(values, axis, change))]);
    }
    let length: usize = values.shape()[axis..].iter().product();
    let mut result = values.as_standard_layout().into_owned();
    let numbers = result.as_slice_mut().expect("standard layout");
    numbers.chunks_exact_mut(length.max(1)).for_each(change);
    Ok(vec![Tensor::Float(result)])
}
