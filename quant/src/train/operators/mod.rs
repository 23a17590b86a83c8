//! The operators that training goes through, one file a family. Adding one is a row of [`TABLE`] and
//! its function.

mod convolution;
mod elementwise;
mod pool;
mod product;
mod shape;
#[cfg(test)]
mod tests;

use ndarray::{ArrayD, IxDyn};

use super::gradient::Gradient;
use crate::graph::context::{Attributes, node_error};
use crate::onnx::Node;
use crate::plan::LayerPlan;
use crate::{Error, Tensor};

/// A node that ran, on the way back.
pub(super) struct Step<'a> {
    pub(super) node: &'a Node,
    /// What its products were computed in, and what stands for the derivative of quantisers.
    pub(super) plan: (&'a LayerPlan, Gradient),
    pub(super) operands: Vec<Option<&'a Tensor>>,
    /// Which operands have a gradient that something needs.
    pub(super) wanted: Vec<bool>,
}

/// A gradient for each operand that wants one.
pub(super) type Gradients = Vec<Option<ArrayD<f32>>>;

type Backward = fn(&Step<'_>, &ArrayD<f32>) -> Result<Gradients, Error>;

/// An operator.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Which of its operands are trained where they are FP32 constants of the model.
    pub(super) trained: &'static [usize],
    /// The gradients of its operands from that of its result.
    pub(super) backward: Backward,
}

const fn row(name: &'static str, trained: &'static [usize], backward: Backward) -> Row {
    Row {
        name,
        trained,
        backward,
    }
}

/// Every operator, by name.
pub(super) static TABLE: &[Row] = &[
    row("Add", &[0, 1], elementwise::add),
    row("AveragePool", &[], pool::average),
    row(
        "BatchNormalization",
        &[1, 2],
        elementwise::batch_normalisation,
    ),
    row("Constant", &[], shape::constant),
    row("Conv", &[1, 2], convolution::conv),
    row("Flatten", &[], shape::same_elements),
    row("Gemm", &[1, 2], product::gemm),
    row("GlobalAveragePool", &[], pool::global_average),
    row("Identity", &[], shape::same_elements),
    row("MatMul", &[1], product::matmul),
    row("MaxPool", &[], pool::max),
    row("Relu", &[], elementwise::relu),
    row("Reshape", &[], shape::same_elements),
];

/// The row of a node.
///
/// # Errors
/// [`Error::Node`] with the operators of the table.
pub(super) fn find(node: &Node) -> Result<&'static Row, Error> {
    let own = matches!(node.domain.as_str(), "" | "ai.onnx");
    let row = TABLE.iter().find(|row| own && row.name == node.operator);
    row.ok_or_else(|| {
        let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        let names = names.join(", ");
        node_error(
            node,
            format!("training does not go through this operator ({names})"),
        )
    })
}

impl<'a> Step<'a> {
    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        node_error(self.node, message)
    }

    pub(super) const fn attributes(&self) -> Attributes<'a> {
        Attributes { node: self.node }
    }

    /// The FP32 operand at that place.
    pub(super) fn floats(&self, place: usize) -> Result<&'a ArrayD<f32>, Error> {
        match self.operands.get(place).copied().flatten() {
            Some(Tensor::Float(values)) => Ok(values),
            _ => Err(self.error(format!("input {place} is not of FP32 numbers"))),
        }
    }

    pub(super) fn wants(&self, place: usize) -> bool {
        self.wanted.get(place) == Some(&true)
    }

    /// Gradients of operands, those that are wanted.
    pub(super) fn each(
        &self,
        gradient: impl Fn(usize) -> Result<ArrayD<f32>, Error>,
    ) -> Result<Gradients, Error> {
        let places = self.wanted.iter().enumerate();
        let each = places.map(|(place, &wanted)| wanted.then(|| gradient(place)).transpose());
        each.collect()
    }
}

/// The same elements in C order with another shape.
fn reshaped(values: &ArrayD<f32>, shape: &[usize]) -> ArrayD<f32> {
    let values = values.as_standard_layout().into_owned();
    let result = values.into_shape_with_order(IxDyn(shape));
    result.expect("the same elements")
}
