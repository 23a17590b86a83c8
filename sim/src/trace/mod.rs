//! Registers by their Verilog names: to write them as a waveform, and to hold the model to one.

mod diff;
mod recording;
mod replay;
mod vcd;
mod visitor;

pub use diff::{WaveDiff, wavediff};
pub use replay::{Divergence, Replay, replay};
pub use vcd::Vcd;
pub use visitor::Visitor;
pub(crate) use visitor::VisitorExt;
