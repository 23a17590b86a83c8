//! The numerics contract: what every Quaver engine is told, and nothing of how it computes.
//!
//! Formats, rounding, overflow policies, accumulators, core configurations, the CSR map and the
//! job that engines run are declared here once. The golden model, the fast engine, the cycle
//! model and the Verilog generator each implement them on their own; no algorithm that decides a
//! result bit lives in this crate. `docs/numerics.md` is the normative text.

#![forbid(unsafe_code)]

pub mod accumulator;
pub mod block;
pub mod bundle;
pub mod config;
pub mod conversion;
pub mod csr;
pub mod error;
pub mod format;
pub mod formats;
pub mod job;
pub mod profile;

pub use accumulator::Accumulator;
pub use block::{BlockScale, Blocking};
pub use bundle::Bundle;
pub use config::{CoreBlocks, CoreConfig};
pub use conversion::{Conversion, Dither, Infinity, Nan, Overflow, Powers, Rounding, Stochastic};
pub use error::ContractError;
pub use format::{Encoding, Format, Specials};
pub use formats::Formats;
pub use job::{BlockScales, Engine, EngineError, Job, JobResult, Scale};
pub use profile::Profile;
