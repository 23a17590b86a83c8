//! Quantised models: an ONNX file in, its matrix products as jobs on any engine.
//!
//! - [`tensor`]: what flows between nodes;
//! - [`onnx`]: the model file;
//! - [`npz`]: files of arrays, which a model is given and returns;
//! - [`plan`]: what each layer's products are computed in;
//! - [`graph`]: the interpreter, and what can watch it;
//! - [`calibrate`]: what observers keep of activations;
//! - [`scale`], [`loss`], [`search`]: the scales that other systems derive from it, losses, and the search
//!   for the format and scale of least loss;
//! - [`workflow`]: what other systems make plans from;
//! - [`train`]: weights that fit a plan, by training with the plan's bits;
//! - [`export`]: a plan written into the model;
//! - [`report`]: what a plan did to every layer.

#![deny(unsafe_code)]

pub mod calibrate;
pub mod error;
pub mod export;
mod files;
pub mod graph;
pub mod loss;
pub mod npz;
pub mod onnx;
pub mod plan;
pub mod report;
pub mod scale;
pub mod search;
pub mod tensor;
pub mod train;
pub mod workflow;

pub use error::Error;
pub use plan::Plan;
pub use tensor::{ElementType, Tensor};
