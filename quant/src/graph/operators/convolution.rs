//! Conv and ConvTranspose, as products of unrolled images (im2col) and filters.

use ndarray::{Array2, ArrayD, ArrayView4, Ix4, IxDyn, s};
use rayon::prelude::*;

use super::super::context::Context;
use super::super::outputs::finish;
use super::super::products::{Operand, Operands};
use super::super::scales::Lines;
use super::pool::{Window, window};
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
    let mut result = products.buffers.take(batch * filters * places);
    for group in 0..groups {
        let first = group * per_group;
        let depths = group * depth..(group + 1) * depth;
        let (numbers, codes);
        let a = match &pixels {
            None => {
                numbers = unroll(&planes_of(images.view(), shape, depths), &window);
                Operand::Numbers(numbers.view())
            }
            Some(whole) => {
                codes = unroll(&planes_of(whole.codes.view(), shape, depths), &window);
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
        // Rows are images, then places; columns are filters.
        let numbers = product.as_slice().expect("products are in C order");
        for image in 0..batch {
            let from = &numbers[image * places * per_group..][..places * per_group];
            let to = &mut result[(image * filters + first) * places..][..per_group * places];
            turn(from, to, places);
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

/// Rows of places to planes of filters, which several threads share.
fn turn(from: &[f32], to: &mut [f32], places: usize) {
    /// Planes that are written at a time: a cache line of each row that is read.
    const PLANES: usize = 16;
    if from.is_empty() {
        return;
    }
    let filters = from.len() / places;
    let blocks = to.par_chunks_mut(PLANES * places).enumerate();
    blocks.for_each(|(block, planes)| {
        for (place, row) in from.chunks_exact(filters).enumerate() {
            let row = &row[block * PLANES..];
            for (plane, &value) in planes.chunks_exact_mut(places).zip(row) {
                plane[place] = value;
            }
        }
    });
}

/// Without the axis that one axis of places got.
fn flatten(result: ArrayD<f32>, flat: bool) -> ArrayD<f32> {
    match flat {
        true => result.index_axis_move(ndarray::Axis(2), 0),
        false => result,
    }
}

/// Where the pixels under a filter row are.
enum Source {
    /// Side by side, from there on.
    Run(usize),
    /// One by one; `None` outside.
    Each(Vec<Option<usize>>),
}

/// Puts the pixels under one filter row into every place's terms, from `first` on. `Q` is the row's length,
/// so that a run of pixels is one move; 0: any, without runs.
fn fill<const Q: usize, T: Copy>(
    line: &mut [T],
    terms: usize,
    first: usize,
    pixels: &[T],
    sources: &[Source],
) {
    for (place, source) in line.chunks_exact_mut(terms).zip(sources) {
        let to = &mut place[first..];
        match source {
            Source::Run(at) => {
                let from: &[T; Q] = pixels[*at..].first_chunk().expect("pixels of the run");
                *to.first_chunk_mut().expect("terms of the run") = *from;
            }
            Source::Each(columns) => {
                for (to, column) in to.iter_mut().zip(columns) {
                    if let Some(x) = *column {
                        *to = pixels[x];
                    }
                }
            }
        }
    }
}

/// A row for each image and place: channels, then filter rows, then filter columns; outside, zeros,
/// whose code is 0 in every format of operands.
/// Rows are independent, and made by several threads.
pub(crate) fn unroll<T: Copy + Default + Send + Sync>(
    images: &ArrayView4<'_, T>,
    window: &Window,
) -> Array2<T> {
    let (batch, depth, height, width) = images.dim();
    let [r, q] = window.kernel;
    let [rows, cols] = window.places;
    let terms = depth * r * q;
    let mut a = Array2::from_elem((batch * rows * cols, terms), T::default());
    let images = images.as_standard_layout();
    let pixels = images.as_slice().expect("standard layout");
    // Where each filter row comes from, for every place along the width.
    let sources: Vec<Source> = (0..cols)
        .map(|left| {
            let columns = (0..q).map(|j| window.source(1, left, j, width));
            let columns: Vec<Option<usize>> = columns.collect();
            match columns.first() {
                Some(&Some(first))
                    if matches!(q, 1 | 3 | 7)
                        && columns.iter().copied().eq((first..first + q).map(Some)) =>
                {
                    Source::Run(first)
                }
                _ => Source::Each(columns),
            }
        })
        .collect();
    let values = a.as_slice_mut().expect("C order");
    let lines = values.par_chunks_exact_mut((cols * terms).max(1));
    lines.enumerate().for_each(|(index, line)| {
        let (image, top) = (index / rows, index % rows);
        for channel in 0..depth {
            let plane = &pixels[(image * depth + channel) * height * width..][..height * width];
            for i in 0..r {
                let Some(y) = window.source(0, top, i, height) else {
                    continue;
                };
                let pixels = &plane[y * width..][..width];
                let first = (channel * r + i) * q;
                match q {
                    1 => fill::<1, T>(line, terms, first, pixels, &sources),
                    3 => fill::<3, T>(line, terms, first, pixels, &sources),
                    7 => fill::<7, T>(line, terms, first, pixels, &sources),
                    _ => fill::<0, T>(line, terms, first, pixels, &sources),
                }
            }
        }
    });
    a
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
