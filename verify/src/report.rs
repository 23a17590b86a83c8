//! What a run found: by suite, as text, JSON or JUnit XML.

use std::collections::BTreeMap;

use serde::Serialize;

/// The result of one suite.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteReport {
    /// The suite's name.
    pub name: &'static str,
    /// Comparisons that were made: elements, unit evaluations or protocol checks.
    pub cases: u64,
    /// Comparisons that differed.
    pub mismatches: u64,
    /// Cases by class.
    pub classes: BTreeMap<String, u64>,
    /// Classes that the suite promises and that had no case.
    pub uncovered: Vec<String>,
    /// The first mismatches, each as the text that a reader needs to follow it.
    pub failures: Vec<String>,
    /// Why the suite did not come to its end.
    pub error: Option<String>,
    /// Wall-clock time.
    pub seconds: f64,
}

impl SuiteReport {
    /// Whether it ran to its end, on at least one case, on every class, without a mismatch.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.cases > 0 && self.mismatches == 0 && self.uncovered.is_empty()
    }

    /// The outcome in a line.
    pub fn verdict(&self) -> String {
        let cases = self.cases;
        if let Some(error) = &self.error {
            format!("stopped: {error}")
        } else if self.mismatches > 0 {
            format!("{} mismatches in {cases} cases", self.mismatches)
        } else if cases == 0 {
            "no case was run".to_owned()
        } else if !self.uncovered.is_empty() {
            format!(
                "no mismatch in {cases} cases, but none of: {}",
                self.uncovered.join(", ")
            )
        } else {
            format!("{cases} cases, all equal")
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the configuration.
    pub config: String,
    /// Name of the simulator.
    pub simulator: String,
    /// Name of the tier.
    pub tier: String,
    /// The seed of all stimulus.
    pub seed: u64,
    /// The suites in the order in which they ran.
    pub suites: Vec<SuiteReport>,
}

impl Report {
    /// Whether there is at least one suite and all passed.
    pub fn passed(&self) -> bool {
        !self.suites.is_empty() && self.suites.iter().all(SuiteReport::passed)
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always serialise")
    }
}
