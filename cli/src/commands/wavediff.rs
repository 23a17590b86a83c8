//! `quaver wavediff`: two waveforms of a core, compared.

use std::path::PathBuf;

use clap::Args;
use quaver_sim::trace::wavediff;
use serde::Serialize;

use crate::console;
use crate::error::CliError;

const EXAMPLES: &str = "\
Compares the variables that both have, by name and width, just before every clock edge, and names
the first cycle with a difference. Cycle n is at times 2n and 2n + 1. Real numbers beside the bits
are not compared.

EXAMPLES:
  quaver gemm --a a.npy --b b.npy --format-a e5m2 --format-b e5m2 --engine rtl --config single \\
    --vcd rtl.vcd -o d.npy
  quaver wavediff rtl.vcd model.vcd

EXIT STATUS:
  0  no difference    1  a difference    2  no waveforms of a core";

/// Arguments of `quaver wavediff`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WavediffArgs {
    /// A waveform
    #[arg(value_name = "A.vcd")]
    first: PathBuf,

    /// Another
    #[arg(value_name = "B.vcd")]
    second: PathBuf,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report {
    equal: bool,
    cycles: u64,
    common: usize,
    only_in_first: Vec<String>,
    only_in_second: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divergence: Option<First>,
}

/// The first difference.
#[derive(Serialize)]
struct First {
    cycle: u64,
    time: u64,
    signal: String,
    first: String,
    second: String,
    /// Signals that differ in that cycle.
    signals: usize,
}

/// Compares the waveforms; whether they agree.
///
/// # Errors
/// [`CliError`] for a file that is no waveform of a core, or two without a variable in common.
pub(crate) fn run(args: &WavediffArgs) -> Result<bool, CliError> {
    let diff = wavediff(&args.first, &args.second).map_err(CliError::other)?;
    if diff.common == 0 {
        return Err(CliError::array(
            &args.second,
            "variables",
            "none",
            format!("some of those of {}", args.first.display()),
        ));
    }
    let report = Report {
        equal: diff.divergence.is_none(),
        cycles: diff.cycles,
        common: diff.common,
        only_in_first: diff.only[0].clone(),
        only_in_second: diff.only[1].clone(),
        divergence: diff.divergence.map(|divergence| First {
            cycle: divergence.cycle,
            time: 2 * divergence.cycle,
            signal: divergence.register,
            first: divergence.recorded,
            second: divergence.modelled,
            signals: divergence.count,
        }),
    };
    if args.json {
        console::print_json(&report)?;
    } else {
        console::print(&text(args, &report))?;
    }
    Ok(report.equal)
}

fn text(args: &WavediffArgs, report: &Report) -> String {
    let mut text = match &report.divergence {
        None => format!(
            "equal: {} cycles, {} signals\n",
            report.cycles, report.common
        ),
        Some(d) => format!(
            "cycle {} (time {}): {} is {} in the first and {} in the second; {} of {} signals differ\n",
            d.cycle, d.time, d.signal, d.first, d.second, d.signals, report.common
        ),
    };
    for (path, only) in [
        (&args.first, &report.only_in_first),
        (&args.second, &report.only_in_second),
    ] {
        if let Some(example) = only.first() {
            let count = only.len();
            text += &format!(
                "only in {}: {count} signals, such as {example}\n",
                path.display()
            );
        }
    }
    text
}
