//! Gemm and MatMul: of `Y = Q(A) * Q(B)`, `dA = dY * Q(B)'` and `dB = Q(A)' * dY`, each through the
//! gradient of its quantiser.

use ndarray::{Array2, ArrayD, ArrayView2, Ix2};

use super::super::arithmetic::{product, reduced};
use super::super::gradient::{Operand, Place, operand};
use super::{Gradients, Step, reshaped};
use crate::Error;

/// Gradients of the two matrices of a product, those that are wanted.
pub(super) fn both(
    (a, b): (&Operand, &Operand),
    upstream: ArrayView2<'_, f32>,
    wanted: [bool; 2],
) -> [Option<Array2<f32>>; 2] {
    let first = wanted[0].then(|| {
        let mut gradient = product(upstream, b.numbers.t());
        a.through(&mut gradient);
        gradient
    });
    let second = wanted[1].then(|| {
        let mut gradient = product(a.numbers.t(), upstream);
        b.through(&mut gradient);
        gradient
    });
    [first, second]
}

fn matrix<'a>(step: &Step<'_>, values: &'a ArrayD<f32>) -> Result<ArrayView2<'a, f32>, Error> {
    let view = values.view().into_dimensionality::<Ix2>();
    view.map_err(|_| step.error(format!("shape {:?} is not of two axes", values.shape())))
}

/// `alpha * A' * B' + beta * C`; the factor belongs to A, before its quantiser.
pub(super) fn gemm(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    let attributes = step.attributes();
    let alpha = attributes.float("alpha", 1.0)?;
    let beta = attributes.float("beta", 1.0)?;
    let turned = [
        attributes.int("transA", 0)? != 0,
        attributes.int("transB", 0)? != 0,
    ];
    let (a, b) = (step.floats(0)?.mapv(|value| alpha * value), step.floats(1)?);
    let turn = |values, turned| match turned {
        true => ArrayView2::reversed_axes(values),
        false => values,
    };
    let left = turn(matrix(step, &a)?, turned[0]);
    let right = turn(matrix(step, b)?, turned[1]);
    let operands = (
        operand(step.plan, Place::FIRST, left, a.view())?,
        operand(step.plan, Place::SECOND, right, b.view())?,
    );
    let rows = matrix(step, upstream)?;
    let wanted = [step.wants(0), step.wants(1)];
    let [first, second] = both((&operands.0, &operands.1), rows, wanted);
    let back = |gradient: Array2<f32>, turned| match turned {
        true => gradient.reversed_axes().into_dyn(),
        false => gradient.into_dyn(),
    };
    let first = first.map(|gradient| back(gradient, turned[0]).mapv(|g| alpha * g));
    let second = second.map(|gradient| back(gradient, turned[1]));
    let added = step.wants(2).then(|| {
        let shape = step.floats(2)?.shape();
        Ok::<_, Error>(reduced(upstream, shape).mapv(|gradient| beta * gradient))
    });
    Ok(vec![first, second, added.transpose()?])
}

/// A of two or more axes by B of two.
pub(super) fn matmul(step: &Step<'_>, upstream: &ArrayD<f32>) -> Result<Gradients, Error> {
    let (a, b) = (step.floats(0)?, step.floats(1)?);
    if a.ndim() < 2 || b.ndim() != 2 {
        let found = format!("shapes {:?} and {:?}", a.shape(), b.shape());
        let allowed = "two or more axes by two, where they are trained";
        return Err(step.error(format!("{found} are not supported ({allowed})")));
    }
    let (k, n) = (b.shape()[0], b.shape()[1]);
    let rows = a.len().checked_div(k).unwrap_or(0);
    let left = reshaped(a, &[rows, k]);
    let left = matrix(step, &left)?;
    let right = matrix(step, b)?;
    let operands = (
        operand(step.plan, Place::FIRST, left, a.view())?,
        operand(step.plan, Place::SECOND, right, b.view())?,
    );
    let upstream = reshaped(upstream, &[rows, n]);
    let wanted = [step.wants(0), step.wants(1)];
    let found = both((&operands.0, &operands.1), matrix(step, &upstream)?, wanted);
    let [first, second] = found.map(|gradient| gradient.map(Array2::into_dyn));
    Ok(vec![
        first.map(|gradient| reshaped(&gradient, a.shape())),
        second,
    ])
}
