//! `quaver quantize`: plans for models, as other systems would make them.

mod intfp;
mod migraphx;
mod mixed;
mod poprt;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use quaver_fast::Fast;
use quaver_quant::calibrate::measurement::{Measurement, MeasurementError, Paths};
use quaver_quant::graph::Session;
use quaver_quant::scale::gaudi::Device;
use quaver_quant::workflow::inc::{Config, Measuring, Mode};
use quaver_quant::{Plan, Tensor, npz, onnx};
use serde::Serialize;

use super::run::read_inputs;
use crate::args::{Global, one_of};
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
CONFIGURATION (JSON):
  mode              MEASURE, QUANTIZE or AUTO
  dump_stats_path   prefix of the measurement files, its folder included
  observer          maxabs
  allowlist, blocklist   {\"names\": [\"parts of names\"], \"types\": [\"Linear\", \"Conv2d\", \"Matmul\"]}
  scale_method      unit_scale, hw_aligned_single_scale, maxabs_hw, maxabs_pow2, maxabs_hw_opt_weight,
                    act_maxabs_pow2_weights_pcs_opt_pow2, act_maxabs_hw_weights_pcs_maxabs_pow2
  fp8_config        E4M3 or E5M2
  hp_dtype          bf16, fp16 or fp32: what other layers are computed in
  measure_exclude   NONE or OUTPUT

EXAMPLES:
  quaver quantize inc digits.onnx --config measure.json --input digits-calibration.npz
  quaver quantize inc digits.onnx --config quantize.json --device gaudi3 -o plan.json
  quaver run digits.onnx --input digits.npz --plan plan.json --against-fp32";

const SYSTEMS: &str = "\
EXAMPLES:
  quaver quantize inc --help
  quaver quantize inc model.onnx --config quantize.json --device gaudi3 -o plan.json
  quaver quantize poprt model.onnx --fp8-params F143,F143,-1,-3 -o plan.json
  quaver quantize intfp model.onnx --input-format fp16 --weight-format int4 -o plan.json
  quaver quantize mixed model.onnx --calibration x.npz --limit 0.02 -o plan.json
  quaver quantize migraphx qdq.onnx -o fnuz.onnx
  quaver run model.onnx --input x.npz --plan plan.json";

/// Arguments of `quaver quantize`.
#[derive(Debug, Args)]
#[command(after_help = SYSTEMS)]
pub(crate) struct QuantizeArgs {
    #[command(subcommand)]
    system: System,
}

/// Where the results of a command that makes a plan go.
#[derive(Debug, Args)]
struct ResultArgs {
    /// Where the plan goes
    #[arg(short, long, value_name = "PLAN.json")]
    output: PathBuf,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum System {
    /// Intel Neural Compressor on Gaudi: measure, then make scales
    Inc(IncArgs),
    /// Graphcore PopRT: one format and scale for all, or the search for those of least loss
    Poprt(Box<poprt::PoprtArgs>),
    /// INT-FP-QSim: formats of inputs, weights and outputs, calibrators, blocks
    Intfp(Box<intfp::IntfpArgs>),
    /// Mixed precision: formats by layer, and the fewest layers lifted out of FP8 for an accuracy
    Mixed(Box<mixed::MixedArgs>),
    /// AMD MIGraphX: from OCP to FNUZ, for a model with FP8 codes
    Migraphx(migraphx::MigraphxArgs),
}

/// Arguments of `quaver quantize inc`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct IncArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// The configuration, with Neural Compressor's keys
    #[arg(long, value_name = "CONFIG.json")]
    config: PathBuf,

    /// Calibration data, an array an input, by their names: to measure
    #[arg(long, value_name = "X.npz")]
    input: Option<PathBuf>,

    /// The device whose formats and scales are used: to quantise
    #[arg(long, value_name = "DEVICE", default_value = "gaudi2",
        value_parser = one_of(Device::ALL, |row| row.1))]
    device: (Device, &'static str),

    /// Where the plan goes: to quantise
    #[arg(short, long, value_name = "PLAN.json")]
    output: Option<PathBuf>,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report {
    did: &'static str,
    layers: usize,
    /// Layers that are not quantised.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<usize>,
    files: Vec<PathBuf>,
}

/// Makes the plan, or what it needs; `false` where no plan is as accurate as asked.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(crate) fn run(args: &QuantizeArgs, global: &Global) -> Result<bool, CliError> {
    match &args.system {
        System::Inc(args) => inc(args).map(|()| true),
        System::Poprt(args) => poprt::run(args).map(|()| true),
        System::Intfp(args) => intfp::run(args, global).map(|()| true),
        System::Mixed(args) => mixed::run(args, global),
        System::Migraphx(args) => migraphx::run(args).map(|()| true),
    }
}

