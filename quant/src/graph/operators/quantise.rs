//! QuantizeLinear and DequantizeLinear, per tensor and per axis.

use ndarray::{ArrayD, Axis, IxDyn};
use quaver_contract::Bundle;
use quaver_fast::decode::decode;
use quaver_fast::encode::Encoder;

use super::super::context::Context;
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// A scale or zero point for each element of the axis, or one for all.
fn along<T: Copy>(
    context: &Context<'_, '_>,
    values: &ArrayD<T>,
    shape: &[usize],
    what: &str,
) -> Result<(usize, Vec<T>), Error> {
    let list: Vec<T> = values.iter().copied().collect();
    if values.ndim() == 0 || list.len() == 1 {
        return Ok((0, list));
    }
    let axis = context.int("axis", 1)?;
    let axis = context.axis(axis, shape.len())?;
    match values.ndim() == 1 && list.len() == shape[axis] {
        true => Ok((axis, list)),
        false => Err(context.error(format!(
            "{what} is {:?} for {shape:?}, axis {axis}",
            values.shape()
        ))),
    }
}

/// Limits of an integer type.
fn range(element: ElementType) -> (i64, i64) {
    let bits = element.bits() as u32;
    match element.is_signed() {
        true => (-1 << (bits - 1), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    }
}

pub(super) fn quantize(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    if context.int("block_size", 0)? != 0 {
        return Err(context.error("blocks are not supported"));
    }
    let values = context.floats(inputs, 0)?;
    let scale = context.floats(inputs, 1)?;
    let (axis, scales) = along(context, scale, values.shape(), "the scale")?;
    let zero = inputs.get(2).copied().flatten();
    let declared = i32::try_from(context.int("output_dtype", 0)?).ok();
    let declared = declared
        .filter(|&number| number != 0)
        .and_then(ElementType::from_number);
    let element = zero
        .map(Tensor::element_type)
        .or(declared)
        .unwrap_or(ElementType::Uint8);
    let line = |place: usize| if scales.len() == 1 { 0 } else { place };
    if element.is_integer() {
        let zeros = match zero {
            Some(Tensor::Int(_, zeros)) => {
                along(context, zeros, values.shape(), "the zero point")?.1
            }
            _ => vec![0],
        };
        let (low, high) = range(element);
        let mut codes = ArrayD::zeros(values.raw_dim());
        for (place, (line_of, mut to)) in lines(values, axis)
            .zip(codes.axis_iter_mut(Axis(axis)))
            .enumerate()
        {
            let scale = scales[line(place)];
            let zero = zeros[if zeros.len() == 1 { 0 } else { place }];
            for (code, &value) in to.iter_mut().zip(line_of) {
                // Saturates; NaN becomes 0.
                let rounded = (value / scale).round_ties_even() as i64;
                *code = rounded.saturating_add(zero).clamp(low, high);
            }
        }
        return Ok(vec![Tensor::Int(element, codes)]);
    }
    let format = element
        .format()
        .ok_or_else(|| context.error(format!("type {}", element.name())))?;
    let saturate = context.int("saturate", 1)? != 0;
    let name = if saturate { "onnx-saturate" } else { "onnx" };
    let conversion = Bundle::get(name).and_then(|bundle| bundle.conversion(format));
    let encoder = Encoder::new(&conversion?)?;
    // Of FP4 the zero point is added, and -0 + 0 is +0.
    let adds_zero = zero.is_some() && element == ElementType::Float4E2m1;
    let mut codes = ArrayD::zeros(values.raw_dim());
    for (place, (line_of, mut to)) in lines(values, axis)
        .zip(codes.axis_iter_mut(Axis(axis)))
        .enumerate()
    {
        let scale = scales[line(place)];
        for (code, &value) in to.iter_mut().zip(line_of) {
            let quotient = value / scale;
            let quotient = if adds_zero { quotient + 0.0 } else { quotient };
            *code = encoder.one(quotient.to_bits(), 0) as u16;
        }
    }
    Ok(vec![Tensor::Codes(element, codes)])
}

pub(super) fn dequantize(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    if context.int("block_size", 0)? != 0 {
        return Err(context.error("blocks are not supported"));
    }
    let tensor = context.operand(inputs, 0)?;
    let scale = context.floats(inputs, 1)?;
    let (axis, scales) = along(context, scale, tensor.shape(), "the scale")?;
    let scale = |place: usize| scales[if scales.len() == 1 { 0 } else { place }];
    let mut values = ArrayD::zeros(IxDyn(tensor.shape()));
    match tensor {
        Tensor::Int(_, codes) => {
            let zeros = match inputs.get(2).copied().flatten() {
                Some(Tensor::Int(_, zeros)) => {
                    along(context, zeros, codes.shape(), "the zero point")?.1
                }
                _ => vec![0],
            };
            for (place, (line, mut to)) in lines(codes, axis)
                .zip(values.axis_iter_mut(Axis(axis)))
                .enumerate()
            {
                let zero = zeros[if zeros.len() == 1 { 0 } else { place }];
                for (value, &code) in to.iter_mut().zip(line) {
                    *value = code.saturating_sub(zero) as f32 * scale(place);
                }
            }
        }
        Tensor::Codes(element, codes) => {
            let format = element
                .format()
                .ok_or_else(|| context.error(format!("type {}", element.name())))?;
            for (place, (line, mut to)) in lines(codes, axis)
                .zip(values.axis_iter_mut(Axis(axis)))
                .enumerate()
            {
                for (value, &code) in to.iter_mut().zip(line) {
                    *value = f32::from_bits(decode(format, code.into())) * scale(place);
                }
            }
        }
        other => return Err(context.error(format!("input 0 is {}", other.element_type().name()))),
    }
    Ok(vec![Tensor::Float(values)])
}

/// The elements of each place of an axis.
fn lines<T>(values: &ArrayD<T>, axis: usize) -> impl Iterator<Item = ndarray::ArrayViewD<'_, T>> {
    values.axis_iter(Axis(axis))
}
