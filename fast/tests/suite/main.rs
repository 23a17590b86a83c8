//! The fast engine against the golden model.

mod fuzz;
mod gemm;
mod stimulus;
