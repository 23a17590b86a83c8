//! Softmax and normalisations. Sums are binary64, so that their order does not show in FP32.

use ndarray::{ArrayD, Axis};
use quaver_fast::Loop;

use super::super::context::Context;
use super::super::spread;
use super::functions::exp;
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
    let mut result = copied(context, values);
    if old {
        let length: usize = values.shape()[axis..].iter().product();
        let numbers = result.as_slice_mut().expect("standard layout");
        spread::lines(numbers, length, |_, line| soften(line));
        return Ok(vec![Tensor::Float(result)]);
    }
    if axis + 1 == values.ndim() {
        let numbers = result.as_slice_mut().expect("standard layout");
        spread::lines(numbers, values.len_of(Axis(axis)), |_, line| soften(line));
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

/// A copy of the numbers in C order.
fn copied(context: &mut Context<'_, '_>, values: &ArrayD<f32>) -> ArrayD<f32> {
    let from = values.as_standard_layout();
    let mut to = context.products.buffers.take(from.len());
    spread::map(from.as_slice().expect("standard layout"), &mut to, |x| x);
    ArrayD::from_shape_vec(values.raw_dim(), to).expect("a number for each")
}

/// Softmax of a line, where it is.
pub(super) fn soften(line: &mut [f32]) {
    spread::vectorised(Soften(line));
}

struct Soften<'l>(&'l mut [f32]);

impl Loop for Soften<'_> {
    #[inline(always)]
    fn run(self) {
        let line = self.0;
        let (whole, rest) = line.as_chunks::<8>();
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        let mut lanes = [f32::NEG_INFINITY; 8];
        for values in whole {
            for (lane, &value) in lanes.iter_mut().zip(values) {
                *lane = larger(*lane, value);
            }
        }
        let largest = lanes
            .iter()
            .chain(rest)
            .copied()
            .fold(f32::NEG_INFINITY, larger);
        for value in &mut *line {
            *value = exp(*value - largest);
        }
        let inverse = 1.0 / spread::sum(line, f64::from);
        for value in line {
            *value = (f64::from(*value) * inverse) as f32;
        }
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
    let bias = bias.unwrap_or_else(|| vec![0.0; length]);
    let normal = |line: &[f32]| {
        let (mean, variance) = moments(line);
        (mean, 1.0 / (variance + epsilon).sqrt())
    };
    let mut result = copied(context, values);
    let numbers = result.as_slice_mut().expect("standard layout");
    spread::lines(numbers, length, |_, line| {
        let (mean, inverse) = normal(line);
        for ((value, &scale), &bias) in line.iter_mut().zip(&scale).zip(&bias) {
            *value = ((f64::from(*value) - mean) * inverse) as f32 * scale + bias;
        }
    });
    let mut outputs = vec![Tensor::Float(result)];
    if context.node.outputs.len() > 1 {
        let mut shape = values.shape().to_vec();
        shape[axis..].fill(1);
        let values = values.as_standard_layout();
        let numbers = values.as_slice().expect("standard layout");
        let lines = numbers.chunks_exact(length.max(1)).map(normal);
        let (means, deviations) = lines
            .map(|(mean, inverse)| (mean as f32, inverse as f32))
            .unzip();
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
    let mean = spread::sum(line, f64::from) / count;
    let squares = spread::sum(line, |value| (f64::from(value) - mean).powi(2));
    (mean, squares / count)
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
    let mut result = copied(context, values);
    let places = values.shape().iter().skip(2).product();
    let numbers = result.as_slice_mut().expect("standard layout");
    spread::lines(numbers, places, |plane, line| {
        let channel = plane % channels;
        let [scale, bias, mean, variance] = [0, 1, 2, 3].map(|i| factors[i][channel]);
        let factor = scale / (variance + epsilon).sqrt();
        for value in line {
            *value = ((f64::from(*value) - mean) * factor + bias) as f32;
        }
    });
    Ok(vec![Tensor::Float(result)])
}
