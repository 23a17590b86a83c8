//! What is said about a run.

use std::path::Path;

use quaver_contract::job::Counters;
use serde::Serialize;

/// The object of `--json`.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) engine: &'static str,
    pub(super) config: &'a str,
    pub(super) format_a: &'static str,
    pub(super) format_b: &'static str,
    pub(super) accumulator: &'static str,
    pub(super) out: &'static str,
    pub(super) rounding: &'static str,
    pub(super) overflow: &'static str,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// For engines with a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cycles: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counters: Option<Clock>,
    pub(super) seconds: f64,
    pub(super) output: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vcd: Option<&'a Path>,
}

/// What a clocked engine counted; the names are those of the core's CSRs.
#[derive(Serialize)]
pub(super) struct Clock {
    cycles: u64,
    rows: u64,
    stall_a: u64,
    stall_b: u64,
    stall_c: u64,
    stall_p: u64,
    stall_d: u64,
}

impl From<Counters> for Clock {
    fn from(counters: Counters) -> Self {
        let Counters {
            cycles,
            rows,
            stall_a,
            stall_b,
            stall_c,
            stall_p,
            stall_d,
        } = counters;
        Self {
            cycles,
            rows,
            stall_a,
            stall_b,
            stall_c,
            stall_p,
            stall_d,
        }
    }
}
