//! `quaver export`: a model with its plan in ONNX's own nodes.

use std::path::PathBuf;

use clap::Args;
use quaver_quant::export::{export, scales::LayerScales};
use quaver_quant::onnx;
use quaver_quant::plan::PlanFile;
use serde::Serialize;

use crate::args::Global;
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
Weights become constants of FP8, FP4, INT8 or INT4; operands of quantised products go through
QuantizeLinear and DequantizeLinear, those of layers in bf16 or fp16 through Cast. A layer that ONNX
cannot say exactly as the plan means it is refused by its name.

EXAMPLES:
  quaver export model.onnx --plan plan.json -o quantised.onnx
  quaver export model.onnx --plan plan.json --scales scales.json --json -o quantised.onnx
  quaver run quantised.onnx --input x.npz";

/// Arguments of `quaver export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// The plan, as quaver quantize writes it
    #[arg(long, value_name = "PLAN.json")]
    plan: PathBuf,

    /// Where the quantised model goes
    #[arg(short, long, value_name = "QUANTISED.onnx")]
    output: PathBuf,

    /// Writes formats and scales of every layer
    #[arg(long, value_name = "SCALES.json")]
    scales: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report {
    quantised: usize,
    kept: usize,
    nodes_added: usize,
    opset: i64,
    ir_version: i64,
}

/// Writes the model.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(crate) fn run(args: &ExportArgs, global: &Global) -> Result<(), CliError> {
    let output = Output::check(&args.output)?;
    let scales = args.scales.as_deref().map(Output::check).transpose()?;
    let text = std::fs::read(&args.plan).map_err(CliError::read(&args.plan))?;
    let plan = PlanFile::parse(&text)
        .and_then(|file| file.plan(&global.formats()?))
        .map_err(CliError::model(&args.plan))?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let exported = export(&model, &plan).map_err(CliError::model(&args.model))?;
    if let Some(scales) = scales {
        scales.write(|writer| writer.write_all(exported.scales.to_json().as_bytes()))?;
    }
    output.write(|writer| onnx::write_to(&exported.model, writer))?;
    let layers = exported.scales.layers.values();
    let kept = layers.filter(|row| matches!(row, LayerScales::Kept { .. }));
    let kept = kept.count();
    let opset = exported.model.opsets.iter();
    let own = opset.filter(|(domain, _)| matches!(domain.as_str(), "" | "ai.onnx"));
    let report = Report {
        quantised: exported.scales.layers.len() - kept,
        kept,
        nodes_added: exported.nodes,
        opset: own.map(|row| row.1).next().unwrap_or(1),
        ir_version: exported.model.ir_version,
    };
    if args.json {
        return console::print_json(&report);
    }
    console::print(&format!(
        "{} layers quantised, {} kept; {} nodes added; opset {}, IR version {}\n",
        report.quantised, report.kept, report.nodes_added, report.opset, report.ir_version
    ))
}
