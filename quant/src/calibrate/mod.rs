//! Observers: what numbers a tensor takes over calibration data, and the largest magnitude that its
//! scale should reach.

mod granularity;
mod histogram;
pub mod measurement;
mod observer;

pub use granularity::Granularity;
pub use histogram::{BINS, MagnitudeHistogram};
pub(crate) use observer::rank;
pub use observer::{Observer, ObserverKind, dynamic};
