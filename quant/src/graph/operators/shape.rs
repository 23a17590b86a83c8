//! Operators that move or name elements and compute nothing.

use ndarray::{ArrayD, ArrayViewMutD, Axis, IxDyn};
use quaver_contract::{Bundle, Conversion, Encoding};
use quaver_fast::decode::decode;
use quaver_fast::encode::Encoder;

use super::super::context::{Context, broadcast};
use super::super::spread;
use crate::onnx::{Attribute, Initializer};
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// The same change of every kind of tensor.
macro_rules! each {
    ($tensor:expr, $values:ident => $change:expr) => {
        match $tensor {
            Tensor::Float($values) => Tensor::Float($change),
            Tensor::Int(element, $values) => Tensor::Int(*element, $change),
            Tensor::Bool($values) => Tensor::Bool($change),
            Tensor::Codes(element, $values) => Tensor::Codes(*element, $change),
        }
    };
}
pub(super) use each;

/// The elements in another shape.
fn reshaped(context: &Context<'_, '_>, tensor: &Tensor, shape: &[usize]) -> Result<Tensor, Error> {
    fn with<T: Clone>(values: &ArrayD<T>, shape: &[usize]) -> Option<ArrayD<T>> {
        let values = values.as_standard_layout().into_owned();
        values.into_shape_with_order(IxDyn(shape)).ok()
    }
    let fail = || {
        let (from, to) = (tensor.shape(), shape);
        context.error(format!("{from:?} has not the elements of {to:?}"))
    };
    Ok(each!(tensor, values => with(values, shape).ok_or_else(fail)?))
}

pub(super) fn identity(_: &mut Context<'_, '_>, inputs: &Inputs<'_>) -> Result<Vec<Tensor>, Error> {
    Ok(inputs
        .iter()
        .flatten()
        .take(1)
        .map(|&tensor| tensor.clone())
        .collect())
}

/// Dropout of inference: its input, and a mask of ones.
pub(super) fn dropout(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    if let Some(Tensor::Bool(training)) = inputs.get(2).copied().flatten()
        && training.first() == Some(&true)
    {
        return Err(context.error("training is not supported"));
    }
    let shape = IxDyn(tensor.shape());
    let mask = match context.opset {
        ..10 => Tensor::Float(ArrayD::ones(shape)),
        _ => Tensor::Bool(ArrayD::from_elem(shape, true)),
    };
    Ok(vec![tensor.clone(), mask])
}

pub(super) fn reshape(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let wanted = context.list(inputs, 1, "shape")?;
    let wanted = wanted.ok_or_else(|| context.error("no shape"))?;
    let allow_zero = context.int("allowzero", 0)? != 0;
    let mut shape = Vec::new();
    let mut free = None;
    for (i, &length) in wanted.iter().enumerate() {
        shape.push(match length {
            -1 if free.is_none() => {
                free = Some(i);
                1
            }
            0 if !allow_zero => *tensor
                .shape()
                .get(i)
                .ok_or_else(|| context.error(format!("shape {wanted:?}: no length to keep")))?,
            length => {
                usize::try_from(length).map_err(|_| context.error(format!("shape {wanted:?}")))?
            }
        });
    }
    if let Some(free) = free {
        let known: Option<usize> = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        let elements: usize = tensor.shape().iter().product();
        shape[free] = known
            .and_then(|known| elements.checked_div(known))
            .unwrap_or(0);
    }
    Ok(vec![reshaped(context, tensor, &shape)?])
}

pub(super) fn flatten(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let axis = context.int("axis", 1)?;
    let rank = tensor.shape().len();
    let axis = if axis == rank as i64 {
        rank
    } else {
        context.axis(axis, rank)?
    };
    let (rows, cols) = tensor.shape().split_at(axis);
    let shape = [rows.iter().product(), cols.iter().product()];
    Ok(vec![reshaped(context, tensor, &shape)?])
}

