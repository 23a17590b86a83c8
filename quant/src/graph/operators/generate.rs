//! Operators that make tensors out of a few numbers, or mask and sum along axes.

use ndarray::{ArrayD, Axis, IxDyn};

use super::super::context::Context;
use super::shape::each;
use crate::{ElementType, Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// The one element of an operand.
fn scalar<T: Copy>(
    context: &Context<'_, '_>,
    values: &ArrayD<T>,
    place: usize,
) -> Result<T, Error> {
    match (values.len(), values.first()) {
        (1, Some(&value)) => Ok(value),
        _ => Err(context.error(format!(
            "input {place} is {:?}, not one number",
            values.shape()
        ))),
    }
}

fn integer(context: &Context<'_, '_>, inputs: &Inputs<'_>, place: usize) -> Result<i64, Error> {
    match context.integers(inputs, place)?.as_slice() {
        &[value] => Ok(value),
        list => Err(context.error(format!("input {place} has {} numbers, not one", list.len()))),
    }
}

/// Range: from start to limit, which it does not reach.
pub(super) fn range(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let count = |count: f64| match count {
        count if count <= 0.0 => Ok(0),
        count if count <= context.most as f64 => Ok(count as usize),
        count => Err(context.error(format!("{count} numbers, of at most {}", context.most))),
    };
    if let Tensor::Int(element, _) = context.operand(inputs, 0)? {
        let [start, limit, delta] = [0, 1, 2].map(|place| integer(context, inputs, place));
        let (start, limit, delta) = (start?, limit?, delta?);
        if delta == 0 {
            return Err(context.error("a step of 0"));
        }
        let (distance, step) = (i128::from(limit) - i128::from(start), i128::from(delta));
        let whole =
            distance / step + i128::from(distance % step != 0 && (distance < 0) == (step < 0));
        let numbers = (0..count(whole as f64)? as i64).map(|i| start + i * delta);
        return Ok(vec![Tensor::Int(
            *element,
            numbers.collect::<ndarray::Array1<_>>().into_dyn(),
        )]);
    }
    let [start, limit, delta] = [0, 1, 2].map(|place| {
        let values = context.floats(inputs, place)?;
        scalar(context, values, place)
    });
    let (start, limit, delta) = (start?, limit?, delta?);
    let steps = ((f64::from(limit) - f64::from(start)) / f64::from(delta)).ceil();
    if steps.is_nan() {
        return Err(context.error(format!("no numbers from {start} to {limit} by {delta}")));
    }
    let numbers = (0..count(steps)?).map(|i| start + i as f32 * delta);
    Ok(vec![Tensor::Float(
        numbers.collect::<ndarray::Array1<_>>().into_dyn(),
    )])
}

pub(super) fn tile(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let own = tensor.shape();
    let wanted = context.integers(inputs, 1)?;
    let repeats: Option<Vec<usize>> = wanted.iter().map(|&n| usize::try_from(n).ok()).collect();
    let repeats = repeats.filter(|repeats| repeats.len() == own.len());
    let repeats = repeats.ok_or_else(|| context.error(format!("repeats {wanted:?} of {own:?}")))?;
    let lengths = own.iter().zip(&repeats);
    let shape: Vec<usize> = lengths
        .map(|(&n, &times)| n.saturating_mul(times))
        .collect();
    context.elements(&shape)?;
    // Of nothing there may be more than memory has addresses for.
    let most = if shape.contains(&0) { 1 } else { usize::MAX };
    let mut shown = Vec::new();
    for (&n, &times) in own.iter().zip(&repeats) {
        shown.extend([times.min(most), n]);
    }
    Ok(vec![each!(tensor, values => {
        let mut view = values.view();
        for axis in 0..own.len() {
            view.insert_axis_inplace(Axis(2 * axis));
        }
        let view = view.broadcast(IxDyn(&shown)).expect("lengths of 1 are repeated");
        let view = view.as_standard_layout().into_owned();
        view.into_shape_with_order(IxDyn(&shape)).expect("the same elements")
    })])
}

/// OneHot: the second of two values at the places of the indices, the first elsewhere.
pub(super) fn one_hot(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    // Indices and depth may be of any type.
    let whole = |place: usize| -> Result<ArrayD<i64>, Error> {
        match context.operand(inputs, place)? {
            Tensor::Int(_, values) => Ok(values.clone()),
            _ => Ok(context.floats(inputs, place)?.mapv(|value| value as i64)),
        }
    };
    let (indices, depth) = (whole(0)?, scalar(context, &whole(1)?, 1)?);
    let length = usize::try_from(depth).ok().filter(|&n| n > 0);
    let length = length.ok_or_else(|| context.error(format!("a depth of {depth}")))?;
    let axis = context.axis(context.int("axis", -1)?, indices.ndim() + 1)?;
    let mut shape = indices.shape().to_vec();
    shape.insert(axis, length);
    context.elements(&shape)?;
    let found = || context.error("input 2 has to be two values");
    Ok(vec![each!(context.operand(inputs, 2)?, values => {
        let list: Vec<_> = values.iter().copied().collect();
        let &[off, on] = list.as_slice() else {
            return Err(found());
        };
        let mut result = ArrayD::from_elem(IxDyn(&shape), off);
        for (line, &index) in result.lanes_mut(Axis(axis)).into_iter().zip(&indices) {
            let mut line = line;
            // What is outside lights nothing.
            let index = if index < 0 { index.saturating_add(depth) } else { index };
            if let Some(to) = usize::try_from(index).ok().and_then(|index| line.get_mut(index)) {
                *to = on;
            }
        }
        result
    })])
}

/// Trilu: zeros below or above a diagonal.
pub(super) fn trilu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let upper = context.int("upper", 1)? != 0;
    let diagonal = match inputs.get(1).copied().flatten() {
        Some(_) => integer(context, inputs, 1)?,
        None => 0,
    };
    let rank = tensor.shape().len();
    if rank < 2 {
        return Err(context.error(format!(
            "input 0 has {:?}, not two or more axes",
            tensor.shape()
        )));
    }
    Ok(vec![each!(tensor, values => {
        let mut result = values.clone();
        for (place, value) in result.indexed_iter_mut() {
            let (row, col) = (place[rank - 2] as i64, place[rank - 1] as i64);
            // Below the diagonal is what `upper` drops, above it what the other drops.
            let above = (col - row).cmp(&diagonal);
            if above == if upper { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater } {
                *value = Default::default();
            }
        }
        result
    })])
}

