//! `quaver report`: what a plan does to every layer of a model, as a page.

mod html;
mod plots;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use quaver_contract::CoreConfig;
use quaver_fast::Fast;
use quaver_quant::graph::{Hook, Layer, Product, Session};
use quaver_quant::report::{Figures, LayerFigures, Originals};
use quaver_quant::search::PrecisionRow;
use quaver_quant::{Error, Plan, Tensor, onnx};
use serde::Serialize;

use super::run::{EngineArgs, PLANS, PlanArgs, progress, read_inputs};
use crate::args::Global;
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
The model runs in FP32 on the fast engine, and with the plan. The page holds all that it shows: error, formats
and scales of every layer, and how the numbers lie in the formats' ranges.

EXAMPLES:
  quaver report digits.onnx --input digits.npz --format e4m3fn -o digits.html
  quaver report digits.onnx --input digits.npz --format e4m3fn --profile h100 --keep fc=bf16 -o digits.html
  quaver report digits.onnx --input digits.npz --plan plan.json --json -o digits.html";

/// Arguments of `quaver report`.
#[derive(Debug, Args)]
#[command(after_help = format!("{PLANS}\n{EXAMPLES}"))]
pub(crate) struct ReportArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// Its inputs, an array each, by their names
    #[arg(long, value_name = "X.npz")]
    input: PathBuf,

    #[command(flatten)]
    plan: PlanArgs,

    #[command(flatten)]
    jobs: EngineArgs,

    /// Where the page goes
    #[arg(short, long, value_name = "REPORT.html")]
    output: PathBuf,

    /// Prints one JSON object: the page's figures
    #[arg(long)]
    json: bool,
}

/// The object of `--json`, and what the page shows.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    model: String,
    input: String,
    engine: &'static str,
    accumulator: &'static str,
    jobs: u64,
    macs: u64,
    /// Of the run with the plan.
    seconds: f64,
    outputs: Vec<OutputRow>,
    layers: Vec<LayerFigures>,
}

/// An output of the model, in FP32.
#[derive(Serialize)]
struct OutputRow {
    shape: Vec<usize>,
    #[serde(flatten)]
    precision: PrecisionRow,
}

/// The distance relative to the original, L2.
fn relative(row: &PrecisionRow) -> f64 {
    row.snr.sqrt()
}

/// Moves a bar beside a watcher.
struct Beside<'a, H> {
    hook: H,
    progress: &'a ProgressBar,
}

impl<H: Hook> Hook for Beside<'_, H> {
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        self.progress.inc(1);
        self.hook.layer(layer)
    }

    fn product(&mut self, product: &Product<'_>) -> Result<(), Error> {
        self.hook.product(product)
    }
}

/// Writes the page.
///
/// # Errors
/// [`CliError`] for bad input; then there is no page.
pub(crate) fn run(args: &ReportArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let config = CoreConfig::load(&args.jobs.config, &formats)?;
    let mut plan = args.plan.plan(&formats, &config)?;
    if !args.plan.quantises() {
        let allowed = "a format or a plan: there is nothing to report of FP32";
        return Err(CliError::option("--format", "missing", allowed));
    }
    let output = Output::check(&args.output)?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let mut session = Session::new(&model).map_err(CliError::model(&args.model))?;
    args.plan.keep(&mut plan, &session)?;
    let inputs = read_inputs(&args.input)?;
    let bar = progress(2 * session.layers().count());
    let mut originals = Beside {
        hook: Originals::default(),
        progress: &bar,
    };
    let mut fast = Fast::new(args.jobs.threads).map_err(CliError::other)?;
    let expected = session
        .run(inputs.clone(), &Plan::keep(), &mut fast, &mut originals)
        .map_err(CliError::other)?;
    let originals = originals.hook;
    let mut engine = args.jobs.make(&config, global)?;
    let mut figures = Beside {
        hook: Figures::new(&plan, &originals),
        progress: &bar,
    };
    let started = Instant::now();
    let results = session
        .run(inputs, &plan, &mut *engine, &mut figures)
        .map_err(CliError::other)?;
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let layers = figures.hook.layers;
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        model: args.model.display().to_string(),
        input: args.input.display().to_string(),
        engine: args.jobs.engine.name,
        accumulator: plan.accumulator.name(),
        jobs: layers.iter().map(|layer| layer.jobs).sum(),
        macs: layers.iter().map(|layer| layer.macs).sum(),
        seconds,
        outputs: results.iter().zip(&expected).filter_map(row).collect(),
        layers,
    };
    let page = html::page(&report)?;
    output.write(|writer| writer.write_all(page.as_bytes()))?;
    match args.json {
        true => console::print_json(&report),
        false => show(&report),
    }
}

/// How far an output is from the original one; outputs of integers have no row.
fn row(
    ((name, result), (_, expected)): (&(String, Tensor), &(String, Tensor)),
) -> Option<OutputRow> {
    match (result, expected) {
        (Tensor::Float(result), Tensor::Float(expected)) => {
            let numbers =
                |values: &ndarray::ArrayD<f32>| -> Vec<f32> { values.iter().copied().collect() };
            Some(OutputRow {
                shape: result.shape().to_vec(),
                precision: PrecisionRow::new(name, &numbers(expected), &numbers(result)),
            })
        }
        _ => None,
    }
}

fn show(report: &Report) -> Result<(), CliError> {
    let mut text = String::new();
    let worst = report
        .layers
        .iter()
        .filter(|layer| relative(&layer.precision) > 0.0);
    let worst = worst.max_by(|a, b| relative(&a.precision).total_cmp(&relative(&b.precision)));
    if let Some(layer) = worst {
        let error = relative(&layer.precision);
        text += &format!(
            "largest error: layer {}, {error:.2e}\n",
            layer.precision.name
        );
    }
    for output in &report.outputs {
        let (name, error) = (&output.precision.name, relative(&output.precision));
        text += &format!(
            "output {name} {:?}, relative error {error:.2e}\n",
            output.shape
        );
    }
    text += &format!(
        "{} layers, {} jobs on {} by {}, {:.3} s\n",
        report.layers.len(),
        report.jobs,
        report.engine,
        report.accumulator,
        report.seconds
    );
    console::print(&text)
}
