//! Constant weights as codes: their scales by the plan, and the codes by the fast engine.

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, arr0};

use super::builder::Builder;
use super::scale::Pair;
use crate::onnx::Attribute;
use crate::plan::{Quantiser, ScalePlan};
use crate::scale::{Codec, max_value};
use crate::{Error, Tensor};

/// Which elements of a weight are one column of the product, and which one product.
pub(crate) enum Columns {
    /// The columns lie along this axis; the axes of products come before (a batch).
    Along {
        /// The axis of the columns.
        axis: usize,
        /// How many axes a batch has.
        batch: usize,
    },
    /// Filters along axis 0, in so many groups.
    Filters(usize),
    /// A column is an element of all axes but the first, which so many groups divide.
    Elements(usize),
}

/// A dynamic scale, as a run would find it.
fn dynamic(values: ArrayViewD<'_, f32>, largest: f32) -> f32 {
    let magnitude = |value: &f32| if value.is_finite() { value.abs() } else { 0.0 };
    let scale = values.iter().map(magnitude).fold(0.0, f32::max) / largest;
    if scale == 0.0 { 1.0 } else { scale }
}

/// Dynamic scales over some axes, which have length 1 in the result.
fn over(values: ArrayViewD<'_, f32>, axes: &[usize], largest: f32) -> ArrayD<f32> {
    let shape: Vec<usize> = (0..values.ndim())
        .map(|axis| {
            if axes.contains(&axis) {
                1
            } else {
                values.shape()[axis]
            }
        })
        .collect();
    ArrayD::from_shape_fn(IxDyn(&shape), |index| {
        let mut part = values.view();
        for axis in 0..shape.len() {
            if !axes.contains(&axis) {
                let at = index[axis];
                part.slice_axis_inplace(Axis(axis), (at..=at).into());
            }
        }
        dynamic(part, largest)
    })
}

/// The scales of a weight, in a shape that broadcasts to its own.
pub(crate) fn scales(
    values: &ArrayD<f32>,
    quantiser: &Quantiser,
    columns: &Columns,
) -> Result<ArrayD<f32>, Error> {
    let largest = max_value(quantiser.conversion.format);
    let rank = values.ndim();
    let own = |given: &[f32], count: usize| {
        let own = given.get(..count).map(<[f32]>::to_vec);
        own.ok_or_else(|| {
            let allowed = format!("one for each of {count} output channels");
            Error::illegal("scales", given.len(), allowed)
        })
    };
    let shaped = |shape: &[usize], list: Vec<f32>| {
        ArrayD::from_shape_vec(IxDyn(shape), list).expect("as many as the shape has")
    };
    if let ScalePlan::Tensor(scale) = quantiser.scale {
        return Ok(arr0(scale).into_dyn());
    }
    if quantiser.scale == ScalePlan::DynamicTensor {
        return Ok(arr0(dynamic(values.view(), largest)).into_dyn());
    }
    Ok(match *columns {
        Columns::Along { axis, batch } => match &quantiser.scale {
            ScalePlan::Channels(given) => {
                let count = if rank < 2 { 1 } else { values.shape()[axis] };
                let mut shape = vec![1; rank];
                if rank >= 2 {
                    shape[axis] = count;
                }
                shaped(&shape, own(given, count)?)
            }
            ScalePlan::DynamicLines if rank >= 2 => {
                let axes: Vec<usize> = (batch..rank).filter(|&x| x != axis).collect();
                over(values.view(), &axes, largest)
            }
            _ => {
                let axes: Vec<usize> = (batch..rank).collect();
                over(values.view(), &axes, largest)
            }
        },
        Columns::Filters(_) => {
            let filters = values.shape()[0];
            let mut shape = vec![1; rank];
            shape[0] = filters;
            let rest: Vec<usize> = (1..rank).collect();
            match &quantiser.scale {
                ScalePlan::Channels(given) => shaped(&shape, own(given, filters)?),
                _ => over(values.view(), &rest, largest),
            }
        }
        Columns::Elements(groups) => {
            let own_channels = values.shape()[0] / groups;
            let columns: usize = values.shape()[1..].iter().product();
            let given = match &quantiser.scale {
                ScalePlan::Channels(given) => Some(own(given, groups * columns)?),
                _ => None,
            };
            let mut parts = Vec::new();
            let chunks = values.axis_chunks_iter(Axis(0), own_channels.max(1));
            for (group, part) in chunks.enumerate() {
                let mut shape = values.shape().to_vec();
                shape[0] = 1;
                let line = match &given {
                    Some(given) => {
                        let first = group * columns;
                        shaped(&shape, given[first..first + columns].to_vec())
                    }
                    _ => over(part, &[0], largest),
                };
                parts.push(line);
            }
            // One group's scales broadcast over its channels; of several each channel has its own.
            let repeat = if groups == 1 { 1 } else { own_channels };
            let views: Vec<_> = parts
                .iter()
                .flat_map(|part| std::iter::repeat_n(part.view(), repeat))
                .collect();
            ndarray::concatenate(Axis(0), &views).expect("equal shapes but for the first axis")
        }
    })
}

