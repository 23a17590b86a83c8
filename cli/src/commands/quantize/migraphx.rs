//! `quaver quantize migraphx`.

use std::path::PathBuf;

use clap::Args;
use quaver_quant::onnx;
use quaver_quant::workflow::migraphx::{Compensate, convert};

use crate::args::one_of;
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
Products (MatMul, Gemm, Conv) whose two operands are DequantizeLinear of FLOAT8E4M3FN with constant scales
get FLOAT8E4M3FNUZ: the same bits for half the number, -0 as +0. Every number of a constant is compared
before and after. Inputs and outputs of the model keep their types.

EXAMPLES:
  quaver quantize migraphx qdq.onnx -o fnuz.onnx
  quaver quantize migraphx qdq.onnx --compensate result --json -o fnuz.onnx";

/// Arguments of `quaver quantize migraphx`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigraphxArgs {
    /// The model, with QuantizeLinear and DequantizeLinear
    #[arg(value_name = "QDQ.onnx")]
    model: PathBuf,

    /// What makes up for halved numbers: doubled scales, or the product times 4
    #[arg(long, value_name = "HOW", default_value = "scale",
        value_parser = one_of(Compensate::ALL, |row| row.1))]
    compensate: (Compensate, &'static str),

    /// Where the converted model goes
    #[arg(short, long, value_name = "FNUZ.onnx")]
    output: PathBuf,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// Converts the model.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(super) fn run(args: &MigraphxArgs) -> Result<(), CliError> {
    let output = Output::check(&args.output)?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let (model, report) =
        convert(&model, args.compensate.0).map_err(CliError::model(&args.model))?;
    output.write(|writer| onnx::write_to(&model, writer))?;
    if args.json {
        return console::print_json(&report);
    }
    let mut text = format!(
        "{} products in FNUZ, {} left alone; {} quantizers changed, {} tensors converted by nodes\n",
        report.products.len(),
        report.left_alone.len(),
        report.quantizers,
        report.converted_by_nodes
    );
    for row in &report.constants {
        text += &format!(
            "constant {}: {} codes, {} -0, {} NaN; {} values compared, 0 differ\n",
            row.name, row.codes, row.negative_zeros, row.nans, row.compared
        );
    }
    for row in &report.left_alone {
        text += &format!("left alone: {}: {}\n", row.node, row.reason);
    }
    console::print(&text)
}
