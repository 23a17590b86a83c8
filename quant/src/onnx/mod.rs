//! The model file.

mod convert;
mod encode;
mod external;
mod model;
mod read;
mod tensors;
mod wire;
mod write;

pub use model::{Attribute, Bytes, Dimension, Graph, Initializer, Model, Node, ValueInfo};
pub use read::{parse, read};
pub use write::{Storage, write, write_to};
