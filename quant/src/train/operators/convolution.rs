//! Conv over two axes of places, as the product that it is: unrolled images by filters.

use ndarray::{Array2, Array4, ArrayD, ArrayView2, Ix4, s};
use rayon::prelude::*;

use super::super::arithmetic::sum;
use super::super::gradient::{Place, operand};
use super::product::both;
use super::{Gradients, Step};
use crate::Error;
use crate::graph::operators::convolution::{planes_of, unroll};
use crate::graph::operators::pool::{Window, window};
use crate::graph::scales::Lines;

/// The gradient of a group's images from that of their unrolled rows: what lies under several windows
/// takes their parts in the order of rows. Images are independent, and made by several threads.
fn fold(rows: &Array2<f32>, window: &Window, shape: [usize; 4]) -> Array4<f32> {
    let [_, depth, height, width] = shape;
    let ([r, q], [tops, lefts]) = (window.kernel, window.places);
    let mut images = Array4::zeros(shape);
    let size = (depth * height * width).max(1);
    let values = images.as_slice_mut().expect("C order");
    values
        .par_chunks_exact_mut(size)
        .enumerate()
        .for_each(|(image, to)| {
            for place in 0..tops * lefts {
                let row = rows.row(image * tops * lefts + place);
                for (term, &gradient) in row.iter().enumerate() {
                    let (channel, i, j) = (term / (r * q), term / q % r, term % q);
                    let y = window.source(0, place / lefts, i, height);
                    let x = window.source(1, place % lefts, j, width);
                    if let Some((y, x)) = y.zip(x) {
                        to[(channel * height + y) * width + x] += gradient;
                    }
                }
            }
        });
    images
}

/// A row for each image and place, a column for each channel.
fn rows_of_places(images: ndarray::ArrayView4<'_, f32>) -> Array2<f32> {
    let (batch, channels, height, width) = images.dim();
    let numbers = images.permuted_axes([0, 2, 3, 1]).iter().copied().collect();
    Array2::from_shape_vec((batch * height * width, channels), numbers).expect("all elements")
}

pub(super) fn conv(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    let (x, w) = (step.floats(0)?, step.floats(1)?);
    let (&[batch, channels, height, width], &[filters, depth, r, q]) = (x.shape(), w.shape())
    else {
        let found = format!("shapes {:?} and {:?}", x.shape(), w.shape());
        let allowed = "two axes of places, where they are trained";
        return Err(step.error(format!("{found} are not supported ({allowed})")));
    };
    let window = window(step.attributes(), [height, width], [r, q], false, false)?;
    // The run saw that groups divide channels and filters.
    let groups = channels / depth.max(1);
    let per_group = filters / groups.max(1);
    let upstream_view = upstream.view().into_dimensionality::<Ix4>();
    let upstream_view =
        upstream_view.map_err(|_| step.error("a result without two axes of places"))?;
    let (images, weights) = (x.as_standard_layout(), w.as_standard_layout());
    let weights = weights.to_shape((filters, depth * r * q));
    let weights = weights.expect("the same elements");
    let wanted = [step.wants(0), step.wants(1)];
    let mut first = wanted[0].then(|| Array4::<f32>::zeros((batch, channels, height, width)));
    let mut second = wanted[1].then(|| Array2::<f32>::zeros((filters, depth * r * q)));
    for group in 0..groups {
        let own = group * per_group..(group + 1) * per_group;
        let depths = group * depth..(group + 1) * depth;
        let shape = (batch, channels, height, width);
        let rows = unroll(planes_of(images.view(), shape, depths.clone()), &window);
        let columns: ArrayView2<'_, f32> = weights.slice(s![own.clone(), ..]).reversed_axes();
        let place = Place {
            lines: Lines::Columns,
            channel: own.start,
        };
        let a = operand(step.plan, Place::FIRST, rows.view(), x.view())?;
        let b = operand(step.plan, place, columns, w.view())?;
        let gradient = rows_of_places(upstream_view.slice(s![.., own.clone(), .., ..]));
        let [a, b] = both((&a, &b), gradient.view(), wanted);
        if let (Some(first), Some(a)) = (&mut first, a) {
            let folded = fold(&a, &window, [batch, depth, height, width]);
            first.slice_mut(s![.., depths, .., ..]).assign(&folded);
        }
        if let (Some(second), Some(b)) = (&mut second, b) {
            second.slice_mut(s![own, ..]).assign(&b.t());
        }
    }
    let second = second.map(|values| super::reshaped(&values.into_dyn(), w.shape()));
    let bias = step.wants(2).then(|| {
        let places = rows_of_places(upstream_view).into_dyn();
        sum(&places, 0)
    });
    Ok(vec![first.map(Array4::into_dyn), second, bias])
}
