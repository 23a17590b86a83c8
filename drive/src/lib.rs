//! Drives a core through the same AXI4-Lite and AXI4-Stream interfaces that it has on an FPGA.
//!
//! A [`Device`] is anything with the ports of a core and a clock: the generated Verilog in a
//! simulator, or the cycle model. A [`Driver`] runs [`quaver_contract::Job`]s on it; the same job
//! with the same seed and the same [`StallPattern`] moves the same bits in the same clocks,
//! whatever the device is.

#![forbid(unsafe_code)]

mod beats;
mod bus;
mod core;
mod device;
mod driver;
mod error;
mod random;
mod registers;
mod run;
mod stalls;
mod streams;

pub use bus::Response;
pub use device::{Device, PortId};
pub use driver::Driver;
pub use error::DriveError;
pub use random::Random;
pub use run::Run;
pub use stalls::{PerStream, StallPattern};
