//! `quaver bench`: the fast engine's speed beside named peers.

use std::path::PathBuf;

use clap::Args;
use quaver_bench::{GROUPS, Measurement, Options};

use crate::console;
use crate::error::CliError;

const EXAMPLES: &str = "\
Every figure is measured in turn with its peer's, each after 0.2 s of its own work, and the ratio is
the median over the pairs: above 1 is faster than the peer. The peers are numpy's sgemm, ml_dtypes and
onnxruntime, in the given Python. docs/speed.md has a machine's figures.

GROUPS:
  gemm          the fp32 accumulator over shapes, on one and two threads
  accumulators  the other accumulators
  blocks        operands with scales of blocks
  quantise      FP32 operands quantised and multiplied, beside the product alone
  convert       FP32 to FP8 and back, and the share of a memcpy's bytes per second
  models        whole models in FP8 beside onnxruntime's FP32; scripts/models/write makes them

A group takes less than two minutes with the usual number of pairs.

EXAMPLES:
  quaver bench --python target/venv/bin/python
  quaver bench convert gemm --python target/venv/bin/python --json
  quaver bench models --python target/venv-models/bin/python
  quaver bench accumulators --only dot_gaudi3 --python target/venv/bin/python";

/// Arguments of `quaver bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// Groups of figures [default: all but models]
    #[arg(value_name = "GROUP", value_parser = clap::builder::PossibleValuesParser::new(GROUPS))]
    groups: Vec<String>,

    /// A Python that has numpy, ml_dtypes and onnxruntime
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// The folder of the models
    #[arg(long, value_name = "FOLDER", default_value = "target/models")]
    models: PathBuf,

    /// Pairs of runs a figure, at least 5
    #[arg(long, value_name = "COUNT", default_value_t = 7,
        value_parser = clap::value_parser!(u16).range(5..=1000))]
    pairs: u16,

    /// Measures only figures whose name has this in it
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,

    /// Prints a JSON list of objects
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
///
/// # Errors
/// [`CliError`] for a peer that cannot be measured.
pub(crate) fn run(args: &BenchArgs) -> Result<(), CliError> {
    let options = Options {
        python: args.python.clone(),
        models: args.models.clone(),
        pairs: args.pairs.into(),
        only: args.only.clone(),
    };
    let line = |m: &Measurement| {
        // The list is printed once it is whole.
        if !args.json {
            let text = format!(
                "{:<58} {:>8.2} {:<8} {:>6.2} x {:.2} of {}\n",
                m.name, m.ours, m.unit, m.ratio, m.peer, m.peer_name
            );
            // A reader that has gone away does not stop the measurement; the end does.
            let _ = console::print(&text);
        }
    };
    let measurements = quaver_bench::run(&args.groups, &options, line).map_err(CliError::other)?;
    match args.json {
        true => console::print_json(&measurements),
        false => Ok(()),
    }
}
