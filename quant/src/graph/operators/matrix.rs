//! MatMul and Gemm.

use ndarray::{Array1, Array2, ArrayD, Ix1, Ix2, IxDyn};

use super::super::context::{Context, broadcast};
use super::super::outputs::finish;
use super::super::products::{Operand, Operands};
use super::super::scales::Lines;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

pub(super) fn matmul(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (a, b) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    let shapes = || format!("shapes {:?} and {:?}", a.shape(), b.shape());
    if a.ndim() == 0 || b.ndim() == 0 {
        return Err(context.error(shapes()));
    }
    // A vector is a row on the left and a column on the right, and that axis goes again.
    let mut left_shape = a.shape().to_vec();
    let mut right_shape = b.shape().to_vec();
    if a.ndim() == 1 {
        left_shape.insert(0, 1);
    }
    if b.ndim() == 1 {
        right_shape.push(1);
    }
    let (batch_a, [m, k]) = last_two(&left_shape);
    let (batch_b, [terms, n]) = last_two(&right_shape);
    let batch = broadcast(batch_a, batch_b).filter(|_| k == terms);
    let batch = batch.ok_or_else(|| context.error(shapes()))?;
    context.elements(&[&batch[..], &[m, n]].concat())?;
    let constant = [0, 1].map(|place| context.constant.get(place) == Some(&true));
    let products = &mut *context.products;
    let codes = [
        products.whole(context.node, Lines::Rows, a, constant[0])?,
        products.whole(context.node, Lines::Columns, b, constant[1])?,
    ];
    let (left, right) = (a.as_standard_layout(), b.view());
    let left = Operand::of(left.view(), codes[0].as_ref());
    let right = Operand::of(right, codes[1].as_ref());
    let left = if a.ndim() == 1 {
        left.with_axis(0)
    } else {
        left
    };
    let right = if b.ndim() == 1 {
        right.with_axis(1)
    } else {
        right
    };
    let result = if right_shape.len() == 2 {
        // One B for the whole batch: its rows are rows of one product.
        let rows = batch.iter().product::<usize>() * m;
        let operands = Operands {
            a: left.rows(rows, k),
            b: right.matrix(&[]),
            bias: None,
            index: 0,
            channel: 0,
            constant: constant[1],
        };
        products.product(context.node, operands)?.into_dyn()
    } else {
        let with = |rest: [usize; 2]| [&batch[..], &rest].concat();
        let (left, right) = (
            left.broadcast(&with([m, k])),
            right.broadcast(&with([k, n])),
        );
        batched(context, (&left, &right), &batch, (m, n))?
    };
    let mut shape = batch;
    if a.ndim() > 1 {
        shape.push(m);
    }
    if b.ndim() > 1 {
        shape.push(n);
    }
    let result = result
        .into_shape_with_order(IxDyn(&shape))
        .expect("the same elements");
    let result = finish(context, a, b, result)?;
    Ok(vec![Tensor::Float(result)])
}

/// Products of matrices at every place of a batch.
pub(super) fn batched(
    context: &mut Context<'_, '_>,
    (left, right): (&Operand<'_, IxDyn>, &Operand<'_, IxDyn>),
    batch: &[usize],
    (m, n): (usize, usize),
) -> Result<ArrayD<f32>, Error> {
    let constant = context.constant.get(1) == Some(&true);
    let products = &mut *context.products;
    let count: usize = batch.iter().product();
    let operands = (0..count).map(|index| {
        let place = places(batch, index);
        Operands {
            a: left.matrix(&place),
            b: right.matrix(&place),
            bias: None,
            index,
            channel: 0,
            constant,
        }
    });
    let results = products.all(context.node, &operands.collect::<Vec<_>>())?;
    let mut numbers = products.buffers.take(count * m * n);
    for (to, result) in numbers.chunks_exact_mut((m * n).max(1)).zip(&results) {
        to.copy_from_slice(result.as_slice().expect("products are in C order"));
    }
    let shape = IxDyn(&[batch, &[m, n]].concat());
    Ok(ArrayD::from_shape_vec(shape, numbers).expect("a number a place"))
}

/// The lengths before the last two, and those.
fn last_two(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (batch, rest) = shape.split_at(shape.len() - 2);
    (batch, [rest[0], rest[1]])
}

/// The place of an element, by its number in C order.
fn places(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (place, &length) in place.iter_mut().zip(shape).rev() {
        *place = index % length;
        index /= length;
    }
    place
}

/// `alpha * A' * B' + beta * C`, with A' and B' as they are or transposed.
pub(super) fn gemm(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (a, b) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    let c = context.optional_floats(inputs, 2)?;
    let (alpha, beta) = (context.float("alpha", 1.0)?, context.float("beta", 1.0)?);
    for (place, values) in [a, b].into_iter().enumerate() {
        if values.ndim() != 2 {
            let found = format!("input {place} has {:?}, not two axes", values.shape());
            return Err(context.error(found));
        }
    }
    let constant = [0, 1].map(|place| context.constant.get(place) == Some(&true));
    let products = &mut *context.products;
    // A factor belongs to the activation: its codes are of the multiplied numbers.
    let scaled = (alpha != 1.0).then(|| a.mapv(|value| alpha * value));
    let first = scaled.as_ref().unwrap_or(a);
    let codes = [
        products.whole(context.node, Lines::Rows, first, constant[0])?,
        products.whole(context.node, Lines::Columns, b, constant[1])?,
    ];
    let (left, right) = (
        Operand::of(first.view(), codes[0].as_ref()),
        Operand::of(b.view(), codes[1].as_ref()),
    );
    let (mut left, mut right) = (left.matrix(&[]), right.matrix(&[]));
    let ([mut m, mut k], [mut terms, mut n]) =
        ([0, 1].map(|i| a.shape()[i]), [0, 1].map(|i| b.shape()[i]));
    if context.int("transA", 0)? != 0 {
        left = left.transposed();
        (m, k) = (k, m);
    }
    if context.int("transB", 0)? != 0 {
        right = right.transposed();
        (terms, n) = (n, terms);
    }
    if k != terms {
        let found = format!("{:?} and {:?}", (m, k), (terms, n));
        return Err(context.error(format!("{found} cannot be multiplied")));
    }
    context.elements(&[m, n])?;
    let added = match c {
        None => None,
        Some(c) => {
            let shape = || context.error(format!("input 2 is {:?} for {m} x {n}", c.shape()));
            Some(c.broadcast(IxDyn(&[m, n])).ok_or_else(shape)?)
        }
    };
    // A C that is the same for every row is a bias, which the array adds.
    let is_bias = c.is_some_and(|c| c.ndim() < 2 || c.shape()[0] == 1);
    let bias: Option<Array1<f32>> = added
        .as_ref()
        .filter(|_| is_bias && m > 0)
        .map(|c| c.index_axis(ndarray::Axis(0), 0).mapv(|value| beta * value))
        .map(|row| row.into_dimensionality::<Ix1>().expect("a row"));
    let operands = Operands {
        a: left,
        b: right,
        bias: bias.as_ref().map(|bias| bias.view()),
        index: 0,
        channel: 0,
        constant: constant[1],
    };
    let mut result: Array2<f32> = context.products.product(context.node, operands)?;
    if let (None, Some(c)) = (&bias, added) {
        let c = c.into_dimensionality::<Ix2>().expect("of two axes");
        result.zip_mut_with(&c, |sum, &c| *sum += beta * c);
    }
    let result = result.into_dyn();
    let result = finish(context, a, b, result)?;
    Ok(vec![Tensor::Float(result)])
}