/// Adds a weight's codes to the model and the nodes that make numbers of them; the names of the
/// codes and of the numbers.
pub(crate) fn quantise(
    builder: &mut Builder,
    pair: &Pair<'_>,
    values: &ArrayD<f32>,
    scales: &ArrayD<f32>,
    quantiser: &Quantiser,
) -> Result<(String, String), Error> {
    let codec = Codec::with(&quantiser.conversion)?;
    let each = scales
        .broadcast(values.raw_dim())
        .expect("scales of the weight's shape");
    let quotients: Vec<f32> = values.iter().zip(&each).map(|(x, s)| x / s).collect();
    let mut codes = vec![0; quotients.len()];
    codec.encode(&quotients, 1.0, &mut codes);
    let shape = values.raw_dim();
    let unused = 32 - quantiser.conversion.format.bits();
    let tensor = match pair.element.is_integer() {
        true => {
            let signed = |&code: &u32| i64::from((code << unused).cast_signed() >> unused);
            let list = codes.iter().map(signed).collect();
            Tensor::Int(
                pair.element,
                ArrayD::from_shape_vec(shape, list).expect("as many codes"),
            )
        }
        false => {
            let list = codes.iter().map(|&code| code as u16).collect();
            Tensor::Codes(
                pair.element,
                ArrayD::from_shape_vec(shape, list).expect("as many codes"),
            )
        }
    };
    let name = builder.constant(&format!("{}/codes", pair.base), &tensor)?;
    let wide: Vec<usize> = (0..scales.ndim())
        .filter(|&i| scales.shape()[i] > 1)
        .collect();
    let scale_name = format!("{}/scale", pair.base);
    let numbers = match wide.as_slice() {
        [] => {
            let scale = scales.first().copied().unwrap_or(1.0);
            let scale = builder.number(&scale_name, scale)?;
            pair.back(builder, &name, &scale, Vec::new(), None)
        }
        &[axis] => {
            let list: Vec<f32> = scales.iter().copied().collect();
            let list = Tensor::Float(ndarray::Array1::from_vec(list).into_dyn());
            let scale = builder.constant(&scale_name, &list)?;
            let axis = vec![("axis", Attribute::Int(axis as i64))];
            pair.back(builder, &name, &scale, axis, None)
        }
        _ => {
            let one = builder.number(&format!("{}/one", pair.base), 1.0)?;
            let plain = pair.back(builder, &name, &one, Vec::new(), None);
            let scale = builder.constant(&scale_name, &Tensor::Float(scales.clone()))?;
            builder.node("Mul", pair.base, &[&plain, &scale], Vec::new())
        }
    };
    Ok((name, numbers))
}
