//! Holds the RTL to the golden model: seeded stimulus, bit-for-bit comparison, counted classes of
//! cases, and reports.
//!
//! [`suites::SUITES`] is the list of suites; [`run`] runs them on a configuration and a
//! simulator. A mismatch is shrunk, written down with its operands and a waveform, and comes with
//! the command that repeats it. A suite without a case, or without a case of a class that it
//! promises, fails.

#![forbid(unsafe_code)]

mod bench;
mod compare;
mod context;
mod core;
mod coverage;
mod describe;
mod designs;
mod error;
mod failure;
mod junit;
mod options;
mod random;
mod report;
pub mod separate;
mod shrink;
pub mod stimulus;
pub mod suites;
mod tally;

use std::time::Instant;

pub use compare::{Divergence, first_divergence};
pub use context::SuiteContext;
pub use coverage::{Class, Coverage};
pub use designs::{Designs, Generated};
pub use error::VerifyError;
pub use junit::junit;
pub use options::{Options, Tier};
pub use random::Random;
pub use report::{Report, SuiteReport};
pub use suites::{SUITES, Suite};
pub use tally::Tally;

/// Runs the suites of `options`, one after the other. Whatever goes wrong is in the report.
pub fn run(options: &Options) -> Report {
    run_with(options, |_| {})
}

/// As [`run`]; `each` is called with every suite's report as soon as there is one.
pub fn run_with(options: &Options, mut each: impl FnMut(&SuiteReport)) -> Report {
    let mut suites = Vec::new();
    for suite in &options.suites {
        let report = run_suite(suite, options);
        each(&report);
        suites.push(report);
    }
    Report {
        config: options.config.name.clone(),
        simulator: options.simulator.name().to_owned(),
        tier: options.tier.name().to_owned(),
        seed: options.seed,
        suites,
    }
}

fn run_suite(suite: &Suite, options: &Options) -> SuiteReport {
    let context = SuiteContext::new(suite.name, options);
    let started = Instant::now();
    let mut tally = Tally::default();
    let result = (suite.run)(&context, &mut tally);
    let uncovered = match options.tier {
        // Rare classes cannot be expected of a few cases.
        Tier::Smoke => Vec::new(),
        _ => tally.coverage.empty(),
    };
    SuiteReport {
        name: suite.name,
        cases: tally.cases,
        mismatches: tally.mismatches,
        uncovered,
        classes: tally.coverage.into_counts(),
        failures: tally.failures,
        error: result.err().map(|error| error.to_string()),
        seconds: started.elapsed().as_secs_f64(),
    }
}
