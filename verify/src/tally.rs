//! What a suite has counted so far.

use crate::Coverage;

/// Mismatches that are written down; the rest are counted.
const MAX_FAILURES: usize = 3;

/// Cases, mismatches and classes of a running suite.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Comparisons so far.
    pub cases: u64,
    /// Comparisons that differed.
    pub mismatches: u64,
    /// The first mismatches in words.
    pub failures: Vec<String>,
    /// Cases by class.
    pub coverage: Coverage,
}

impl Tally {
    /// Whether another mismatch should be written down.
    pub fn wants_failure(&self) -> bool {
        self.failures.len() < MAX_FAILURES
    }
}
