//! Pools.

use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

use super::{Gradients, Step};
use crate::Error;
use crate::graph::operators::pool::{Pooled, pooled};

/// One window: the places inside the plane, how many it covers with pads, the plane's numbers, the
/// gradient of the window's result, and that of the plane.
type Spread = fn(&[usize], usize, &[f32], f32, &mut [f32]);

/// The gradient of each plane from those of its windows, in the order of windows.
fn windows(step: &Step<'_>, upstream: &ArrayD<f32>, spread: Spread) -> Result<Gradients, Error> {
    let x = step.floats(0)?;
    let Pooled {
        window,
        shape: [_, _, height, width],
        ..
    } = pooled(step.attributes(), x.shape())?;
    let [rows, cols] = window.places;
    let (x_values, upstream) = (x.as_standard_layout(), upstream.as_standard_layout());
    let slices = x_values.as_slice().zip(upstream.as_slice());
    let (numbers, gradients) = slices.expect("standard layout");
    let (plane, places) = ((height * width).max(1), (rows * cols).max(1));
    let mut result = vec![0.0; numbers.len()];
    let planes = result.par_chunks_exact_mut(plane);
    let planes = planes.zip(numbers.par_chunks_exact(plane));
    let planes = planes.zip(gradients.par_chunks_exact(places));
    planes.for_each(|((to, numbers), gradients)| {
        for (place, &gradient) in gradients.iter().enumerate() {
            let (top, left) = (place / cols, place % cols);
            let ys = (0..window.kernel[0]).filter_map(|i| window.source(0, top, i, height));
            let inside = ys.flat_map(|y| {
                let xs = (0..window.kernel[1]).filter_map(|j| window.source(1, left, j, width));
                xs.map(move |x| y * width + x)
            });
            let inside: Vec<usize> = inside.collect();
            let covered = window.covered([top, left], [height, width]);
            spread(&inside, covered, numbers, gradient, to);
        }
    });
    let result = ArrayD::from_shape_vec(IxDyn(x.shape()), result).expect("a number each");
    step.each(|_| Ok(result.clone()))
}

/// To the largest number, of equals the first.
pub(super) fn max(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    windows(step, upstream, |inside, _, numbers, gradient, to| {
        let larger = |a: usize, b: usize| if numbers[b] > numbers[a] { b } else { a };
        if let Some(place) = inside.iter().copied().reduce(larger) {
            to[place] += gradient;
        }
    })
}

/// In equal parts to the numbers inside.
pub(super) fn average(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    let with_pads = step.attributes().int("count_include_pad", 0)? != 0;
    let spread: Spread = match with_pads {
        true => |inside, covered, _, gradient, to| share(inside, covered, gradient, to),
        false => |inside, _, _, gradient, to| share(inside, inside.len(), gradient, to),
    };
    windows(step, upstream, spread)
}

fn share(inside: &[usize], count: usize, gradient: f32, to: &mut [f32]) {
    let part = (f64::from(gradient) / count as f64) as f32;
    inside.iter().for_each(|&place| to[place] += part);
}

pub(super) fn global_average(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    let x = step.floats(0)?;
    let count: usize = x.shape().iter().skip(2).product();
    let part = upstream.mapv(|gradient| (f64::from(gradient) / count as f64) as f32);
    let part = part.broadcast(x.raw_dim());
    let part = part.ok_or_else(|| step.error("a result that does not fit its input"))?;
    step.each(|_| Ok(part.to_owned()))
}
