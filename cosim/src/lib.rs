//! Runs the generated Verilog: builds a design with Verilator or Icarus, and drives it from Rust
//! through the same AXI4-Lite and AXI4-Stream interfaces that it has on an FPGA.
//!
//! [`Simulator::open`] gives a [`Simulation`] of any [`quaver_hdl::Design`]: ports are set and
//! read as words of 32 bits, the clock is ticked, waveforms are written. [`RtlEngine`] drives a
//! whole core with it and runs [`quaver_contract::Job`]s.

#![deny(unsafe_code)]

pub mod cache;
pub mod engine;
pub mod error;
mod icarus;
mod library;
mod shim;
pub mod signals;
pub mod simulation;
mod testbench;
mod tool;
mod verilator;

pub use cache::Cache;
pub use engine::{RtlEngine, RtlOptions};
pub use error::CosimError;
pub use quaver_drive::{DriveError, PerStream, PortId, Random, Response, StallPattern};
pub use signals::Signals;
pub use simulation::{Batch, Simulation, Simulator, Step};

/// A job under way on a simulated core.
pub type Run<'e, 'j> = quaver_drive::Run<'e, 'j, Box<dyn Simulation>>;
