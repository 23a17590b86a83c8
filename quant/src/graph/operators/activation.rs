//! Activations with parameters, and those without a name in the standard library.

use super::super::context::Context;
use super::elementwise::combine;
use crate::{Error, Tensor};

type Inputs<'a> = [Option<&'a Tensor>];

/// One function of every FP32 number, which may depend on attributes.
fn map(
    context: &Context<'_, '_>,
    inputs: &Inputs<'_>,
    function: impl Fn(f32) -> f32,
) -> Result<Vec<Tensor>, Error> {
    Ok(vec![Tensor::Float(
        context.floats(inputs, 0)?.mapv(function),
    )])
}

pub(super) fn elu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let alpha = context.float("alpha", 1.0)?;
    map(context, inputs, |x| {
        if x < 0.0 { alpha * x.exp_m1() } else { x }
    })
}

pub(super) fn celu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let alpha = context.float("alpha", 1.0)?;
    let celu = |x: f32| {
        if x < 0.0 {
            alpha * (x / alpha).exp_m1()
        } else {
            x
        }
    };
    map(context, inputs, celu)
}

/// Selu; its defaults are the fixed point of Klambauer et al., "Self-Normalizing Neural Networks".
pub(super) fn selu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let alpha = context.float("alpha", 1.673_263_2)?;
    let gamma = context.float("gamma", 1.050_701)?;
    let selu = |x: f32| gamma * if x < 0.0 { alpha * x.exp_m1() } else { x };
    map(context, inputs, selu)
}

pub(super) fn hard_sigmoid(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (alpha, beta) = (context.float("alpha", 0.2)?, context.float("beta", 0.5)?);
    map(context, inputs, |x| (alpha * x + beta).clamp(0.0, 1.0))
}

pub(super) fn hard_swish(x: f32) -> f32 {
    x * (x / 6.0 + 0.5).clamp(0.0, 1.0)
}

/// `ln(1 + e^x)`, of which neither end overflows.
pub(super) fn softplus(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + (-x.abs()).exp().ln_1p()
}

pub(super) fn softsign(x: f32) -> f32 {
    x / (1.0 + x.abs())
}

pub(super) fn mish(x: f32) -> f32 {
    x * softplus(x).tanh()
}

pub(super) fn swish(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let alpha = context.float("alpha", 1.0)?;
    map(context, inputs, |x| x / (1.0 + (-alpha * x).exp()))
}

pub(super) fn thresholded_relu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let alpha = context.float("alpha", 1.0)?;
    map(context, inputs, |x| if x <= alpha { 0.0 } else { x })
}

/// PRelu: slopes broadcast to the numbers, never the other way.
pub(super) fn prelu(
    context: &mut Context<'_, '_>,
    inputs: &Inputs<'_>,
) -> Result<Vec<Tensor>, Error> {
    let (values, slopes) = (context.floats(inputs, 0)?, context.floats(inputs, 1)?);
    if slopes.broadcast(values.raw_dim()).is_none() {
        let shapes = format!("{:?} for {:?}", slopes.shape(), values.shape());
        return Err(context.error(format!("slopes of {shapes}")));
    }
    let leak = |x: f32, slope: f32| if x < 0.0 { slope * x } else { x };
    Ok(vec![Tensor::Float(combine(context, values, slopes, leak)?)])
}
