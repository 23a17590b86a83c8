//! Operators of one element at a time, with broadcasting.

use ndarray::{ArrayD, ArrayViewD, Zip};

use super::super::context::{Context, broadcast};
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// One function of every FP32 number.
pub(super) fn unary(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: fn(f32) -> f32,
) -> Result<Vec<Tensor>, Error> {
    let values = context.floats(inputs, 0)?;
    Ok(vec![Tensor::Float(values.mapv(function))])
}

/// Both operands as the shape to which they broadcast.
fn together<'a, A, B>(
    context: &Context<'_, '_>,
    a: &'a ArrayD<A>,
    b: &'a ArrayD<B>,
) -> Result<(ArrayViewD<'a, A>, ArrayViewD<'a, B>), Error> {
    let shape = broadcast(a.shape(), b.shape()).ok_or_else(|| {
        let shapes = format!("{:?} and {:?}", a.shape(), b.shape());
        context.error(format!("shapes {shapes} do not broadcast"))
    })?;
    let views = a.broadcast(shape.clone()).zip(b.broadcast(shape));
    Ok(views.expect("the shapes broadcast"))
}

pub(super) fn combine<A: Copy, B: Copy, T>(
    context: &Context<'_, '_>,
    a: &ArrayD<A>,
    b: &ArrayD<B>,
    function: impl Fn(A, B) -> T,
) -> Result<ArrayD<T>, Error> {
    let (a, b) = together(context, a, b)?;
    Ok(Zip::from(a).and(b).map_collect(|&a, &b| function(a, b)))
}

/// A function of two operands of one type.
pub(super) fn binary(
    context: &Context<'_, '_>,
    a: &Tensor,
    b: &Tensor,
    floats: impl Fn(f32, f32) -> f32,
    integers: impl Fn(i64, i64) -> Option<i64>,
) -> Result<Tensor, Error> {
    match (a, b) {
        (Tensor::Float(a), Tensor::Float(b)) => Ok(Tensor::Float(combine(context, a, b, floats)?)),
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
    context: &Context<'_, '_>,
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
        _ => Tensor::Float(context.floats(inputs, 0)?.mapv(|value| -value)),
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
    Ok(vec![Tensor::Float(values.mapv(leak))])
}

/// GELU, exact or by tanh.
pub(super) fn gelu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let approximate = context.text("approximate", "none")?;
    context.only("approximate", &approximate, &["none", "tanh"])?;
    let root = std::f32::consts::FRAC_1_SQRT_2;
    let exact = move |x: f32| 0.5 * x * (1.0 + libm::erff(x * root));
    let tanh = |x: f32| {
        let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
        0.5 * x * (1.0 + inner.tanh())
    };
    let values = context.floats(inputs, 0)?;
    Ok(vec![Tensor::Float(match approximate.as_str() {
        "tanh" => values.mapv(tanh),
        _ => values.mapv(exact),
    })])
}

/// Clip: limits are inputs, before opset 11 attributes.
pub(super) fn clip(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
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
    Ok(vec![Tensor::Float(values.mapv(clip))])
}

/// A comparison.
pub(super) fn compare(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: fn(f64, f64) -> bool,
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
    function: fn(bool, bool) -> bool,
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
    fn chosen<T: Copy>(
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