fn inc(args: &IncArgs) -> Result<(), CliError> {
    let text = std::fs::read(&args.config).map_err(CliError::read(&args.config))?;
    let config = Config::parse(&text).map_err(CliError::model(&args.config))?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let mut session = Session::new(&model).map_err(CliError::model(&args.model))?;
    let paths = Paths::of(&config.dump_stats_path);
    let quantise = match config.mode {
        Mode::Measure => false,
        Mode::Quantize => true,
        Mode::Auto => paths.json.exists(),
    };
    let report = match quantise {
        false => measure(args, &config, &mut session, &paths)?,
        true => make_scales(args, &config, &session, &paths)?,
    };
    if args.json {
        return console::print_json(&report);
    }
    let kept = report.kept.map_or_else(String::new, |kept| {
        format!(", {kept} kept in {}", config.hp_dtype)
    });
    let mut text = format!("{}: {} layers{kept}\n", report.did, report.layers);
    for file in &report.files {
        text += &format!("{}\n", file.display());
    }
    console::print(&text)
}

fn measure(
    args: &IncArgs,
    config: &Config,
    session: &mut Session<'_>,
    paths: &Paths,
) -> Result<Report, CliError> {
    let Some(input) = &args.input else {
        return Err(CliError::option(
            "--input",
            "missing",
            "calibration data, to measure",
        ));
    };
    let outputs = [&paths.json, &paths.npz, &paths.mod_list].map(|path| Output::check(path));
    let [json, arrays, list] = outputs;
    let (json, arrays, list) = (json?, arrays?, list?);
    let inputs = read_inputs(input)?;
    let mut measuring = Measuring::new(config.measure_exclude);
    let mut engine = Fast::new(0).map_err(CliError::other)?;
    session
        .run(inputs, &Plan::keep(), &mut engine, &mut measuring)
        .map_err(CliError::other)?;
    let measured = measuring.finish();
    let tensors: Vec<(String, Tensor)> = measured
        .arrays()
        .map(|(name, values)| (name, Tensor::Float(ndarray::arr1(values).into_dyn())))
        .collect();
    arrays.write(|writer| {
        npz::write_to(writer, tensors.iter().map(|(name, x)| (name.as_str(), x)))
    })?;
    list.write(|writer| writer.write_all(measured.mod_list().as_bytes()))?;
    json.write(|writer| writer.write_all(measured.to_json().as_bytes()))?;
    Ok(Report {
        did: "measured",
        layers: measured.nodes.len(),
        kept: None,
        files: vec![
            paths.json.clone(),
            paths.npz.clone(),
            paths.mod_list.clone(),
        ],
    })
}

fn make_scales(
    args: &IncArgs,
    config: &Config,
    session: &Session<'_>,
    paths: &Paths,
) -> Result<Report, CliError> {
    let Some(path) = &args.output else {
        return Err(CliError::option(
            "--output",
            "missing",
            "where the plan goes, to quantise",
        ));
    };
    let output = Output::check(path)?;
    let measured = read_measurement(&paths.json)?;
    let plan = config
        .quantise(session, &measured, args.device.0)
        .map_err(CliError::model(&paths.json))?;
    output.write(|writer| writer.write_all(plan.to_json().as_bytes()))?;
    Ok(Report {
        did: "quantised",
        layers: plan.layers.len(),
        kept: Some(session.layers().count() - plan.layers.len()),
        files: vec![path.clone()],
    })
}

fn read_measurement(path: &Path) -> Result<Measurement, CliError> {
    Measurement::read(path).map_err(|error| match error {
        MeasurementError::File { path, source } => CliError::Read { path, source },
        other => CliError::other(other),
    })
}
