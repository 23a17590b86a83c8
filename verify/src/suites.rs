//! The list of suites.

mod accumulate;
mod convert;
mod cycle;
mod decode;
mod gemm;
mod invariance;
mod multiply;
mod products;
mod protocol;
mod sums;
mod values;

use crate::{SuiteContext, Tally, VerifyError};

pub use accumulate::{Product, base_for, pick_pair, products};

/// A named suite.
pub struct Suite {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it compares, in a line.
    pub summary: &'static str,
    /// Runs it.
    pub run: fn(&SuiteContext<'_>, &mut Tally) -> Result<(), VerifyError>,
}

impl Suite {
    /// The suite of that name.
    ///
    /// # Errors
    /// [`VerifyError::Unknown`] with the known names.
    pub fn get(name: &str) -> Result<&'static Self, VerifyError> {
        let found = SUITES.iter().find(|suite| suite.name == name);
        found.ok_or_else(|| {
            VerifyError::unknown("suite", name, SUITES.iter().map(|suite| suite.name))
        })
    }
}

/// Every suite, from the operands' edge of the core to its whole.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "decode",
        summary: "every code of every operand format, at the decoder",
        run: decode::run,
    },
    Suite {
        name: "products",
        summary: "every product of two codes, through the core",
        run: products::run,
    },
    Suite {
        name: "accumulate",
        summary: "sums of every class, at the array's and the drain's adders",
        run: accumulate::run,
    },
    Suite {
        name: "multiply",
        summary: "products of every class, at the drain's multiplier",
        run: multiply::run_multiply,
    },
    Suite {
        name: "relu",
        summary: "values of every class, at the drain's activation",
        run: multiply::run_relu,
    },
    Suite {
        name: "encode",
        summary: "each format's own rounding and policy, at the output conversion",
        run: convert::run_encode,
    },
    Suite {
        name: "convert",
        summary: "every other legal rounding and policy, at the output conversion",
        run: convert::run_convert,
    },
    Suite {
        name: "gemm",
        summary: "random jobs of every kind under random stalls, through the core",
        run: gemm::run,
    },
    Suite {
        name: "cycle",
        summary: "random jobs under random stalls, on the core and on the cycle model: bits, counters, clocks",
        run: cycle::run,
    },
    Suite {
        name: "invariance",
        summary: "the same jobs on cores of other shapes, latencies and tilings",
        run: invariance::run,
    },
    Suite {
        name: "protocol",
        summary: "registers, refusals, abort, reset and the rules of the streams",
        run: protocol::run,
    },
];
