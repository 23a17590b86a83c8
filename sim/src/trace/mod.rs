//! Registers by their Verilog names: to write them as a waveform, and to hold the model to one.

mod recording;
mod replay;
mod visitor;

pub use replay::{Divergence, Replay, replay};
pub use visitor::Visitor;
pub(crate) use visitor::VisitorExt;
