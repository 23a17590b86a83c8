//! The model file.

mod convert;
mod file;
mod model;
mod read;
mod tensors;
mod wire;

pub use model::{Attribute, Bytes, Dimension, Graph, Initializer, Model, Node, ValueInfo};
pub use read::{parse, read};
