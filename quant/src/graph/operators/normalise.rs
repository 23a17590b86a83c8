//! Softmax and normalisations. Sums are binary64, so that their order does not show in FP32.

use ndarray::{ArrayD, Axis};

use super::super::context::Context;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

pub(super) fn softmax(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    // Before opset 13 everything from the axis on is one line.
    let old = context.opset < 13;
    let axis = context.int("axis", if old { 1 } else { -1 })?;
    let axis = context.axis(axis, values.ndim())?;
    let mut result = values.as_standard_layout().into_owned();
    if old {
        let length: usize = values.shape()[axis..].iter().product();
        let numbers = result.as_slice_mut().expect("standard layout");
        for line in numbers.chunks_exact_mut(length.max(1)) {
            soften(line);
        }
        return Ok(vec![Tensor::Float(result)]);
    }
    let mut buffer = Vec::new();
    for mut line in result.lanes_mut(Axis(axis)) {
        match line.as_slice_mut() {
            Some(line) => soften(line),
            None => {
                buffer.clear();
                buffer.extend(line.iter());
                soften(&mut buffer);
                line.iter_mut()
                    .zip(&buffer)
                    .for_each(|(to, &from)| *to = from);
            }
        }
    }
    Ok(vec![Tensor::Float(result)])
}

/// Softmax of a line, where it is.
pub(super) fn soften(line: &mut [f32]) {
    let largest = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f64;
    for value in &mut *line {
        *value = (*value - largest).exp();
        sum += f64::from(*value);
    }
    for value in line {
        *value = (f64::from(*value) / sum) as f32;
    }
}

/// LayerNormalization: the axes from `axis` on have mean 0 and variance 1, times scale, plus bias.
pub(super) fn layer(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let axis = context.int("axis", -1)?;
    let axis = context.axis(axis, values.ndim())?;
    let epsilon = f64::from(context.float("epsilon", 1e-5)?);
    let inner = &values.shape()[axis..];
    let length: usize = inner.iter().product();
    let along = |place| -> Result<Option<Vec<f32>>, Error> {
        let Some(factors) = context.optional_floats(inputs, place)? else {
            return Ok(None);
        };
        let shape = || {
            context.error(format!(
                "input {place} is {:?} for {inner:?}",
                factors.shape()
            ))
        };
        let factors = factors.broadcast(inner).ok_or_else(shape)?;
        Ok(Some(factors.iter().copied().collect()))
    };
    let (scale, bias) = (along(1)?, along(2)?);
    let scale = scale.ok_or_else(|| context.error("input 1 is missing"))?;
    let mut result = values.as_standard_layout().into_owned();
    let mut means = Vec::new();
    let mut deviations = Vec::new();
    for line in result
        .as_slice_mut()
        .expect("standard layout")
        .chunks_exact_mut(length.max(1))
    {
        let (mean, variance) = moments(line);
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for (i, value) in line.iter_mut().enumerate() {
            let normal = ((f64::from(*value) - mean) * inverse) as f32;
            *value = normal * scale[i] + bias.as_ref().map_or(0.0, |bias| bias[i]);
        }
        means.push(mean as f32);
        deviations.push(inverse as f32);
    }
    let mut outputs = vec![Tensor::Float(result)];
    if context.node.outputs.len() > 1 {
        let mut shape = values.shape().to_vec();
        shape[axis..].fill(1);
        for numbers in [means, deviations] {
            let array = ArrayD::from_shape_vec(shape.clone(), numbers);
            let array = array.map_err(|_| context.error("nothing to normalise"))?;
            outputs.push(Tensor::Float(array));
        }
    }
    Ok(outputs)
}

/// Mean and variance of a line.
pub(super) fn moments(line: &[f32]) -> (f64, f64) {
    let count = line.len() as f64;
    let mean = line.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let squares = line.iter().map(|&v| (f64::from(v) - mean).powi(2));
    (mean, squares.sum::<f64>() / count)
}

/// BatchNormalization of inference.
pub(super) fn batch(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    if context.int("training_mode", 0)? != 0 {
        return Err(context.error("training is not supported"));
    }
    let values = context.floats(inputs, 0)?;
    let epsilon = f64::from(context.float("epsilon", 1e-5)?);
    let channels = values.shape().get(1).copied().unwrap_or(1);
    let mut factors = Vec::new();
    for place in 1..5 {
        let factor = context.floats(inputs, place)?;
        if factor.len() != channels {
            let found = format!(
                "input {place} is {:?} for {channels} channels",
                factor.shape()
            );
            return Err(context.error(found));
        }
        factors.push(factor.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
    }
    let mut result = values.clone();
    let axis = Axis(usize::from(values.ndim() > 1));
    for (channel, mut plane) in result.axis_iter_mut(axis).enumerate().take(channels) {
        let [scale, bias, mean, variance] = [0, 1, 2, 3].map(|i| factors[i][channel]);
        let factor = scale / (variance + epsilon).sqrt();
        plane.mapv_inplace(|value| ((f64::from(value) - mean) * factor + bias) as f32);
    }
    Ok(vec![Tensor::Float(result)])
}
