//! Operators of one element at a time, with broadcasting.

use ndarray::{ArrayD, ArrayViewMutD, IxDyn, Zip};

use super::super::context::{Context, broadcast};
use super::super::spread;
use super::functions;
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// One function of every FP32 number.
pub(super) fn unary(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: impl Fn(f32) -> f32 + Sync,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    Ok(vec![Tensor::Float(each(context, values, function))])
}

/// As [`unary`], by a loop of [`functions`].
pub(super) fn looped(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: fn(&[f32], &mut [f32]),
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    let from = values.as_standard_layout();
    let mut to = context.products.buffers.take(from.len());
    spread::chunks(from.as_slice().expect("standard layout"), &mut to, function);
    let results = ArrayD::from_shape_vec(values.raw_dim(), to);
    Ok(vec![Tensor::Float(results.expect("a number for each"))])
}

/// One function of every FP32 number.
fn each(
    context: &mut Context<'_, '_>,
    values: &ArrayD<f32>,
    function: impl Fn(f32) -> f32 + Sync,
) -> ArrayD<f32> {
    let from = values.as_standard_layout();
    let mut to = context.products.buffers.take(from.len());
    spread::map(from.as_slice().expect("standard layout"), &mut to, function);
    ArrayD::from_shape_vec(values.raw_dim(), to).expect("a number for each")
}

/// The shape to which both operands broadcast; that of a result which may be had.
fn together(context: &Context<'_, '_>, a: &[usize], b: &[usize]) -> Result<Vec<usize>, Error> {
    let shape = broadcast(a, b);
    let fail = || context.error(format!("shapes {a:?} and {b:?} do not broadcast"));
    let shape = shape.ok_or_else(fail)?;
    context.elements(&shape)?;
    Ok(shape)
}

pub(super) fn combine<A, B, T>(
    context: &Context<'_, '_>,
    a: &ArrayD<A>,
    b: &ArrayD<B>,
    function: impl Fn(A, B) -> T + Sync,
) -> Result<ArrayD<T>, Error>
where
    A: Copy + Sync,
    B: Copy + Sync,
    T: Copy + Default + Send,
{
    let shape = together(context, a.shape(), b.shape())?;
    let results = vec![T::default(); shape.iter().product()];
    Ok(filled(&shape, a, b, results, function))
}

/// As [`combine`], in memory that was used before.
fn combine_floats(
    context: &mut Context<'_, '_>,
    a: &ArrayD<f32>,
    b: &ArrayD<f32>,
    function: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<ArrayD<f32>, Error> {
    let shape = together(context, a.shape(), b.shape())?;
    let results = context.products.buffers.take(shape.iter().product());
    Ok(filled(&shape, a, b, results, function))
}

/// Whether a tensor of shape `part`, in C order, comes again and again in one of shape `whole`.
fn repeats(part: &[usize], whole: &[usize]) -> bool {
    let ones = part.iter().take_while(|&&length| length == 1).count();
    whole.ends_with(&part[ones..])
}

fn filled<A, B, T>(
    shape: &[usize],
    a: &ArrayD<A>,
    b: &ArrayD<B>,
    mut results: Vec<T>,
    function: impl Fn(A, B) -> T + Sync,
) -> ArrayD<T>
where
    A: Copy + Sync,
    B: Copy + Sync,
    T: Send,
{
    match (a.as_slice(), b.as_slice()) {
        _ if results.is_empty() => {}
        (Some(x), Some(y)) if a.shape() == shape && repeats(b.shape(), shape) => {
            spread::combine(x, y, &mut results, function);
        }
        (Some(x), Some(y)) if b.shape() == shape && repeats(a.shape(), shape) => {
            spread::combine(y, x, &mut results, |b, a| function(a, b));
        }
        _ => {
            let views = a.broadcast(shape).zip(b.broadcast(shape));
            let (a, b) = views.expect("the shapes broadcast");
            let to = ArrayViewMutD::from_shape(shape, &mut results).expect("of that shape");
            Zip::from(to)
                .and(a)
                .and(b)
                .for_each(|to, &a, &b| *to = function(a, b));
        }
    }
    ArrayD::from_shape_vec(IxDyn(shape), results).expect("of that shape")
}

/// A function of two operands of one type.
pub(super) fn binary(
    context: &mut Context<'_, '_>,
    a: &Tensor,
    b: &Tensor,
    floats: impl Fn(f32, f32) -> f32 + Sync,
    integers: impl Fn(i64, i64) -> Option<i64> + Sync,
) -> Result<Tensor, Error> {
    match (a, b) {
        (Tensor::Float(a), Tensor::Float(b)) => {
            Ok(Tensor::Float(combine_floats(context, a, b, floats)?))
        }
        (Tensor::Int(element, a), Tensor::Int(other, b)) if element == other => {
            let results = combine(context, a, b, integers)?;
            let shape = results.raw_dim();
            let numbers: Option<Vec<i64>> = results.into_iter().collect();
            let numbers = numbers.ok_or_else(|| context.error("an integer has no result"))?;
            let results = ArrayD::from_shape_vec(shape, numbers).expect("of the same shape");
            Ok(Tensor::Int(*element, results))
        }
        _ => Err(mismatch(context, a, b)),
    }
}

pub(super) fn mismatch(context: &Context<'_, '_>, a: &Tensor, b: &Tensor) -> Error {
    let (a, b) = (a.element_type().name(), b.element_type().name());
    context.error(format!("operands are {a} and {b}"))
}

pub(super) fn two<'t>(
    context: &Context<'_, '_>,
    inputs: &Inputs<'t>,
) -> Result<(&'t Tensor, &'t Tensor), Error> {
    Ok((context.operand(inputs, 0)?, context.operand(inputs, 1)?))
}

