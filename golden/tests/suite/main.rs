//! The golden model against published values, the host's IEEE hardware and foreign libraries.
//!
//! Host floating point is welcome here: it shares nothing with the model.

mod block;
mod conversion;
mod fnuz;
mod foreign;
mod formats;
mod fp32;
mod gemm;
mod random;
mod scaled;
mod vectors;
