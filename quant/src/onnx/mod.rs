//! The model file.

mod model;

pub use model::{Attribute, Bytes, Dimension, Graph, Initializer, Model, Node, ValueInfo};
