//! The fast engine against the golden model.

mod blocks;
mod compare;
mod environment;
mod fuzz;
mod gemm;
mod shrink;
mod stimulus;
