//! Add, Relu, and BatchNormalization with its running mean and variance.

use ndarray::{ArrayD, IxDyn, Zip};

use super::super::arithmetic::reduced;
use super::{Gradients, Step};
use crate::Error;

pub(super) fn add(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    step.each(|place| Ok(reduced(upstream, step.floats(place)?.shape())))
}

/// 1 above 0; 0 elsewhere, at 0 too.
pub(super) fn relu(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    let x = step.floats(0)?;
    let gradient = |&g: &f32, &x: &f32| if x > 0.0 { g } else { 0.0 };
    step.each(|_| Ok(Zip::from(upstream).and(x).map_collect(gradient)))
}

/// `scale * (x - mean) / sqrt(variance + epsilon) + bias` with constants for mean and variance. Factors
/// are binary64; sums over images and places are binary64 in C order.
pub(super) fn batch_normalisation(
    step: &Step<'_>,
    upstream: &ArrayD<f32>,
) -> Result<Gradients, Error> {
    if step.wants(3) || step.wants(4) {
        return Err(step.error("mean and variance have to be constants that nothing else trains"));
    }
    let x = step.floats(0)?.as_standard_layout();
    let epsilon = f64::from(step.attributes().float("epsilon", 1e-5)?);
    let (scale, mean, variance) = (step.floats(1)?, step.floats(3)?, step.floats(4)?);
    let channels = scale.len();
    let places: usize = x.shape().iter().skip(2).product();
    let mut gradient = upstream.as_standard_layout().into_owned();
    let numbers = gradient.as_slice_mut().expect("standard layout");
    let x = x.as_slice().expect("standard layout");
    let mut sums = vec![[0.0f64; 2]; channels];
    let planes = numbers.chunks_exact_mut(places.max(1));
    for (plane, (gradient, x)) in planes.zip(x.chunks_exact(places.max(1))).enumerate() {
        let channel = plane % channels;
        let [scale, mean, variance] = [scale, mean, variance]
            .map(|list| f64::from(list.as_slice().map_or(0.0, |l| l[channel])));
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for (gradient, &x) in gradient.iter_mut().zip(x) {
            let g = f64::from(*gradient);
            sums[channel][0] += g * ((f64::from(x) - mean) * inverse);
            sums[channel][1] += g;
            *gradient = (g * (scale * inverse)) as f32;
        }
    }
    let list = |kind: usize| sums.iter().map(|sums| sums[kind] as f32).collect();
    let list = |kind: usize| ArrayD::from_shape_vec(IxDyn(&[channels]), list(kind));
    step.each(|place| {
        Ok(match place {
            0 => gradient.clone(),
            place => list(place - 1).expect("one a channel"),
        })
    })
}
