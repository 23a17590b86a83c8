//! `quaver quantize intfp`.

use std::path::PathBuf;

use clap::Args;
use quaver_contract::Formats;
use quaver_contract::accumulator::{AccumulatorRow, TABLE as ACCUMULATORS};
use quaver_fast::Fast;
use quaver_quant::graph::Session;
use quaver_quant::plan::file::LayerFile;
use quaver_quant::workflow::intfp::{Config, Decided, Observing, Rule, Setting};
use quaver_quant::{Plan, onnx};
use serde::Serialize;

use super::ResultArgs;
use crate::args::{Global, one_of};
use crate::commands::run::read_inputs;
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
A layer whose operands are both of at most 8 bits is a job on the array. Any other is quantised,
dequantised and computed on the host in FP32: fp16 or bf16 as a format rounds to that type.

CALIBRATORS:
  max, percentile:P, mse, entropy      from calibration data (weights: from their numbers, no entropy)
  dynamic, dynamic-percentile:P        of inputs and outputs, at run time

BLOCKS along K with scales of their own, found at run time; a length may follow, as in bf16:128:
  bf16 (64)   adaptive block floating point      mx (32)     powers of two
  fp32 (128)  binary32                           nvfp4 (16)  E4M3, and FP32 for the tensor

CONFIGURATION (JSON, or TOML in a file named so):
  accumulator             how products are added
  input, weight, output   {\"format\": F, \"calibrator\": C, \"per\": P, \"blocks\": B}; fp32 quantises nothing
  layers                  [{\"names\": [\"fc*\"], \"types\": [\"Linear\"], \"input\": ..., \"keep\": \"fp16\"}]; of a
                          layer the first that fits decides, what it does not say is the model's
The command line goes before the file.

EXAMPLES:
  quaver quantize intfp digits.onnx --calibration digits-calibration.npz --input-format int8 \\
    --weight-format int4 --weight-per channel --output-format fp16 -o plan.json
  quaver quantize intfp digits.onnx --input-format fp16 --weight-format int4 --weight-blocks bf16:32 \\
    --layer 'conv*=int8,int8,fp32' --calibration digits-calibration.npz -o plan.json
  quaver quantize intfp digits.onnx --input-format e4m3fn --weight-format e4m3fn --input-blocks mx \\
    --weight-blocks mx -o plan.json
  quaver quantize intfp digits.onnx --config intfp.toml --calibration digits-calibration.npz -o plan.json";

/// Arguments of `quaver quantize intfp`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct IntfpArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// Calibration data, an array an input, by their names; may be repeated
    #[arg(long, value_name = "X.npz")]
    calibration: Vec<PathBuf>,

    /// A configuration
    #[arg(long, value_name = "CONFIG.json|CONFIG.toml")]
    config: Option<PathBuf>,

    /// Format of inputs
    #[arg(long, value_name = "FORMAT")]
    input_format: Option<String>,

    /// Format of weights
    #[arg(long, value_name = "FORMAT")]
    weight_format: Option<String>,

    /// Format of outputs
    #[arg(long, value_name = "FORMAT")]
    output_format: Option<String>,

    /// Calibrator of inputs [default: max]
    #[arg(long, value_name = "C", requires = "input_format")]
    input_calibrator: Option<String>,

    /// Calibrator of weights [default: max]
    #[arg(long, value_name = "C", requires = "weight_format")]
    weight_calibrator: Option<String>,

    /// Calibrator of outputs [default: max]
    #[arg(long, value_name = "C", requires = "output_format")]
    output_calibrator: Option<String>,

    /// What of an input has a scale: tensor, or token where it is dynamic [default: tensor]
    #[arg(long, value_name = "WHAT", requires = "input_format")]
    input_per: Option<String>,

    /// What of a weight has a scale: tensor, or output channel [default: tensor]
    #[arg(long, value_name = "WHAT", requires = "weight_format")]
    weight_per: Option<String>,

    /// Blocks of inputs
    #[arg(long, value_name = "KIND[:LENGTH]", requires = "input_format")]
    input_blocks: Option<String>,

    /// Blocks of weights
    #[arg(long, value_name = "KIND[:LENGTH]", requires = "weight_format")]
    weight_blocks: Option<String>,

    /// Formats of layers by a pattern of names or a type, max as their calibrator; may be repeated, the
    /// first that fits decides
    #[arg(long, value_name = "PATTERN=INPUT,WEIGHT,OUTPUT")]
    layer: Vec<String>,

    /// How products are added [default: the configuration's, else fp32]
    #[arg(long, value_name = "NAME", value_parser = one_of(ACCUMULATORS, |row| row.name))]
    accumulator: Option<AccumulatorRow>,

    #[command(flatten)]
    results: ResultArgs,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report {
    /// Layers as jobs.
    jobs: usize,
    /// Layers that are dequantised and computed on the host.
    host: usize,
    /// Layers that are kept.
    kept: usize,
}

/// Makes the plan.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(super) fn run(args: &IntfpArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let config = config(args)?;
    let output = Output::check(&args.results.output)?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let mut session = Session::new(&model).map_err(CliError::model(&args.model))?;
    let decided = Decided::by_config(&session, &formats, &config).map_err(CliError::other)?;
    let observed = observe(&mut session, &decided, &args.calibration)?;
    let accumulator = match (&args.accumulator, &config.accumulator) {
        (Some(row), _) => row.name,
        (None, Some(name)) => name,
        (None, None) => "fp32",
    };
    let plan = decided.plan(&session, observed.as_ref(), accumulator);
    let plan = plan.map_err(CliError::other)?;
    check(&plan, &formats)?;
    output.write(|writer| writer.write_all(plan.to_json().as_bytes()))?;
    let count = |fits: fn(&LayerFile) -> bool| plan.layers.values().filter(|x| fits(x)).count();
    let jobs = count(|layer| matches!(layer, LayerFile::Quantised { .. }));
    let host = count(|layer| matches!(layer, LayerFile::Dequantised { .. }));
    let report = Report {
        jobs,
        host,
        kept: session.layers().count() - jobs - host,
    };
    if args.results.json {
        return console::print_json(&report);
    }
    console::print(&format!(
        "{} layers as jobs, {} on the host, {} kept\n",
        report.jobs, report.host, report.kept
    ))
}

/// A plan that was made is one that can be run.
fn check(plan: &quaver_quant::plan::PlanFile, formats: &Formats) -> Result<(), CliError> {
    plan.plan(formats).map(|_| ()).map_err(CliError::other)
}

/// Runs the calibration data in FP32, where scales need it.
pub(super) fn observe(
    session: &mut Session<'_>,
    decided: &Decided,
    calibration: &[PathBuf],
) -> Result<Option<Observing>, CliError> {
    let Some(mut observing) = decided.observing().map_err(CliError::other)? else {
        return Ok(None);
    };
    if calibration.is_empty() {
        let allowed = "calibration data, which static scales need";
        return Err(CliError::option("--calibration", "missing", allowed));
    }
    let mut engine = Fast::new(0).map_err(CliError::other)?;
    for path in calibration {
        let inputs = read_inputs(path)?;
        session
            .run(inputs, &Plan::keep(), &mut engine, &mut observing)
            .map_err(CliError::model(path))?;
    }
    Ok(Some(observing))
}

/// The file's configuration with what the command line says before it.
fn config(args: &IntfpArgs) -> Result<Config, CliError> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(CliError::read(path))?;
            let toml = path
                .extension()
                .is_some_and(|extension| extension == "toml");
            Config::parse(&text, toml).map_err(CliError::model(path))?
        }
    };
    let setting = |format: &Option<String>,
                   calibrator: &Option<String>,
                   per: &Option<String>,
                   blocks: &Option<String>| {
        format.as_ref().map(|format| Setting {
            format: format.clone(),
            calibrator: calibrator.clone(),
            per: per.clone(),
            blocks: blocks.clone(),
        })
    };
    let (per, blocks) = (&args.input_per, &args.input_blocks);
    let input = setting(&args.input_format, &args.input_calibrator, per, blocks);
    let (per, blocks) = (&args.weight_per, &args.weight_blocks);
    let weight = setting(&args.weight_format, &args.weight_calibrator, per, blocks);
    let result = setting(&args.output_format, &args.output_calibrator, &None, &None);
    config.input = input.or(config.input);
    config.weight = weight.or(config.weight);
    config.output = result.or(config.output);
    let mut rules = Vec::new();
    for text in &args.layer {
        rules.push(rule(text)?);
    }
    rules.append(&mut config.layers);
    config.layers = rules;
    if config.input.is_none()
        && config.weight.is_none()
        && config.output.is_none()
        && config.layers.is_empty()
    {
        let allowed = "a format, a layer's formats or a configuration";
        return Err(CliError::option("--input-format", "missing", allowed));
    }
    Ok(config)
}

/// Reads `PATTERN=INPUT,WEIGHT,OUTPUT`.
fn rule(text: &str) -> Result<Rule, CliError> {
    let read = || {
        let (pattern, formats) = text.rsplit_once('=')?;
        let formats: Vec<&str> = formats.split(',').collect();
        let &[input, weight, output] = formats.as_slice() else {
            return None;
        };
        let setting = |format: &str| {
            Some(Setting {
                format: format.to_owned(),
                ..Setting::default()
            })
        };
        let is_type = quaver_quant::workflow::layers::check_type("", pattern).is_ok();
        let (names, types) = match is_type {
            true => (Vec::new(), vec![pattern.to_owned()]),
            false => (vec![pattern.to_owned()], Vec::new()),
        };
        Some(Rule {
            names,
            types,
            input: setting(input),
            weight: setting(weight),
            output: setting(output),
            keep: None,
        })
    };
    read().ok_or_else(|| CliError::option("--layer", text, "PATTERN=INPUT,WEIGHT,OUTPUT"))
}
