//! Conv and ConvTranspose, as products of unrolled images (im2col) and filters.

use ndarray::{Array2, ArrayD, ArrayView2, ArrayView4, CowArray, Ix2, Ix4, IxDyn, s};
use rayon::prelude::*;

use super::super::context::Context;
use super::super::outputs::finish;
use super::super::products::{Operand, Operands};
use super::super::scales::Lines;
use super::pool::{Span, Window, window};
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// An image batch of two axes of places: one axis has another of length 1 before it.
fn planes(values: &ArrayD<f32>) -> Option<[usize; 4]> {
    match *values.shape() {
        [n, c, w] => Some([n, c, 1, w]),
        [n, c, h, w] => Some([n, c, h, w]),
        _ => None,
    }
}

/// Groups, the images, the filters, and whether they have one axis of places.
struct Shapes {
    groups: usize,
    x: [usize; 4],
    w: [usize; 4],
    flat: bool,
}

fn shapes(context: &Context<'_, '_>, x: &ArrayD<f32>, w: &ArrayD<f32>) -> Result<Shapes, Error> {
    let fail = || context.error(format!("shapes {:?} and {:?}", x.shape(), w.shape()));
    if x.ndim() != w.ndim() {
        return Err(fail());
    }
    let groups = usize::try_from(context.int("group", 1)?).unwrap_or(0);
    if groups == 0 {
        return Err(context.error("group has to be 1 or more"));
    }
    Ok(Shapes {
        groups,
        x: planes(x).ok_or_else(fail)?,
        w: planes(w).ok_or_else(fail)?,
        flat: x.ndim() == 3,
    })
}

fn bias<'t>(
    context: &Context<'_, '_>,
    inputs: &Inputs<'t>,
    channels: usize,
) -> Result<Option<&'t [f32]>, Error> {
    let Some(bias) = context.optional_floats(inputs, 2)? else {
        return Ok(None);
    };
    let values = bias.as_slice().filter(|values| values.len() == channels);
    let found = || {
        context.error(format!(
            "input 2 is {:?} for {channels} channels",
            bias.shape()
        ))
    };
    values.map(Some).ok_or_else(found)
}

pub(super) fn conv(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (x, w) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    let shapes = shapes(context, x, w)?;
    let ([batch, channels, height, width], [filters, depth, r, q]) = (shapes.x, shapes.w);
    let groups = shapes.groups;
    if channels != depth * groups || filters % groups != 0 {
        let found = format!("{channels} channels, {filters} filters of {depth}, {groups} groups");
        return Err(context.error(found));
    }
    let window = window(
        context.attributes(),
        [height, width],
        [r, q],
        shapes.flat,
        false,
    )?;
    let [rows, cols] = window.places;
    context.elements(&[batch, filters, rows, cols])?;
    context.elements(&[batch, rows, cols, depth, r, q])?;
    let bias = bias(context, inputs, filters)?;
    let constant = [0, 1].map(|place| context.constant.get(place) == Some(&true));
    let products = &mut *context.products;
    let pixels = products.whole(context.node, Lines::Rows, x, constant[0])?;
    let filter_codes = products.whole(context.node, Lines::Columns, w, constant[1])?;
    let shape = (batch, channels, height, width);
    let images = x.as_standard_layout();
    let weights = w.as_standard_layout();
    let weights = Operand::of(weights.view(), filter_codes.as_ref()).rows(filters, depth * r * q);
    let per_group = filters / groups;
    let places = rows * cols;
    let whole = groups == 1 && batch == 1;
    let mut result = match whole {
        true => Vec::new(),
        false => products.buffers.take(batch * filters * places),
    };
    for group in 0..groups {
        let first = group * per_group;
        let depths = group * depth..(group + 1) * depth;
        let (numbers, codes);
        let a = match &pixels {
            None => {
                numbers = unroll(planes_of(images.view(), shape, depths), &window);
                Operand::Numbers(numbers.view())
            }
            Some(whole) => {
                codes = unroll(planes_of(whole.codes.view(), shape, depths), &window);
                Operand::Codes(codes.view(), whole.scale)
            }
        };
        let operands = Operands {
            a,
            b: weights.some_rows(first..first + per_group).transposed(),
            bias: bias.map(|bias| bias[first..first + per_group].into()),
            index: group,
            channel: first,
            constant: constant[1],
        };
        let product = context.products.product(context.node, operands)?;
        let planes = turned(product);
        if whole {
            result = planes;
            continue;
        }
        // A line for each filter: images, then places.
        for (filter, line) in planes.chunks_exact((batch * places).max(1)).enumerate() {
            for (image, places_of_image) in line.chunks_exact(places.max(1)).enumerate() {
                let at = (image * filters + first + filter) * places;
                result[at..][..places].copy_from_slice(places_of_image);
            }
        }
    }
    let shape = IxDyn(&[batch, filters, rows, cols]);
    let result = ArrayD::from_shape_vec(shape, result).expect("a number a place");
    let result = finish(context, x, w, flatten(result, shapes.flat))?;
    Ok(vec![Tensor::Float(result)])
}

