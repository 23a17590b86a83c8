//! The interpreter, and what can watch it.

mod hook;

pub use hook::{Hook, Layer, NoHook, Product};
