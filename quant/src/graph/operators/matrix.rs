//! MatMul and Gemm.

use ndarray::{Array1, Array2, ArrayD, ArrayView2, Ix1, Ix2, IxDyn};

use super::super::context::{Context, broadcast};
use super::super::hook::Layer;
use super::super::products::Operands;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// Tells the hook of a layer that ran.
pub(super) fn watch(
    context: &mut Context<'_, '_>,
    input: &ArrayD<f32>,
    weight: &ArrayD<f32>,
    output: &ArrayD<f32>,
) -> Result<(), Error> {
    let node = context.node;
    let constant = context.constant.get(1) == Some(&true);
    context.products.hook.layer(&Layer {
        node: node.label(),
        operator: &node.operator,
        input: input.view(),
        weight: weight.view(),
        constant,
        output: output.view(),
    })
}

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
    let (mut left, mut right) = (a.view(), b.view());
    if a.ndim() == 1 {
        left.insert_axis_inplace(ndarray::Axis(0));
    }
    if b.ndim() == 1 {
        right.insert_axis_inplace(ndarray::Axis(1));
    }
    let (batch_a, [m, k]) = last_two(left.shape());
    let (batch_b, [terms, n]) = last_two(right.shape());
    let batch = broadcast(batch_a, batch_b).filter(|_| k == terms);
    let batch = batch.ok_or_else(|| context.error(shapes()))?;
    let constant = context.constant.get(1) == Some(&true);
    let result = if right.ndim() == 2 {
        // One B for the whole batch: its rows are rows of one product.
        let rows = left.len() / k.max(1);
        let rows = if k == 0 {
            batch.iter().product::<usize>() * m
        } else {
            rows
        };
        let left = left.as_standard_layout();
        let left = left.to_shape((rows, k)).expect("rows of k");
        let operands = Operands {
            a: left.view(),
            b: right.into_dimensionality::<Ix2>().expect("two axes"),
            bias: None,
            index: 0,
            channel: 0,
            constant,
        };
        context
            .products
            .product(context.node, &operands)?
            .into_dyn()
    } else {
        let with = |batch: &[usize], rest: [usize; 2]| [batch, &rest].concat();
        let left = left
            .broadcast(with(&batch, [m, k]))
            .expect("the batches broadcast");
        let right = right
            .broadcast(with(&batch, [k, n]))
            .expect("the batches broadcast");
        let mut result = ArrayD::zeros(IxDyn(&with(&batch, [m, n])));
        let count: usize = batch.iter().product();
        for index in 0..count {
            let place = places(&batch, index);
            let operands = Operands {
                a: matrix(left.view(), &place),
                b: matrix(right.view(), &place),
                bias: None,
                index,
                channel: 0,
                constant,
            };
            let product = context.products.product(context.node, &operands)?;
            let mut view = result.view_mut();
            for &i in &place {
                view.index_axis_inplace(ndarray::Axis(0), i);
            }
            view.assign(&product);
        }
        result
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
    watch(context, a, b, &result)?;
    Ok(vec![Tensor::Float(result)])
}

/// The lengths before the last two, and those.
fn last_two(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (batch, rest) = shape.split_at(shape.len() - 2);
    (batch, [rest[0], rest[1]])
}

/// The place of an element, by its number in C order.
pub(super) fn places(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (place, &length) in place.iter_mut().zip(shape).rev() {
        *place = index % length;
        index /= length;
    }
    place
}

/// The last two axes at a place of those before.
pub(super) fn matrix<'a>(
    mut view: ndarray::ArrayViewD<'a, f32>,
    place: &[usize],
) -> ArrayView2<'a, f32> {
    for &i in place {
        view.index_axis_inplace(ndarray::Axis(0), i);
    }
    view.into_dimensionality().expect("two axes are left")
}

/// `alpha * A' * B' + beta * C`, with A' and B' as they are or transposed.
pub(super) fn gemm(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (a, b) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    let c = context.optional_floats(inputs, 2)?;
    let (alpha, beta) = (context.float("alpha", 1.0)?, context.float("beta", 1.0)?);
    let two = |values: &'_ ArrayD<f32>, place| {
        let view = values.view().into_dimensionality::<Ix2>();
        view.map(|view| view.to_owned()).map_err(|_| {
            context.error(format!(
                "input {place} has {:?}, not two axes",
                values.shape()
            ))
        })
    };
    let mut left = two(a, 0)?;
    let mut right = two(b, 1)?;
    if context.int("transA", 0)? != 0 {
        left = left.reversed_axes();
    }
    if context.int("transB", 0)? != 0 {
        right = right.reversed_axes();
    }
    if left.ncols() != right.nrows() {
        let found = format!("{:?} and {:?}", left.dim(), right.dim());
        return Err(context.error(format!("{found} cannot be multiplied")));
    }
    if alpha != 1.0 {
        left.mapv_inplace(|value| alpha * value);
    }
    let (m, n) = (left.nrows(), right.ncols());
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
        a: left.view(),
        b: right.view(),
        bias: bias.as_ref().map(|bias| bias.view()),
        index: 0,
        channel: 0,
        constant: context.constant.get(1) == Some(&true),
    };
    let mut result: Array2<f32> = context.products.product(context.node, &operands)?;
    if let (None, Some(c)) = (&bias, added) {
        let c = c.into_dimensionality::<Ix2>().expect("of two axes");
        result.zip_mut_with(&c, |sum, &c| *sum += beta * c);
    }
    let result = result.into_dyn();
    watch(context, a, b, &result)?;
    Ok(vec![Tensor::Float(result)])
}
