//! What can watch the matrix products of a run.

use ndarray::ArrayViewD;
use quaver_contract::{Job, JobResult};

use crate::onnx::Node;
use crate::{Error, Tensor};

/// One product layer, after it ran: its operands as the node has them, before any quantiser.
///
/// Attention has two kinds of products under one plan: `input` is a list of the left operands of both, the scaled Q
/// and the weights that softmax gives; `weight` is one of the right operands, the scaled K and V.
#[derive(Debug)]
pub struct Layer<'a> {
    /// The node's name (`onnx::Node::label`).
    pub node: &'a str,
    /// Its operator.
    pub operator: &'a str,
    /// The activation: A of MatMul and Gemm, X of a convolution.
    pub input: ArrayViewD<'a, f32>,
    /// The weight: B of MatMul and Gemm (as stored, before any transposition), W of a convolution.
    pub weight: ArrayViewD<'a, f32>,
    /// Whether the weight is a constant of the model; attention's second operands and those of Einsum count as
    /// activations.
    pub constant: bool,
    /// The result, bias included, in the shape that the node returns.
    pub output: ArrayViewD<'a, f32>,
    /// The same before the plan's output quantiser, where it has one.
    pub unquantised: Option<ArrayViewD<'a, f32>>,
}

/// One job of a quantised layer; a layer with groups or a batch has several.
#[derive(Debug)]
pub struct Product<'a> {
    /// The node's name.
    pub node: &'a str,
    /// Its operator.
    pub operator: &'a str,
    /// The job's place among the node's, from 0.
    pub index: usize,
    /// The job.
    pub job: &'a Job<'a>,
    /// What the engine made of it.
    pub result: &'a JobResult,
}

/// A watcher: calibration sees layers, a comparison of engines sees jobs, training sees values.
pub trait Hook {
    /// Called for every node after it ran, with its results in the order of its outputs.
    ///
    /// # Errors
    /// Any error ends the run.
    fn node(&mut self, node: &Node, results: &[Tensor]) -> Result<(), Error> {
        let _ = (node, results);
        Ok(())
    }

    /// Called for every product layer, whatever its plan.
    ///
    /// # Errors
    /// Any error ends the run.
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        let _ = layer;
        Ok(())
    }

    /// Called for every job of a quantised layer.
    ///
    /// # Errors
    /// Any error ends the run.
    fn product(&mut self, product: &Product<'_>) -> Result<(), Error> {
        let _ = product;
        Ok(())
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHook;

impl Hook for NoHook {}
