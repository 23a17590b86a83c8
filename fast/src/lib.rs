//! The fast engine: SIMD kernels that return the contract's bits (`docs/numerics.md`) at close to
//! the machine's own matrix-multiply speed.
//!
//! Nothing here is shared with the golden model but the declarations of `quaver-contract`.
//!
//! - [`decode`]: codes to binary32, which holds every value of every format exactly;
//! - [`encode`]: binary32 to codes, branch-free, so that loops over it vectorise;
//! - [`convert`]: codes of one format to codes of another;
//! - [`engine`]: GEMM jobs, blocked and packed for the caches, threads over rows of the result.

mod aligned;
mod blocked;
pub mod convert;
pub mod decode;
#[cfg(target_arch = "x86_64")]
mod decode_avx512;
#[cfg(target_arch = "x86_64")]
mod decode_vbmi;
mod dot;
pub mod encode;
pub mod engine;
mod epilogue;
mod exact;
#[cfg(target_arch = "x86_64")]
mod few_rows;
mod finite;
mod float_environment;
mod isa;
mod kernel;
pub mod memory;
mod pack;
#[cfg(target_arch = "x86_64")]
mod pack_vbmi;
mod scaled;
mod sums;
mod tree;

pub use engine::Fast;
pub use isa::{Isa, Loop};
