//! One module a command: its arguments, and what it does.

pub(crate) mod accumulators;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod configs;
pub(crate) mod convert;
pub(crate) mod explore;
pub(crate) mod export;
pub(crate) mod formats;
pub(crate) mod gemm;
pub(crate) mod generate;
pub(crate) mod layers;
pub(crate) mod model;
pub(crate) mod profiles;
pub(crate) mod qat;
pub(crate) mod quantize;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod verify;
pub(crate) mod wavediff;
