//! The cycle-level model of the core.
//!
//! [`Core`] steps through the core clock by clock; every register of the Verilog has its value, by
//! its name and place in the hierarchy, under any pattern of stalls. Arithmetic is the fast
//! engine's and the host's for `fp32`, and the golden model's for other accumulators: this crate adds
//! time. The files follow the datapath:
//!
//! | file | Verilog |
//! |---|---|
//! | `axi_lite`, `csr`, `job_control`, `counters` | the register bus and the job |
//! | `tile_iterator`, `loader`, `launcher`, `preloader`, `drain_control`, `bank_status` | the sequencer |
//! | `array`, `tokens`, `fixed` | skew, array and PEs; operands of accumulators other than `fp32`; exact sums |
//! | `levels` | chunks, and blocks with scales |
//! | `weight_stationary` | the three rows above, wired together |
//! | `output_stationary` | the same of the other dataflow: `quaver_os_*` |
//! | `psum_memory` | banks, columns and their travelling addresses |
//! | `drain` | scale, bias, ReLU and conversion |
//! | `core` | everything above, and the clock |
//!
//! `timing` gives the cycles of a job without stepping, `scalesim` those that SCALE-Sim would give.
//! `device` puts it behind its ports, `engine` runs jobs on it.

#![forbid(unsafe_code)]

mod arithmetic;
mod array;
mod axi_lite;
mod bank_status;
mod breakdown;
mod core;
mod counters;
mod csr;
mod device;
mod drain;
mod drain_control;
mod engine;
mod error;
mod fixed;
mod flow;
mod job_control;
mod launcher;
mod levels;
mod line;
mod loader;
pub mod memory;
mod output_stationary;
mod ports;
mod preloader;
mod psum_memory;
pub mod scalesim;
mod shape;
mod tile_iterator;
pub mod timing;
mod tokens;
pub mod trace;
mod weight_stationary;

pub use crate::axi_lite::{AxiLiteInputs, AxiLiteOutputs};
pub use crate::breakdown::Breakdown;
pub use crate::core::Core;
pub use crate::device::ModelDevice;
pub use crate::engine::CycleEngine;
pub use crate::error::SimError;
pub use crate::ports::{Beat, Inputs, Outputs};
pub use crate::shape::Shape;
