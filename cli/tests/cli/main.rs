//! The command from outside: what it prints, writes, refuses and leaves behind.

mod bad_input;
mod bench;
mod convert;
mod explore;
mod formats;
mod gemm;
mod generate;
mod model;
mod onnx;
mod processes;
mod products;
mod qat;
mod quantize;
mod report;
mod rtl;
mod run;
mod simulate;
mod support;
mod verify;