macro_rules! arithmetic {
    ($($name:ident: $float:expr, $integer:expr;)*) => {
        $(pub(super) fn $name(
            context: &mut Context<'_, '_>,
            inputs: &Inputs<'_>,
        ) -> Result<Vec<Tensor>, Error> {
            let (a, b) = two(context, inputs)?;
            Ok(vec![binary(context, a, b, $float, $integer)?])
        })*
    };
}

arithmetic! {
    add: |a, b| a + b, i64::checked_add;
    sub: |a, b| a - b, i64::checked_sub;
    mul: |a, b| a * b, i64::checked_mul;
    div: |a, b| a / b, i64::checked_div;
}

/// Min and Max take any number of operands; a NaN in any gives NaN.
fn fold(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    floats: fn(f32, f32) -> f32,
    integers: fn(i64, i64) -> i64,
) -> Result<Vec<Tensor>, Error> {
    let mut result = context.operand(inputs, 0)?.clone();
    for place in 1..inputs.len() {
        let operand = context.operand(inputs, place)?;
        let float = |a: f32, b: f32| {
            if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                floats(a, b)
            }
        };
        result = binary(context, &result, operand, float, |a, b| {
            Some(integers(a, b))
        })?;
    }
    Ok(vec![result])
}

pub(super) fn max(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    fold(context, inputs, f32::max, i64::max)
}

pub(super) fn min(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    fold(context, inputs, f32::min, i64::min)
}

/// Pow: the exponent may have a type of its own.
pub(super) fn pow(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (a, b) = two(context, inputs)?;
    let power = |base: f32, exponent: f32| match exponent {
        2.0 => base * base,
        exponent => base.powf(exponent),
    };
    let integer = |base: i64, exponent: i64| base.checked_pow(u32::try_from(exponent).ok()?);
    Ok(vec![match (a, b) {
        (Tensor::Float(base), Tensor::Int(_, exponent)) => {
            let exponent = exponent.mapv(|exponent| exponent as f32);
            Tensor::Float(combine(context, base, &exponent, power)?)
        }
        (Tensor::Int(element, base), Tensor::Float(exponent)) => {
            let power = |base: i64, exponent: f32| (base as f64).powf(exponent.into()) as i64;
            Tensor::Int(*element, combine(context, base, exponent, power)?)
        }
        _ => binary(context, a, b, power, integer)?,
    }])
}

pub(super) fn neg(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    Ok(vec![match context.operand(inputs, 0)? {
        Tensor::Int(element, values) => Tensor::Int(*element, values.mapv(i64::wrapping_neg)),
        _ => Tensor::Float(each(context, context.floats(inputs, 0)?, |value| -value)),
    }])
}

pub(super) fn relu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    // NaN stays.
    unary(
        context,
        inputs,
        |value| if value < 0.0 { 0.0 } else { value },
    )
}

pub(super) fn leaky_relu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let alpha = context.float("alpha", 0.01)?;
    let values = context.floats(inputs, 0)?;
    let leak = |value: f32| if value < 0.0 { alpha * value } else { value };
    Ok(vec![Tensor::Float(each(context, values, leak))])
}

/// GELU, exact or by tanh.
pub(super) fn gelu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let approximate = context.text("approximate", "none")?;
    context.only("approximate", &approximate, &["none", "tanh"])?;
    if approximate == "none" {
        return looped(context, inputs, functions::gelus);
    }
    let tanh = |x: f32| {
        let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
        0.5 * x * (1.0 + inner.tanh())
    };
    unary(context, inputs, tanh)
}