/// CumSum of FP32 numbers, in binary64, or of integers.
pub(super) fn cum_sum(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let tensor = context.operand(inputs, 0)?;
    let axis = Axis(context.axis(integer(context, inputs, 1)?, tensor.shape().len())?);
    let exclusive = context.int("exclusive", 0)? != 0;
    let reverse = context.int("reverse", 0)? != 0;
    macro_rules! sums {
        ($values:expr, $zero:expr, $wide:expr, $narrow:expr) => {{
            let mut result = $values.clone();
            for mut line in result.lanes_mut(axis) {
                if reverse {
                    line.invert_axis(Axis(0));
                }
                let mut sum = $zero;
                for value in &mut line {
                    let before = sum;
                    sum = $wide(sum, *value);
                    *value = $narrow(if exclusive { before } else { sum });
                }
            }
            result
        }};
    }
    Ok(vec![match tensor {
        Tensor::Float(values) => Tensor::Float(sums!(
            values,
            0.0f64,
            |sum: f64, value: f32| sum + f64::from(value),
            |sum: f64| sum as f32
        )),
        Tensor::Int(element, values) => Tensor::Int(
            *element,
            sums!(values, 0i64, i64::wrapping_add, |sum: i64| sum),
        ),
        other => return Err(context.error(format!("input 0 is {}", other.element_type().name()))),
    }])
}

/// The number of elements.
pub(super) fn size(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let count = context
        .operand(inputs, 0)?
        .shape()
        .iter()
        .product::<usize>() as i64;
    Ok(vec![Tensor::Int(
        ElementType::Int64,
        ArrayD::from_elem(IxDyn(&[]), count),
    )])
}
