//! Windows over images, and the pools.

use std::ops::Range;

use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

use super::super::context::{Attributes, Context, MOST_ELEMENTS};
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// How a window moves over two axes of places.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    dilation: [usize; 2],
    /// Before each axis.
    pad: [usize; 2],
    /// Places of the result.
    pub(crate) places: [usize; 2],
}

impl Window {
    /// The element under the window at `place` at its own position `i`, if it is inside.
    pub(crate) fn source(
        &self,
        axis: usize,
        place: usize,
        i: usize,
        length: usize,
    ) -> Option<usize> {
        let at =
            (place * self.stride[axis] + i * self.dilation[axis]).checked_sub(self.pad[axis])?;
        (at < length).then_some(at)
    }

    /// The places at which the window's own position `i` is inside.
    pub(crate) fn span(&self, axis: usize, i: usize, length: usize) -> Span {
        let source = |place: usize| self.source(axis, place, i, length);
        let start = (0..self.places[axis]).find(|&place| source(place).is_some());
        let Some((start, first)) = start.and_then(|place| Some((place, source(place)?))) else {
            return Span {
                places: 0..0,
                first: 0,
            };
        };
        let end = (start..self.places[axis]).rfind(|&place| source(place).is_some());
        Span {
            places: start..end.map_or(start, |place| place + 1),
            first,
        }
    }

    /// Whether every place has the element of its own.
    pub(crate) fn is_identity(&self, size: [usize; 2]) -> bool {
        let ones = [self.kernel, self.stride].concat();
        ones.into_iter().all(|n| n == 1) && self.pad == [0; 2] && self.places == size
    }

    /// Places under the window, pads included, but not what a rounded-up window has behind them.
    pub(crate) fn covered(&self, place: [usize; 2], length: [usize; 2]) -> usize {
        let along = |axis: usize| {
            let end = length[axis] + 2 * self.pad[axis];
            let at = |i: usize| place[axis] * self.stride[axis] + i * self.dilation[axis];
            (0..self.kernel[axis]).filter(|&i| at(i) < end).count()
        };
        along(0) * along(1)
    }

    /// Where the window at `place` of a transposed convolution puts its own position `i`.
    pub(super) fn target(
        &self,
        axis: usize,
        place: usize,
        i: usize,
        length: usize,
    ) -> Option<usize> {
        self.source(axis, place, i, length)
    }
}

/// Places at which a position under the window is inside, and the element that it has at the first of them; from
/// place to place it moves by the window's stride.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) places: Range<usize>,
    pub(crate) first: usize,
}