/// Some channels of images.
pub(crate) fn planes_of<'a, T>(
    images: ndarray::ArrayViewD<'a, T>,
    shape: (usize, usize, usize, usize),
    channels: std::ops::Range<usize>,
) -> ndarray::ArrayView4<'a, T> {
    let images = images.into_shape_with_order(shape);
    let images: ndarray::ArrayView<'a, T, Ix4> = images.expect("the same elements in C order");
    images.slice_move(s![.., channels, .., ..])
}

/// A row for each image and place, of channels.
fn rows_of_places<T: Copy>(images: ArrayView4<'_, T>) -> Array2<T> {
    let (batch, channels, height, width) = images.dim();
    let places = images.permuted_axes([0, 2, 3, 1]);
    let numbers = places.iter().copied().collect();
    Array2::from_shape_vec((batch * height * width, channels), numbers).expect("all elements")
}

/// Rows of places as planes of filters: as an engine stored them, or made by several threads.
fn turned(product: Array2<f32>) -> Vec<f32> {
    /// Planes that are written at a time: a cache line of each row that is read.
    const PLANES: usize = 16;
    let (places, filters) = product.dim();
    let product = product.reversed_axes();
    if product.is_standard_layout() || product.is_empty() {
        return product.into_raw_vec_and_offset().0;
    }
    let from = product.t();
    let from = from
        .as_slice()
        .expect("products are in one order or the other");
    let mut to = vec![0.0; from.len()];
    let blocks = to.par_chunks_mut(PLANES * places).enumerate();
    blocks.for_each(|(block, planes)| {
        for (place, row) in from.chunks_exact(filters).enumerate() {
            let row = &row[block * PLANES..];
            for (plane, &value) in planes.chunks_exact_mut(places).zip(row) {
                plane[place] = value;
            }
        }
    });
    to
}

/// Without the axis that one axis of places got.
fn flatten(result: ArrayD<f32>, flat: bool) -> ArrayD<f32> {
    match flat {
        true => result.index_axis_move(ndarray::Axis(2), 0),
        false => result,
    }
}

/// A row for each image and place: channels, then filter rows, then filter columns; outside, zeros,
/// whose code is 0 in every format of operands. It is stored by columns, where pixels that lie side by side
/// stay so; several threads make them.
pub(crate) fn unroll<'a, T: Copy + Default + Send + Sync>(
    images: ArrayView4<'a, T>,
    window: &Window,
) -> CowArray<'a, T, Ix2> {
    let (batch, depth, height, width) = images.dim();
    let [r, q] = window.kernel;
    let [rows, cols] = window.places;
    if batch == 1 && window.is_identity([height, width]) {
        let planes = images.into_shape_with_order((depth, height * width));
        let planes: ArrayView2<'a, T> = planes.expect("planes of one image");
        return planes.reversed_axes().into();
    }
    let terms = depth * r * q;
    let mut columns = Array2::from_elem((terms, batch * rows * cols), T::default());
    let images = images.as_standard_layout();
    let pixels = images.as_slice().expect("standard layout");
    let spans = |axis: usize, size: usize| -> Vec<Span> {
        let taps = 0..window.kernel[axis];
        taps.map(|tap| window.span(axis, tap, size)).collect()
    };
    let (down, along) = (spans(0, height), spans(1, width));
    let step = window.stride[1];
    let values = columns.as_slice_mut().expect("C order");
    let lines = values.par_chunks_exact_mut((batch * rows * cols).max(1));
    lines.enumerate().for_each(|(term, line)| {
        let (channel, i, j) = (term / (r * q), term / q % r, term % q);
        let (down, along) = (&down[i], &along[j]);
        let images = line.chunks_exact_mut((rows * cols).max(1)).enumerate();
        for (image, places) in images {
            let plane = &pixels[(image * depth + channel) * height * width..][..height * width];
            if window.stride == [1, 1] && cols == width {
                shifted(plane, places, width, (down, along));
                continue;
            }
            let tops = places.chunks_exact_mut(cols).skip(down.places.start);
            for (top, places) in tops.take(down.places.len()).enumerate() {
                let y = down.first + top * window.stride[0];
                let from = &plane[y * width + along.first.min(width)..(y + 1) * width];
                let to = &mut places[along.places.clone()];
                match step {
                    1 => to.copy_from_slice(&from[..to.len()]),
                    _ => {
                        for (to, &pixel) in to.iter_mut().zip(from.iter().step_by(step)) {
                            *to = pixel;
                        }
                    }
                }
            }
        }
    });
    columns.reversed_axes().into()
}

