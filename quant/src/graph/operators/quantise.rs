//! QuantizeLinear and DequantizeLinear, per tensor, axis and block, and DynamicQuantizeLinear.

use ndarray::{ArrayD, Axis, IxDyn};
use quaver_contract::Bundle;
use quaver_fast::decode::decode;
use quaver_fast::encode::Encoder;

use super::super::context::Context;
use super::shape::each;
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
    // Operands with blocks come here as lists, as `spread` makes them.
    let axis = match context.int("block_size", 0)? {
        0 => context.int("axis", 1)?,
        _ => 0,
    };
    let axis = context.axis(axis, shape.len())?;
    match values.ndim() == 1 && list.len() == shape[axis] {
        true => Ok((axis, list)),
        false => Err(context.error(format!(
            "{what} is {:?} for {shape:?}, axis {axis}",
            values.shape()
        ))),
    }
}

/// Zero points of integers, one or as many as the scales; 0 where there are none.
fn zero_points(
    context: &Context<'_, '_>,
    zero: Option<&Tensor>,
    shape: &[usize],
    scales: usize,
) -> Result<Vec<i64>, Error> {
    let Some(Tensor::Int(_, zeros)) = zero else {
        return Ok(vec![0]);
    };
    let zeros = along(context, zeros, shape, "the zero point")?.1;
    match zeros.len() == 1 || zeros.len() == scales {
        true => Ok(zeros),
        false => Err(context.error(format!("{} zero points for {scales} scales", zeros.len()))),
    }
}

/// Runs operands with blocks as lists in which every element has its own scale and zero point, and scalars as
/// lists of one.
fn by_element(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    run: fn(&Context<'_, '_>, &Inputs<'_>) -> Result<Vec<Tensor>, Error>,
) -> Result<Vec<Tensor>, Error> {
    let size = context.int("block_size", 0)?;
    let tensor = context.operand(inputs, 0)?;
    let shape = tensor.shape();
    let whole = |result: &Tensor| {
        each!(result, values => {
            let values = values.clone().into_shape_with_order(IxDyn(shape));
            values.expect("the same elements")
        })
    };
    if size == 0 && !shape.is_empty() {
        return run(context, inputs);
    }
    if size == 0 {
        let one = each!(tensor, values => list(values));
        let mut inputs = inputs.to_vec();
        inputs[0] = Some(&one);
        return Ok(run(context, &inputs)?.iter().map(whole).collect());
    }
    let axis = context.axis(context.int("axis", 1)?, shape.len())?;
    let size = usize::try_from(size).map_err(|_| context.error(format!("block_size {size}")))?;
    let spread = |operand: &Tensor, what: &str| -> Result<Tensor, Error> {
        let mut wanted = shape.to_vec();
        wanted[axis] = wanted[axis].div_ceil(size);
        if operand.shape() != wanted {
            let own = operand.shape();
            return Err(context.error(format!(
                "{what} is {own:?} for {shape:?} in blocks of {size}"
            )));
        }
        let blocks: Vec<usize> = (0..shape[axis]).map(|i| i / size).collect();
        Ok(each!(operand, values => list(&values.select(Axis(axis), &blocks))))
    };
    let values = each!(tensor, values => list(values));
    let scale = spread(context.operand(inputs, 1)?, "the scale")?;
    let zero = inputs.get(2).copied().flatten();
    let zero = zero
        .map(|zero| spread(zero, "the zero point"))
        .transpose()?;
    let results = run(context, &[Some(&values), Some(&scale), zero.as_ref()])?;
    Ok(results.iter().map(whole).collect())
}

/// The elements in C order.
fn list<T: Clone>(values: &ArrayD<T>) -> ArrayD<T> {
    values
        .iter()
        .cloned()
        .collect::<ndarray::Array1<T>>()
        .into_dyn()
}

/// DynamicQuantizeLinear: codes of UINT8 by a scale and zero point that reach 0 and every number.
pub(super) fn dynamic(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let low = values.iter().copied().fold(0.0, f32::min);
    let high = values.iter().copied().fold(0.0, f32::max);
    let scale = if low == high { 1.0 } else { high - low } / 255.0;
    let zero = (-low / scale).clamp(0.0, 255.0).round_ties_even();
    let code = |value: f32| ((value / scale).round_ties_even() + zero).clamp(0.0, 255.0) as i64;
    Ok(vec![
        Tensor::Int(ElementType::Uint8, values.mapv(code)),
        Tensor::Float(ArrayD::from_elem(IxDyn(&[]), scale)),
        Tensor::Int(
            ElementType::Uint8,
            ArrayD::from_elem(IxDyn(&[]), zero as i64),
        ),
    ])
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
    by_element(context, inputs, quantize_lines)
}

fn quantize_lines(context: &Context<'_, '_>, inputs: &Inputs<'_>) -> Result<Vec<Tensor>, Error> {
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
        let zeros = zero_points(context, zero, values.shape(), scales.len())?;
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
    by_element(context, inputs, dequantize_lines)
}

fn dequantize_lines(context: &Context<'_, '_>, inputs: &Inputs<'_>) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let scale = context.floats(inputs, 1)?;
    let (axis, scales) = along(context, scale, tensor.shape(), "the scale")?;
    let scale = |place: usize| scales[if scales.len() == 1 { 0 } else { place }];
    let mut values = ArrayD::zeros(IxDyn(tensor.shape()));
    match tensor {
        Tensor::Int(_, codes) => {
            let zero = inputs.get(2).copied().flatten();
            let zeros = zero_points(context, zero, codes.shape(), scales.len())?;
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