/// Reads a window's attributes. With `flat` there is one axis, the second; the first is 1 long.
/// `transposed`: the window of a transposed convolution.
pub(crate) fn window(
    context: Attributes<'_>,
    size: [usize; 2],
    kernel: [usize; 2],
    flat: bool,
    transposed: bool,
) -> Result<Window, Error> {
    let axes = if flat { 1 } else { 2 };
    let list = |name: &str, default: usize, least: usize, length: usize| {
        let values = match context.ints(name)? {
            None => return Ok(vec![default; length]),
            Some(values) => values,
        };
        let lengths: Option<Vec<usize>> = values
            .iter()
            .map(|&n| {
                usize::try_from(n)
                    .ok()
                    .filter(|n| (least..=MOST_ELEMENTS).contains(n))
            })
            .collect();
        lengths
            .filter(|lengths| lengths.len() == length)
            .ok_or_else(|| context.error(format!("attribute {name} = {values:?} for {axes} axes")))
    };
    let pair = |name: &str, default| -> Result<[usize; 2], Error> {
        let values = list(name, default, usize::from(default > 0), axes)?;
        Ok(if flat {
            [default, values[0]]
        } else {
            [values[0], values[1]]
        })
    };
    if let Some(declared) = context.ints("kernel_shape")? {
        let own = if flat { &kernel[1..] } else { &kernel[..] };
        if !declared.iter().map(|&n| n as usize).eq(own.iter().copied()) {
            let found = format!("kernel_shape {declared:?}, but the filters are {own:?}");
            return Err(context.error(found));
        }
    }
    let (stride, dilation) = (pair("strides", 1)?, pair("dilations", 1)?);
    let reach = [0, 1].map(|axis| (kernel[axis].max(1) - 1).saturating_mul(dilation[axis]) + 1);
    let auto = context.text("auto_pad", "NOTSET")?;
    context.only(
        "auto_pad",
        &auto,
        &["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"],
    )?;
    let [mut before, mut after] = match auto.as_str() {
        "NOTSET" => {
            let pads = list("pads", 0, 0, 2 * axes)?;
            match flat {
                true => [[0, pads[0]], [0, pads[1]]],
                false => [[pads[0], pads[1]], [pads[2], pads[3]]],
            }
        }
        _ => [[0; 2]; 2],
    };
    if transposed {
        let extra = pair("output_padding", 0)?;
        let full = [0, 1].map(|axis| {
            let steps = size[axis].max(1) - 1;
            steps
                .saturating_mul(stride[axis])
                .saturating_add(extra[axis] + reach[axis])
        });
        let wanted = match context.ints("output_shape")? {
            None if auto.starts_with("SAME") => Some([0, 1].map(|axis| size[axis] * stride[axis])),
            None => None,
            Some(shape) => {
                let own: Vec<usize> = shape
                    .iter()
                    .map(|&n| usize::try_from(n).unwrap_or(0))
                    .collect();
                match own.as_slice() {
                    [.., h, w] if !flat => Some([*h, *w]),
                    [.., w] if flat => Some([1, *w]),
                    _ => return Err(context.error(format!("output_shape {shape:?}"))),
                }
            }
        };
        let mut places = [0; 2];
        for axis in 0..2 {
            // What is longer than the windows reach is not padded, and zeros.
            if let Some(wanted) = wanted {
                let total = full[axis].saturating_sub(wanted[axis]);
                let half = total / 2;
                let upper = auto == "SAME_UPPER";
                before[axis] = if upper { half } else { total - half };
                after[axis] = total - before[axis];
            }
            let cut = before[axis] + after[axis];
            let length = match wanted {
                Some(wanted) => Some(wanted[axis]),
                None => full[axis].checked_sub(cut),
            };
            let length = length.filter(|&n| n <= MOST_ELEMENTS);
            let fail = || context.error(format!("pads of {cut} for {}", full[axis]));
            places[axis] = length.ok_or_else(fail)?;
        }
        return Ok(Window {
            kernel,
            stride,
            dilation,
            pad: before,
            places,
        });
    }
    let mut places = [0; 2];
    let ceil = context.int("ceil_mode", 0)? != 0;
    for axis in 0..2 {
        if auto.starts_with("SAME") {
            places[axis] = size[axis].div_ceil(stride[axis]);
            let covered = (places[axis].max(1) - 1) * stride[axis] + reach[axis];
            let total = covered.saturating_sub(size[axis]);
            let half = total / 2;
            before[axis] = if auto == "SAME_UPPER" {
                half
            } else {
                total - half
            };
            after[axis] = total - before[axis];
            continue;
        }
        let padded = size[axis]
            .saturating_add(before[axis])
            .saturating_add(after[axis]);
        let room = padded.checked_sub(reach[axis]).ok_or_else(|| {
            context.error(format!("a window of {} over {padded} places", reach[axis]))
        })?;
        places[axis] = 1 + if ceil {
            // A window that would begin behind the image and its first pad is none.
            let last = room.div_ceil(stride[axis]);
            if last * stride[axis] >= size[axis] + before[axis] {
                last.max(1) - 1
            } else {
                last
            }
        } else {
            room / stride[axis]
        };
    }
    Ok(Window {
        kernel,
        stride,
        dilation,
        pad: before,
        places,
    })
}

/// The images of a pool, and its window.
pub(crate) struct Pooled {
    pub(crate) window: Window,
    /// Whether there is one axis of places.
    flat: bool,
    /// Batch, channels, height and width.
    pub(crate) shape: [usize; 4],
}

/// Reads a pool's attributes for images of that shape.
pub(crate) fn pooled(context: Attributes<'_>, shape: &[usize]) -> Result<Pooled, Error> {
    let (flat, shape) = match *shape {
        [n, c, w] => (true, [n, c, 1, w]),
        [n, c, h, w] => (false, [n, c, h, w]),
        _ => return Err(context.error(format!("shape {shape:?}"))),
    };
    let kernel = context.ints("kernel_shape")?.unwrap_or_default();
    let kernel: Vec<usize> = kernel
        .iter()
        .map(|&n| usize::try_from(n).unwrap_or(0))
        .collect();
    let kernel = match (flat, kernel.as_slice()) {
        (true, &[w]) if w > 0 => [1, w],
        (false, &[h, w]) if h > 0 && w > 0 => [h, w],
        _ => return Err(context.error(format!("kernel_shape {kernel:?}"))),
    };
    let window = window(context, [shape[2], shape[3]], kernel, flat, false)?;
    Ok(Pooled {
        window,
        flat,
        shape,
    })
}