pub(super) fn squeeze(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let rank = tensor.shape().len();
    let axes = context.list(inputs, 1, "axes")?;
    let mut drop: Vec<usize> = match axes {
        None => (0..rank)
            .filter(|&axis| tensor.shape()[axis] == 1)
            .collect(),
        Some(axes) => axes
            .iter()
            .map(|&axis| context.axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    drop.sort_unstable();
    if let Some(&axis) = drop.iter().find(|&&axis| tensor.shape()[axis] != 1) {
        return Err(context.error(format!("axis {axis} of {:?} is not 1 long", tensor.shape())));
    }
    let lengths = tensor.shape().iter().enumerate();
    let shape: Vec<usize> = lengths
        .filter(|(i, _)| !drop.contains(i))
        .map(|(_, &n)| n)
        .collect();
    Ok(vec![reshaped(context, tensor, &shape)?])
}

pub(super) fn unsqueeze(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let axes = context.list(inputs, 1, "axes")?;
    let axes = axes.ok_or_else(|| context.error("no axes"))?;
    let rank = tensor.shape().len() + axes.len();
    let mut added: Vec<usize> = axes
        .iter()
        .map(|&axis| context.axis(axis, rank))
        .collect::<Result<_, _>>()?;
    added.sort_unstable();
    added.dedup();
    if added.len() != axes.len() {
        return Err(context.error(format!("axes {axes:?} repeat")));
    }
    let mut rest = tensor.shape().iter();
    let length = |axis| {
        if added.contains(&axis) {
            Some(1)
        } else {
            rest.next().copied()
        }
    };
    let shape: Vec<usize> = (0..rank).filter_map(length).collect();
    Ok(vec![reshaped(context, tensor, &shape)?])
}

pub(super) fn transpose(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let rank = tensor.shape().len();
    let order = match context.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(order) => order
            .iter()
            .map(|&axis| context.axis(axis, rank))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..rank) {
        return Err(context.error(format!("perm {order:?} of {rank} axes")));
    }
    if let Tensor::Float(values) = tensor {
        let view = values.view().permuted_axes(IxDyn(&order));
        let mut to = context.products.buffers.take(view.len());
        if rank > 0 && !to.is_empty() {
            // Parts of the first axis, which are independent.
            let length = view.len() / view.len_of(Axis(0));
            spread::lines(&mut to, length, |index, line| {
                let part = view.index_axis(Axis(0), index);
                let mut line = ArrayViewMutD::from_shape(part.raw_dim(), line).expect("its shape");
                line.assign(&part);
            });
        } else {
            to.iter_mut()
                .zip(values)
                .for_each(|(to, &value)| *to = value);
        }
        let result = ArrayD::from_shape_vec(view.raw_dim(), to).expect("the same elements");
        return Ok(vec![Tensor::Float(result)]);
    }
    Ok(vec![each!(tensor, values => {
        let view = values.view().permuted_axes(IxDyn(&order));
        view.as_standard_layout().into_owned()
    })])
}

pub(super) fn expand(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let wanted = context.integers(inputs, 1)?;
    let lengths: Option<Vec<usize>> = wanted.iter().map(|&n| usize::try_from(n).ok()).collect();
    let shape = lengths.and_then(|shape| broadcast(tensor.shape(), &shape));
    let shape = shape.ok_or_else(|| {
        context.error(format!(
            "{:?} does not expand to {wanted:?}",
            tensor.shape()
        ))
    })?;
    context.elements(&shape)?;
    Ok(vec![each!(tensor, values => {
        values.broadcast(IxDyn(&shape)).expect("the shapes broadcast").to_owned()
    })])
}

pub(super) fn shape(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let rank = tensor.shape().len() as i64;
    let place = |axis: i64| (if axis < 0 { axis + rank } else { axis }).clamp(0, rank) as usize;
    let start = place(context.int("start", 0)?);
    let end = place(context.int("end", rank)?).max(start);
    let lengths = tensor.shape()[start..end]
        .iter()
        .map(|&n| n as i64)
        .collect::<Vec<_>>();
    Ok(vec![Tensor::Int(
        ElementType::Int64,
        ndarray::arr1(&lengths).into_dyn(),
    )])
}

pub(super) fn constant(
    context: &mut Context<'_, '_>,
    _: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let scalar = |value| ArrayD::from_elem(IxDyn(&[]), value);
    let int = ElementType::Int64;
    for (name, attribute) in &context.node.attributes {
        return Ok(vec![match (name.as_str(), attribute) {
            ("value", Attribute::Tensor(tensor)) => Initializer::tensor(tensor)?,
            ("value_float", &Attribute::Float(value)) => {
                Tensor::Float(ArrayD::from_elem(IxDyn(&[]), value))
            }
            ("value_int", &Attribute::Int(value)) => Tensor::Int(int, scalar(value)),
            ("value_floats", Attribute::Floats(values)) => {
                Tensor::Float(ndarray::arr1(values).into_dyn())
            }
            ("value_ints", Attribute::Ints(values)) => {
                Tensor::Int(int, ndarray::arr1(values).into_dyn())
            }
            _ => continue,
        }]);
    }
    Err(context.error("no value of numbers"))
}

pub(super) fn constant_of_shape(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let wanted = context.integers(inputs, 0)?;
    let lengths: Option<Vec<usize>> = wanted.iter().map(|&n| usize::try_from(n).ok()).collect();
    let shape = lengths.ok_or_else(|| context.error(format!("shape {wanted:?}")))?;
    context.elements(&shape)?;
    let value = match context.node.attribute("value") {
        Some(Attribute::Tensor(tensor)) => tensor.tensor()?,
        Some(_) => return Err(context.error("attribute value is no tensor")),
        None => Tensor::Float(ArrayD::zeros(IxDyn(&[1]))),
    };
    fn filled<T: Copy>(values: &ArrayD<T>, shape: &[usize]) -> Option<ArrayD<T>> {
        Some(ArrayD::from_elem(IxDyn(shape), *values.first()?))
    }
    let fail = || context.error("attribute value is empty");
    Ok(vec![
        each!(&value, values => filled(values, &shape).ok_or_else(fail)?),
    ])
}

pub(super) fn concat(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let first = context.operand(inputs, 0)?;
    let axis = context.int("axis", 0)?;
    let axis = Axis(context.axis(axis, first.shape().len())?);
    let all: Vec<&Tensor> = (0..inputs.len())
        .map(|place| context.operand(inputs, place))
        .collect::<Result<_, _>>()?;
    let fail = || {
        let shapes: Vec<&[usize]> = all.iter().map(|tensor| tensor.shape()).collect();
        context.error(format!(
            "shapes {shapes:?} do not fit along axis {}",
            axis.0
        ))
    };
    let rank = first.shape().len();
    if all.iter().any(|tensor| tensor.shape().len() != rank) {
        return Err(fail());
    }
    macro_rules! join {
        ($variant:pat => $values:ident) => {{
            let views = all.iter().map(|tensor| match tensor {
                $variant => Ok($values.view()),
                other => {
                    let types = (first.element_type().name(), other.element_type().name());
                    Err(context.error(format!("operands are {} and {}", types.0, types.1)))
                }
            });
            let views = views.collect::<Result<Vec<_>, _>>()?;
            ndarray::concatenate(axis, &views).map_err(|_| fail())?
        }};
    }
    Ok(vec![match first {
        Tensor::Float(_) => Tensor::Float(join!(Tensor::Float(values) => values)),
        Tensor::Int(element, _) => Tensor::Int(*element, join!(Tensor::Int(_, values) => values)),
        Tensor::Bool(_) => Tensor::Bool(join!(Tensor::Bool(values) => values)),
        Tensor::Codes(element, _) => {
            Tensor::Codes(*element, join!(Tensor::Codes(_, values) => values))
        }
    }])
}

/// Cast between FP32, integers and truth values.
pub(super) fn cast(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let number = context.int("to", 0)?;
    let to = i32::try_from(number)
        .ok()
        .and_then(ElementType::from_number);
    let to = to.ok_or_else(|| context.error(format!("to = {number} is no type of numbers")))?;
    cast_to(context, context.operand(inputs, 0)?, to)
}

/// The same, to the type of another tensor.
pub(super) fn cast_like(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let to = context.operand(inputs, 1)?.element_type();
    cast_to(context, context.operand(inputs, 0)?, to)
}

fn cast_to(
    context: &Context<'_, '_>,
    tensor: &Tensor,
    to: ElementType,
) -> Result<Vec<Tensor>, Error> {
    if to == tensor.element_type() {
        return Ok(vec![tensor.clone()]);
    }
    let refuse = || {
        let from = tensor.element_type().name();
        context.error(format!("{from} to {} is not supported", to.name()))
    };
    let numbers = |values: ArrayD<f32>| match to {
        ElementType::Float | ElementType::Double => Ok(Tensor::Float(values)),
        ElementType::Bool => Ok(Tensor::Bool(values.mapv(|value| value != 0.0))),
        // Towards zero; out of range nothing is defined, and the nearest is given.
        _ if to.is_integer() => Ok(Tensor::Int(
            to,
            values.mapv(|value| wrapped(value as i64, to)),
        )),
        _ => narrow(context, &values, to)?.ok_or_else(refuse),
    };
    Ok(vec![match tensor {
        Tensor::Float(values) => numbers(values.clone())?,
        Tensor::Bool(values) => match to {
            ElementType::Float => Tensor::Float(values.mapv(|value| f32::from(u8::from(value)))),
            _ if to.is_integer() => Tensor::Int(to, values.mapv(i64::from)),
            _ => return Err(refuse()),
        },
        Tensor::Int(_, values) => match to {
            ElementType::Float | ElementType::Double => {
                Tensor::Float(values.mapv(|value| value as f32))
            }
            ElementType::Bool => Tensor::Bool(values.mapv(|value| value != 0)),
            _ if to.is_integer() => Tensor::Int(to, values.mapv(|value| wrapped(value, to))),
            _ => return Err(refuse()),
        },
        Tensor::Codes(element, codes) => {
            let format = element.format().ok_or_else(refuse)?;
            numbers(codes.mapv(|code| f32::from_bits(decode(format, code.into()))))?
        }
    }])
}

/// Codes of a narrow floating-point type; `None` of another type. FP8 saturates unless the node says
/// that it does not.
fn narrow(
    context: &Context<'_, '_>,
    values: &ArrayD<f32>,
    to: ElementType,
) -> Result<Option<Tensor>, Error> {
    let Some(format) = to
        .format()
        .filter(|format| format.encoding == Encoding::Float)
    else {
        return Ok(None);
    };
    let conversion = match format.bits() {
        16 => Conversion::native(format),
        _ => {
            let saturate = context.int("saturate", 1)? != 0;
            let name = if saturate { "onnx-saturate" } else { "onnx" };
            Bundle::get(name)?.conversion(format)?
        }
    };
    let encoder = Encoder::new(&conversion)?;
    let codes = values.mapv(|value| encoder.one(value.to_bits(), 0) as u16);
    Ok(Some(Tensor::Codes(to, codes)))
}

/// An integer in as many bits as its type has.
fn wrapped(value: i64, element: ElementType) -> i64 {
    let unused = 64 - element.bits() as u32;
    match element.is_signed() {
        true => value << unused >> unused,
        false => ((value.cast_unsigned() << unused) >> unused).cast_signed(),
    }
}
