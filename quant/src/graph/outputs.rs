//! The end of a product layer: its output quantiser, and whoever watches.

use ndarray::ArrayD;

use super::context::Context;
use super::hook::Layer;
use super::scales::{Lines, scales};
use crate::Error;
use crate::plan::{LayerPlan, Quantiser, ScalePlan};
use crate::scale::Codec;

/// The layer's result: through its output quantiser, where the plan has one, and shown to the hook.
pub(super) fn finish(
    context: &mut Context<'_, '_>,
    input: &ArrayD<f32>,
    weight: &ArrayD<f32>,
    result: ArrayD<f32>,
) -> Result<ArrayD<f32>, Error> {
    let node = context.node;
    let quantised = match context.products.plan.layer(node.label()) {
        LayerPlan::Quantised {
            output: Some(quantiser),
            ..
        }
        | LayerPlan::Dequantised {
            output: Some(quantiser),
            ..
        } => Some(requantised(&result, quantiser)?),
        _ => None,
    };
    // Their second operands are no weights as stored, but what the product makes of them.
    let activations = matches!(node.operator.as_str(), "Attention" | "Einsum");
    let constant = !activations && context.constant.get(1) == Some(&true);
    context.products.hook.layer(&Layer {
        node: node.label(),
        operator: &node.operator,
        input: input.view(),
        weight: weight.view(),
        constant,
        output: quantised.as_ref().unwrap_or(&result).view(),
        unquantised: quantised.as_ref().map(|_| result.view()),
    })?;
    Ok(quantised.unwrap_or(result))
}

/// To codes and back, with one scale.
fn requantised(result: &ArrayD<f32>, quantiser: &Quantiser) -> Result<ArrayD<f32>, Error> {
    match quantiser.scale {
        ScalePlan::Tensor(_)
        | ScalePlan::DynamicTensor
        | ScalePlan::DynamicPercentile { lines: false, .. } => {}
        _ => {
            let allowed = "one for the tensor";
            return Err(Error::illegal("output scales", "one a line", allowed));
        }
    }
    let shape = result.raw_dim();
    let numbers: Vec<f32> = result.iter().copied().collect();
    let line = ndarray::ArrayView2::from_shape((1, numbers.len()), &numbers);
    let line = line.expect("one row of them");
    let scale = scales(line, quantiser, Lines::Rows, 0)?[0];
    let mut quantised = vec![0.0; numbers.len()];
    Codec::with(&quantiser.conversion)?.round_trip(&numbers, scale, &mut quantised);
    Ok(ArrayD::from_shape_vec(shape, quantised).expect("the same elements"))
}