/// What a pool makes of each window: its FP32 numbers added up by `add`, row by row, from `start` on; then `end` of
/// that, of how many there were, and of how many places the window has with pads.
fn pool<T: Copy + Send + Sync>(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    start: T,
    add: impl Fn(T, f32) -> T + Sync,
    end: impl Fn(T, usize, usize) -> f32 + Sync,
) -> Result<Vec<Tensor>, Error> {
    let x = context.floats(inputs, 0)?;
    let Pooled {
        window,
        flat,
        shape: [batch, channels, height, width],
    } = pooled(context.attributes(), x.shape())?;
    let [rows, cols] = window.places;
    let images = x.as_standard_layout();
    let images = images.as_slice().expect("standard layout");
    let taps = 0..window.kernel[1];
    let along: Vec<Span> = taps.map(|j| window.span(1, j, width)).collect();
    let inside = |left: usize| {
        along
            .iter()
            .filter(|span| span.places.contains(&left))
            .count()
    };
    let inside: Vec<usize> = (0..cols).map(inside).collect();
    let mut result = vec![0.0; batch * channels * rows * cols];
    let planes = result.par_chunks_exact_mut((rows * cols).max(1));
    planes.enumerate().for_each(|(index, results)| {
        let plane = &images[index * height * width..][..height * width];
        let mut sums = vec![start; cols];
        for (top, results) in results.chunks_exact_mut(cols).enumerate() {
            sums.fill(start);
            let ys = (0..window.kernel[0]).filter_map(|i| window.source(0, top, i, height));
            let mut count = 0;
            for y in ys {
                count += 1;
                let row = &plane[y * width..][..width];
                for span in &along {
                    let values = row[span.first.min(width)..]
                        .iter()
                        .step_by(window.stride[1]);
                    for (sum, &value) in sums[span.places.clone()].iter_mut().zip(values) {
                        *sum = add(*sum, value);
                    }
                }
            }
            for (left, (result, &sum)) in results.iter_mut().zip(&sums).enumerate() {
                let whole = window.covered([top, left], [height, width]);
                *result = end(sum, count * inside[left], whole);
            }
        }
    });
    let shape: &[usize] = if flat {
        &[batch, channels, cols]
    } else {
        &[batch, channels, rows, cols]
    };
    let result = ArrayD::from_shape_vec(IxDyn(shape), result).expect("a number a window");
    Ok(vec![Tensor::Float(result)])
}

pub(super) fn max(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    if context
        .node
        .outputs
        .get(1)
        .is_some_and(|name| !name.is_empty())
    {
        return Err(context.error("indices are not supported"));
    }
    let larger = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
    pool(context, inputs, f32::NEG_INFINITY, larger, |value, _, _| {
        value
    })
}

pub(super) fn average(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let with_pads = context.int("count_include_pad", 0)? != 0;
    let add = |sum: f64, value: f32| sum + f64::from(value);
    pool(context, inputs, 0.0f64, add, |sum, inside, whole| {
        (sum / if with_pads { whole } else { inside } as f64) as f32
    })
}

pub(super) fn global_average(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let x = context.floats(inputs, 0)?;
    if x.ndim() < 3 {
        return Err(context.error(format!("shape {:?}", x.shape())));
    }
    let (outer, places) = x.shape().split_at(2);
    let count: usize = places.iter().product();
    let values = x.as_standard_layout();
    let values = values.as_slice().expect("standard layout");
    let mean =
        |plane: &[f32]| (plane.iter().map(|&v| f64::from(v)).sum::<f64>() / count as f64) as f32;
    let means: Vec<f32> = match count {
        0 => vec![f32::NAN; outer.iter().product()],
        count => values.chunks_exact(count).map(mean).collect(),
    };
    let mut shape = outer.to_vec();
    shape.resize(x.ndim(), 1);
    let result = ArrayD::from_shape_vec(IxDyn(&shape), means).expect("a mean a plane");
    Ok(vec![Tensor::Float(result)])
}
