//! Runs the generated Verilog: builds a design with Verilator or Icarus, and drives it from Rust
//! through the same AXI4-Lite and AXI4-Stream interfaces that it has on an FPGA.
//!
//! [`Simulator::open`] gives a [`Simulation`] of any [`quaver_hdl::Design`]: ports are set and
//! read as words of 32 bits, the clock is ticked, waveforms are written. [`RtlEngine`] drives a
//! whole core with it and runs [`quaver_contract::Job`]s.

#![deny(unsafe_code)]

mod beats;
mod bus;
pub mod cache;
mod core;
pub mod engine;
pub mod error;
mod icarus;
mod library;
pub mod random;
mod registers;
pub mod run;
mod shim;
pub mod signals;
pub mod simulation;
pub mod stalls;
mod streams;
mod testbench;
mod tool;
mod verilator;

pub use bus::Response;
pub use cache::Cache;
pub use engine::{RtlEngine, RtlOptions};
pub use error::CosimError;
pub use random::Random;
pub use run::Run;
pub use signals::{PortId, Signals};
pub use simulation::{Batch, Simulation, Simulator, Step};
pub use stalls::{PerStream, StallPattern};