/// Clip: limits are inputs, before opset 11 attributes.
pub(super) fn clip(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    if let Tensor::Int(element, values) = context.operand(inputs, 0)? {
        return clip_integers(context, inputs, *element, values);
    }
    let limit = |place, name: &str, default| -> Result<f32, Error> {
        match context.optional_floats(inputs, place)? {
            Some(limit) => limit
                .first()
                .copied()
                .ok_or_else(|| context.error(format!("input {place} is empty"))),
            None => context.float(name, default),
        }
    };
    let low = limit(1, "min", f32::NEG_INFINITY)?;
    let high = limit(2, "max", f32::INFINITY)?;
    let values = context.floats(inputs, 0)?;
    // Where the limits cross, the upper one holds.
    let clip = |value: f32| {
        if value.is_nan() {
            value
        } else {
            value.max(low).min(high)
        }
    };
    Ok(vec![Tensor::Float(each(context, values, clip))])
}

/// Integers have limits of their own type, as inputs.
fn clip_integers(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    element: ElementType,
    values: &ArrayD<i64>,
) -> Result<Vec<Tensor>, Error> {
    let limit = |place: usize| match inputs.get(place).copied().flatten() {
        None => Ok(None),
        Some(Tensor::Int(own, limit)) if *own == element && limit.len() == 1 => {
            Ok(limit.first().copied())
        }
        Some(_) => {
            let name = element.name();
            Err(context.error(format!("input {place} is not one number of {name}")))
        }
    };
    let low = limit(1)?.unwrap_or(i64::MIN);
    let high = limit(2)?.unwrap_or(i64::MAX);
    let clipped = values.mapv(|value| value.max(low).min(high));
    Ok(vec![Tensor::Int(element, clipped)])
}

/// A comparison.
pub(super) fn compare(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: impl Fn(f64, f64) -> bool + Sync,
) -> Result<Vec<Tensor>, Error> {
    let (a, b) = two(context, inputs)?;
    Ok(vec![Tensor::Bool(match (a, b) {
        (Tensor::Float(a), Tensor::Float(b)) => {
            combine(context, a, b, |a, b| function(a.into(), b.into()))?
        }
        (Tensor::Int(x, a), Tensor::Int(y, b)) if x == y => combine(context, a, b, |a, b| {
            // Of integers only the order counts, which binary64 may lose.
            function(f64::from(a.cmp(&b) as i8), 0.0)
        })?,
        (Tensor::Bool(a), Tensor::Bool(b)) => combine(context, a, b, |a, b| {
            function(u8::from(a).into(), u8::from(b).into())
        })?,
        _ => return Err(mismatch(context, a, b)),
    })])
}

/// A function of truth values.
pub(super) fn logic(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: impl Fn(bool, bool) -> bool + Sync,
) -> Result<Vec<Tensor>, Error> {
    match two(context, inputs)? {
        (Tensor::Bool(a), Tensor::Bool(b)) => {
            Ok(vec![Tensor::Bool(combine(context, a, b, function)?)])
        }
        (a, b) => Err(mismatch(context, a, b)),
    }
}

pub(super) fn not(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    match context.operand(inputs, 0)? {
        Tensor::Bool(values) => Ok(vec![Tensor::Bool(values.mapv(|value| !value))]),
        other => Err(context.error(format!("input 0 is {}", other.element_type().name()))),
    }
}

/// Where.
pub(super) fn select(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let Tensor::Bool(condition) = context.operand(inputs, 0)? else {
        return Err(context.error("input 0 has to be BOOL"));
    };
    let (a, b) = (context.operand(inputs, 1)?, context.operand(inputs, 2)?);
    fn chosen<T: Copy + Default + Send + Sync>(
        context: &Context<'_, '_>,
        condition: &ArrayD<bool>,
        a: &ArrayD<T>,
        b: &ArrayD<T>,
    ) -> Result<ArrayD<T>, Error> {
        let pairs = combine(context, a, b, |a, b| (a, b))?;
        combine(
            context,
            condition,
            &pairs,
            |first, (a, b)| if first { a } else { b },
        )
    }
    Ok(vec![match (a, b) {
        (Tensor::Float(a), Tensor::Float(b)) => Tensor::Float(chosen(context, condition, a, b)?),
        (Tensor::Int(x, a), Tensor::Int(y, b)) if x == y => {
            Tensor::Int(*x, chosen(context, condition, a, b)?)
        }
        (Tensor::Bool(a), Tensor::Bool(b)) => Tensor::Bool(chosen(context, condition, a, b)?),
        _ => return Err(mismatch(context, a, b)),
    }])
}
