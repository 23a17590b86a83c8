//! `quaver quantize poprt`.

use std::path::{Path, PathBuf};

use clap::Args;
use quaver_contract::Formats;
use quaver_contract::accumulator::{AccumulatorRow, TABLE as ACCUMULATORS};
use quaver_fast::Fast;
use quaver_quant::graph::Session;
use quaver_quant::loss::Loss;
use quaver_quant::search::PrecisionRow;
use quaver_quant::workflow::poprt::{Collecting, Params, Stored, convert, quantise};
use quaver_quant::{Plan, onnx};
use serde::Serialize;

use super::ResultArgs;
use crate::args::one_of;
use crate::commands::run::read_inputs;
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
Conv, MatMul and Gemm go to FP8, other layers to FP16. A scale is a power of two: a code stands for its
number in F143 or F152 times it. The IPU's sums are not public: --accumulator says what stands for them.

EXAMPLES:
  quaver quantize poprt digits.onnx -o plan.json
  quaver quantize poprt digits.onnx --fp8-params F143,F143,-1,-3 --fp8-skip-op-names fc -o plan.json
  quaver quantize poprt digits.onnx --fp8-weight -o plan.json
  quaver quantize poprt digits.onnx --quantize --loss mse --calibration digits-calibration.npz \\
    --num-of-layers-keep-fp16 1 --quantize-log quantize.log --precision-compare precision.log \\
    -o plan.json";

/// Arguments of `quaver quantize poprt`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PoprtArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// Formats of inputs and weights, and the exponents of their scales
    #[arg(
        long,
        value_name = "F,F,S,S",
        default_value = "F143,F143,0,0",
        allow_hyphen_values = true
    )]
    fp8_params: String,

    /// Stores constant weights in FP8, and computes in FP16
    #[arg(long)]
    fp8_weight: bool,

    /// Layers that do not go to FP8
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    fp8_skip_op_names: Vec<String>,

    /// Searches for the format and scale of least loss of every input and weight
    #[arg(long, requires = "calibration")]
    quantize: bool,

    /// Calibration data, an array an input, by their names
    #[arg(long, value_name = "X.npz")]
    calibration: Option<PathBuf>,

    /// What the search makes least
    #[arg(long, value_name = "LOSS", default_value = "kld", requires = "quantize",
        value_parser = one_of(Loss::ALL, |row| row.1))]
    loss: (Loss, &'static str),

    /// Exponents of scales that are searched
    #[arg(
        long,
        value_name = "LOW..HIGH",
        default_value = "-5..0",
        requires = "quantize",
        allow_hyphen_values = true
    )]
    scale_range: String,

    /// Layers that lose most and stay in FP16
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "quantize")]
    num_of_layers_keep_fp16: usize,

    /// Writes the loss of every candidate, a JSON object a line
    #[arg(long, value_name = "quantize.log", requires = "quantize")]
    quantize_log: Option<PathBuf>,

    /// Writes how far each layer's output is from FP32's, a JSON object a line
    #[arg(long, value_name = "precision_compare.log", requires = "calibration")]
    precision_compare: Option<PathBuf>,

    /// How products are added
    #[arg(long, value_name = "NAME", default_value = "fp32",
        value_parser = one_of(ACCUMULATORS, |row| row.name))]
    accumulator: AccumulatorRow,

    #[command(flatten)]
    results: ResultArgs,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report {
    layers: usize,
    /// Layers that stay in FP16, of them those that lose most.
    kept: usize,
    lossy: Vec<String>,
}

/// Makes the plan.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(super) fn run(args: &PoprtArgs) -> Result<(), CliError> {
    let params = Params::parse(&args.fp8_params).map_err(CliError::other)?;
    let range = range(&args.scale_range)?;
    let check = |path: &Option<PathBuf>| path.as_deref().map(Output::check).transpose();
    let output = Output::check(&args.results.output)?;
    let (log, precision) = (check(&args.quantize_log)?, check(&args.precision_compare)?);
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let mut session = Session::new(&model).map_err(CliError::model(&args.model))?;
    let collected = match &args.calibration {
        None => Collecting::default(),
        Some(path) => collect(&mut session, path, &Plan::keep())?,
    };
    let accumulator = args.accumulator.name;
    let stored = match args.fp8_weight {
        false => Stored::Both,
        true => Stored::Weights,
    };
    let (plan, kept, rows) = match args.quantize {
        false => {
            let which = (&args.fp8_skip_op_names[..], stored);
            let plan = convert(&session, accumulator, params, which).map_err(CliError::other)?;
            (plan, Vec::new(), Vec::new())
        }
        true => {
            let keep = args.num_of_layers_keep_fp16;
            let which = (&args.fp8_skip_op_names[..], keep, stored);
            let found = quantise(&session, &collected, accumulator, range, args.loss.0, which)
                .map_err(CliError::other)?;
            (found.plan, found.kept, found.log)
        }
    };
    if let (Some(precision), Some(path)) = (precision, &args.calibration) {
        let made = plan.plan(&Formats::default()).map_err(CliError::other)?;
        session.forget();
        let quantised = collect(&mut session, path, &made)?;
        let rows = collected.outputs.iter().zip(&quantised.outputs);
        let rows = rows.map(|((name, x), (_, q))| PrecisionRow::new(name, x, q));
        lines(precision, rows)?;
    }
    if let Some(log) = log {
        lines(log, rows.into_iter())?;
    }
    output.write(|writer| writer.write_all(plan.to_json().as_bytes()))?;
    let report = Report {
        layers: plan.layers.len(),
        kept: session.layers().count() - plan.layers.len(),
        lossy: kept,
    };
    if args.results.json {
        return console::print_json(&report);
    }
    let lossy = match report.lossy.is_empty() {
        true => String::new(),
        false => format!(" (most lossy: {})", report.lossy.join(", ")),
    };
    let text = format!(
        "{} layers in FP8, {} in FP16{lossy}\n",
        report.layers, report.kept
    );
    console::print(&text)
}

fn collect(session: &mut Session<'_>, path: &Path, plan: &Plan) -> Result<Collecting, CliError> {
    let mut collecting = Collecting::default();
    let mut engine = Fast::new(0).map_err(CliError::other)?;
    session
        .run(read_inputs(path)?, plan, &mut engine, &mut collecting)
        .map_err(CliError::other)?;
    Ok(collecting)
}

/// A JSON object a line.
fn lines<T: Serialize>(output: Output, rows: impl Iterator<Item = T>) -> Result<(), CliError> {
    let rows: Vec<T> = rows.collect();
    output.write(|writer| {
        for row in &rows {
            serde_json::to_writer(&mut *writer, row)?;
            writer.write_all(b"\n")?;
        }
        Ok(())
    })
}

fn range(text: &str) -> Result<(i32, i32), CliError> {
    let read = || {
        let (low, high) = text.split_once("..")?;
        Some((low.parse().ok()?, high.parse().ok()?))
    };
    read().ok_or_else(|| CliError::option("--scale-range", text, "LOW..HIGH, within -32..31"))
}
