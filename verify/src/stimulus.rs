//! What engines and units are fed: codes by class, binary32 values by class, and random jobs.

pub mod codes;
pub mod fp32;
pub mod jobs;
pub mod owned;
