//! `quaver accumulators`: how far each accumulator is from the exact sum.

use std::path::PathBuf;

use clap::Args;
use quaver_study::{Area, Distance, Distribution, Study};
use serde::Serialize;

use crate::args::{Global, one_of};
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
Every accumulator sums the same random products; distances are in units in the last place (ulp) of
the exact sum, rounded once to FP32. LUT4s and MHz are those of an e4m3fn PE on a Lattice ECP5, as
scripts/synth measured them (docs/area.md).

DISTRIBUTIONS:
  normal    standard normal
  uniform   uniform in [-1, 1)
  positive  uniform in [0, 1): what follows a ReLU
  outliers  standard normal, one in a hundred 64 times as large
  codes     every finite code with equal probability

EXAMPLES:
  quaver accumulators
  quaver accumulators --k 4096 --distribution outliers --format e5m2 --svg accumulators.svg
  quaver accumulators --m 16 --n 16 --k 100 --seed 7 --json";

/// Arguments of `quaver accumulators`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AccumulatorsArgs {
    /// Rows of A
    #[arg(long, default_value_t = 64)]
    m: u16,

    /// Columns of B
    #[arg(long, default_value_t = 64)]
    n: u16,

    /// Terms of each sum
    #[arg(long, default_value_t = 1024)]
    k: u16,

    /// Format of both operands
    #[arg(long, value_name = "FORMAT", default_value = "e4m3fn")]
    format: String,

    /// What the operands look like
    #[arg(long, value_name = "NAME", default_value = Distribution::Normal.name(),
        value_parser = one_of(Distribution::ALL, |distribution| distribution.name()))]
    distribution: Distribution,

    /// Seed of the operands
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Draws the distances
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    m: u16,
    n: u16,
    k: u16,
    format: &'static str,
    distribution: &'static str,
    seed: u64,
    accumulators: Vec<Row<'a>>,
}

/// An accumulator's error and cost.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    distance: &'a Distance,
    #[serde(flatten)]
    area: Area,
}

/// Runs the study and prints it.
///
/// # Errors
/// [`CliError`] for bad input or a picture that cannot be written.
pub(crate) fn run(args: &AccumulatorsArgs, global: &Global) -> Result<(), CliError> {
    let svg = args.svg.as_deref().map(Output::check).transpose()?;
    let study = Study {
        m: args.m.into(),
        n: args.n.into(),
        k: args.k.into(),
        format: global.formats()?.get(&args.format)?,
        distribution: args.distribution,
        seed: args.seed,
        threads: 0,
    };
    let distances = quaver_study::accumulators(&study).map_err(CliError::other)?;
    let areas = quaver_study::areas().map_err(CliError::other)?;
    if let Some(svg) = svg {
        let title = format!(
            "{} {} x {} x {}, {} operands, seed {}",
            study.format.name,
            study.m,
            study.n,
            study.k,
            study.distribution.name(),
            study.seed
        );
        let picture = quaver_study::svg(&title, &distances, &areas).map_err(CliError::other)?;
        svg.write(|file| file.write_all(picture.as_bytes()))?;
    }
    if args.json {
        return console::print_json(&Report {
            m: args.m,
            n: args.n,
            k: args.k,
            format: study.format.name,
            distribution: study.distribution.name(),
            seed: args.seed,
            accumulators: distances
                .iter()
                .zip(&areas)
                .map(|(distance, &area)| Row { distance, area })
                .collect(),
        });
    }
    let header = [
        "accumulator",
        "differing",
        "max ulp",
        "mean ulp",
        "max relative",
        "relative l2",
        "LUT4 a MAC",
        "MHz",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(distances.iter().zip(&areas).map(|(d, area)| {
        vec![
            d.accumulator.to_owned(),
            format!("{}/{}", d.differing, d.results),
            format!("{:.1}", d.max_ulp),
            format!("{:.3}", d.mean_ulp),
            format!("{:.2e}", d.max_relative),
            format!("{:.2e}", d.relative_l2),
            format!("{:.0}", area.luts_a_mac),
            format!("{:.1}", area.mhz),
        ]
    }));
    console::print(&console::columns(&rows))
}
