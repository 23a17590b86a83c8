//! The golden model: what `docs/numerics.md` says, in integers, to be read beside it.
//!
//! Every result bit is made in the same four steps, one file each, in the datapath's order:
//!
//! | step | file | rules |
//! |---|---|---|
//! | a code becomes an exact [`Number`] | `decode` | 2.1 to 2.4 |
//! | numbers are multiplied or added exactly | `product`, `accumulate` | 2.6, 3.5, 4.1 |
//! | the exact number is rounded, once | `round` | 5.3, 5.4 |
//! | the rounded number becomes a code | `encode` | 5.1, 5.2, 5.5 to 5.7 |
//!
//! `scale` is the epilogue (rule 3), `gemm` the whole job (rule 1), and `convert` takes codes of
//! one format to codes of another (rule 5). `block` chooses the scales of blocks (rule 7) with the
//! quotients of `divide`, and `fnuz` exchanges OCP and FNUZ codes (rule 8). No host floating point is used anywhere.

#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]

pub mod accumulate;
pub mod block;
pub mod chain;
pub mod convert;
pub mod decode;
pub mod divide;
pub mod dot;
pub mod encode;
mod error;
pub mod fnuz;
pub mod gemm;
pub mod number;
pub mod product;
pub mod round;
pub mod scale;
pub mod scaled;
pub mod wide;

pub use accumulate::{add_fp32, multiply_add_fp32};
pub use block::{Blocks, dequantise, quantise};
pub use convert::{convert, convert_array, to_fp32};
pub use decode::decode;
pub use divide::divide;
pub use encode::encode;
pub use error::GoldenError;
pub use fnuz::{fnuz_to_ocp, ocp_to_fnuz};
pub use gemm::Golden;
pub use number::Number;
pub use product::{multiply, multiply_fp32};
pub use scaled::{Scaling, convert_scaled};