/// A plane that a window moves over place by place: all its rows in one move, and then zeros for what came from the
/// rows above or below.
fn shifted<T: Copy + Default>(
    plane: &[T],
    places: &mut [T],
    width: usize,
    (down, along): (&Span, &Span),
) {
    if down.places.is_empty() || along.places.is_empty() {
        return;
    }
    let whole = (down.places.len() - 1) * width + along.places.len();
    let first = down.places.start * width + along.places.start;
    let from = down.first * width + along.first;
    places[first..first + whole].copy_from_slice(&plane[from..from + whole]);
    let outside = width - along.places.len();
    for row in down.places.clone().skip(1) {
        places[row * width + along.places.start - outside..][..outside].fill(T::default());
    }
}

/// The product of places by channels with channels by filter places, added where filters overlap.
pub(super) fn conv_transpose(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (x, w) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    let shapes = shapes(context, x, w)?;
    let ([batch, channels, height, width], [depth, per_group, r, q]) = (shapes.x, shapes.w);
    let groups = shapes.groups;
    if channels != depth || channels % groups != 0 {
        let found = format!("{channels} channels, filters of {depth}, {groups} groups");
        return Err(context.error(found));
    }
    let window = window(
        context.attributes(),
        [height, width],
        [r, q],
        shapes.flat,
        true,
    )?;
    let [rows, cols] = window.places;
    let filters = per_group * groups;
    context.elements(&[batch, filters, rows, cols])?;
    context.elements(&[batch, height, width, per_group, r, q])?;
    let bias = bias(context, inputs, filters)?;
    let constant = [0, 1].map(|place| context.constant.get(place) == Some(&true));
    let products = &mut *context.products;
    let pixels = products.whole(context.node, Lines::Rows, x, constant[0])?;
    let filter_codes = products.whole(context.node, Lines::Columns, w, constant[1])?;
    let shape = (batch, channels, height, width);
    let images = x.as_standard_layout();
    let weights = w.as_standard_layout();
    let weights = Operand::of(weights.view(), filter_codes.as_ref());
    let weights = weights.rows(channels, per_group * r * q);
    let own = channels / groups;
    let mut result = ArrayD::zeros(IxDyn(&[batch, filters, rows, cols]));
    for group in 0..groups {
        let depths = group * own..(group + 1) * own;
        let (numbers, codes);
        let a = match &pixels {
            None => {
                numbers = rows_of_places(planes_of(images.view(), shape, depths.clone()));
                Operand::Numbers(numbers.view())
            }
            Some(whole) => {
                codes = rows_of_places(planes_of(whole.codes.view(), shape, depths.clone()));
                Operand::Codes(codes.view(), whole.scale)
            }
        };
        let operands = Operands {
            a,
            b: weights.some_rows(depths),
            bias: None,
            index: group,
            channel: group * per_group * r * q,
            constant: constant[1],
        };
        let product = context.products.product(context.node, operands)?;
        for (index, row) in product.outer_iter().enumerate() {
            let (image, place) = (index / (height * width), index % (height * width));
            let (top, left) = (place / width, place % width);
            for (term, &value) in row.iter().enumerate() {
                let (filter, i, j) = (term / (r * q), term / q % r, term % q);
                let to = (
                    window.target(0, top, i, rows),
                    window.target(1, left, j, cols),
                );
                if let (Some(y), Some(x)) = to {
                    result[[image, group * per_group + filter, y, x]] += value;
                }
            }
        }
    }
    if let Some(bias) = bias {
        for mut image in result.outer_iter_mut() {
            for (mut plane, &bias) in image.outer_iter_mut().zip(bias) {
                plane += bias;
            }
        }
    }
    let result = finish(context, x, w, flatten(result, shapes.flat))?;
    Ok(vec![Tensor::Float(result)])
}
