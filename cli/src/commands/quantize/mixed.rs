//! `quaver quantize mixed`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quaver_contract::accumulator::{AccumulatorRow, TABLE as ACCUMULATORS};
use quaver_fast::Fast;
use quaver_quant::graph::{NoHook, Session};
use quaver_quant::plan::file::LayerFile;
use quaver_quant::plan::{Kept, LayerPlan};
use quaver_quant::workflow::mixed::{
    Calibrators, Config, EXHAUSTIVE, Found, Kind, Labels, Metric, Proof, fewest,
};
use quaver_quant::{Error, Plan, Tensor, onnx};
use serde::Serialize;

use super::ResultArgs;
use super::intfp::observe;
use crate::args::{Global, one_of};
use crate::commands::run::{read_array, read_inputs};
use crate::console;
use crate::error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "\
CONFIGURATION (JSON): a format for both operands of a layer, or {\"input\": F, \"weight\": F}; fp32, fp16
and bf16 keep it. The most specific row decides: a name written out, the pattern with most letters, a
type (Conv2d before Conv, Linear before Gemm), default. Without a row: e4m3fn.
  default        of layers without a row
  op_type_dict   {\"Linear\": \"e5m2\", \"Conv2d\": \"bf16\", \"Attention\": \"fp32\"}
  op_name_dict   {\"fc\": \"fp16\", \"encoder.*\": {\"input\": \"e5m2\", \"weight\": \"e4m3fn\"}}

METRICS:
  relative-error   distance of all outputs from FP32's, relative to them: at most the limit
  cosine, top1-agreement (with FP32's classes), top1-accuracy (with --labels): at least the limit
Classes are along the last axis of the first output.

With a limit, the fewest layers are lifted out of FP8: the most sensitive first, their number by
bisection; then each is put back if it can be; then all smaller sets are tried, where they are few.

EXIT STATUS:
  1  the limit is not met even with all layers lifted; no plan is written

EXAMPLES:
  quaver quantize mixed digits.onnx --calibration digits-calibration.npz -o plan.json
  quaver quantize mixed digits.onnx --calibration digits-calibration.npz --config mixed.json \\
    --metric relative-error --limit 0.02 --lift bf16 -o plan.json
  quaver quantize mixed digits.onnx --calibration digits-calibration.npz --evaluation digits.npz \\
    --metric top1-accuracy --labels digits-labels.npz:y --limit 0.98 -o plan.json --json";

/// Arguments of `quaver quantize mixed`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MixedArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// Calibration data, an array an input, by their names
    #[arg(long, value_name = "X.npz")]
    calibration: PathBuf,

    /// Data that the metric is of [default: the calibration data]
    #[arg(long, value_name = "X.npz")]
    evaluation: Option<PathBuf>,

    /// Precisions of layers
    #[arg(long, value_name = "CONFIG.json")]
    config: Option<PathBuf>,

    /// Calibrator of inputs, as quaver quantize intfp has them
    #[arg(long, value_name = "C", default_value = "max")]
    input_calibrator: String,

    /// Calibrator of weights
    #[arg(long, value_name = "C", default_value = "max")]
    weight_calibrator: String,

    /// One scale for each weight, not for each of its output channels
    #[arg(long)]
    per_tensor: bool,

    /// What is measured
    #[arg(long, value_name = "METRIC", default_value = "relative-error",
        value_parser = one_of(Kind::ALL, |row| row.1))]
    metric: (Kind, &'static str),

    /// What the metric has to be
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    limit: Option<f64>,

    /// The class of each row, integers
    #[arg(long, value_name = "FILE.npz[:KEY]")]
    labels: Option<String>,

    /// What lifted layers are computed in
    #[arg(long, value_name = "TYPE", default_value = "bf16",
        value_parser = one_of(&Kept::ALL, |kept| kept.name()))]
    lift: Kept,

    /// Most smaller sets that are tried for the proof that there is none
    #[arg(long, value_name = "COUNT", default_value_t = EXHAUSTIVE)]
    exhaustive: u64,

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
    metric: &'static str,
    limit: Option<f64>,
    /// Whether the plan meets the limit.
    meets: bool,
    /// The metric of FP32, of the configuration without lifted layers, and of the plan.
    fp32: f64,
    quantised: f64,
    plan: f64,
    /// What layers are lifted to, and which.
    lift: &'static str,
    lifted: Vec<String>,
    proof: Proof,
    /// The metric with each layer alone in FP8.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sensitivity: BTreeMap<String, f64>,
    steps: Vec<StepRow>,
}

#[derive(Serialize)]
struct StepRow {
    phase: &'static str,
    lifted: Vec<String>,
    metric: f64,
    meets: bool,
}

/// Makes the plan; `false` where no plan meets the limit.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(super) fn run(args: &MixedArgs, global: &Global) -> Result<bool, CliError> {
    let formats = global.formats()?;
    let config = match &args.config {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read(path).map_err(CliError::read(path))?;
            Config::parse(&text).map_err(CliError::model(path))?
        }
    };
    if let Some(limit) = args.limit
        && limit.is_nan()
    {
        return Err(CliError::option("--limit", limit, "numbers"));
    }
    let labels = args.labels.as_deref().map(read_labels).transpose()?;
    let output = Output::check(&args.results.output)?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let mut session = Session::new(&model).map_err(CliError::model(&args.model))?;
    let calibrators = Calibrators {
        input: args.input_calibrator.clone(),
        weight: args.weight_calibrator.clone(),
        channels: !args.per_tensor,
    };
    let decided = config
        .decide(&session, &formats, &calibrators)
        .map_err(CliError::other)?;
    let calibration = std::slice::from_ref(&args.calibration);
    let observed = observe(&mut session, &decided, calibration)?;
    let mut file = decided
        .plan(&session, observed.as_ref(), args.accumulator.name)
        .map_err(CliError::other)?;
    let plan = file.plan(&formats).map_err(CliError::other)?;
    let data = args.evaluation.as_ref().unwrap_or(&args.calibration);
    let inputs = read_inputs(data)?;
    let mut engine = Fast::new(0).map_err(CliError::other)?;
    let names: Vec<String> = session
        .layers()
        .map(|(name, _)| name)
        .filter(|name| matches!(plan.layer(name), LayerPlan::Quantised { .. }))
        .map(str::to_owned)
        .collect();
    // Quantisers of a layer are the same in every run, so that the codes of its weight can stay.
    let mut outputs = |plan: &Plan| session.run(inputs.clone(), plan, &mut engine, &mut NoHook);
    let reference = outputs(&Plan::keep()).map_err(CliError::model(data))?;
    let metric = Metric::new(args.metric.0, reference.clone(), labels).map_err(CliError::other)?;
    let fp32 = metric.of(&reference).map_err(CliError::other)?;
    let progress = progress();
    let meets = |value| {
        args.limit
            .is_none_or(|limit| metric.kind().meets(value, limit))
    };
    let mut one = |lifted: &[usize]| -> Result<(f64, bool), Error> {
        let mut plan = plan.clone();
        for &layer in lifted {
            let kept = LayerPlan::Keep(args.lift);
            plan.layers.insert(names[layer].clone(), kept);
        }
        let value = metric.of(&outputs(&plan)?)?;
        progress.set_message(format!("{} of {} lifted", lifted.len(), names.len()));
        progress.inc(1);
        Ok((value, meets(value)))
    };
    let badness = |value| metric.kind().badness(value);
    let found = fewest(names.len(), args.exhaustive, badness, &mut one);
    let found = found.map_err(CliError::other)?;
    progress.finish_and_clear();
    let report = report(args, &found, &names, fp32);
    if report.meets {
        for name in &report.lifted {
            let keep = args.lift.name().to_owned();
            file.layers.insert(name.clone(), LayerFile::Keep { keep });
        }
        output.write(|writer| writer.write_all(file.to_json().as_bytes()))?;
    }
    match args.results.json {
        true => console::print_json(&report)?,
        false => show(&report, names.len())?,
    }
    Ok(report.meets)
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} run {pos}, {msg} {elapsed}");
    let bar = ProgressBar::new_spinner();
    bar.set_style(style.expect("the template is legal"));
    bar
}

/// Integers of `FILE.npz:KEY`.
fn read_labels(text: &str) -> Result<Labels, CliError> {
    let wrong = || CliError::option("--labels", text, "an array of classes, integers from 0");
    match read_array("--labels", text)? {
        Tensor::Int(_, values) => {
            let classes = values.iter().map(|&value| usize::try_from(value).ok());
            classes.collect::<Option<Labels>>().ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

fn report(args: &MixedArgs, found: &Found, names: &[String], fp32: f64) -> Report {
    let named = |layers: &[usize]| layers.iter().map(|&layer| names[layer].clone()).collect();
    let of = |lifted: &[usize]| found.steps.iter().find(|step| step.lifted == lifted);
    let metric = |lifted: &[usize]| of(lifted).map_or(f64::NAN, |step| step.metric);
    Report {
        metric: args.metric.1,
        limit: args.limit,
        meets: found.proof != Proof::Impossible,
        fp32,
        quantised: metric(&[]),
        plan: metric(&found.lifted),
        lift: args.lift.name(),
        lifted: named(&found.lifted),
        proof: found.proof,
        sensitivity: names
            .iter()
            .cloned()
            .zip(found.sensitivity.iter().copied())
            .collect(),
        steps: (found.steps.iter())
            .map(|step| StepRow {
                phase: step.phase,
                lifted: named(&step.lifted),
                metric: step.metric,
                meets: step.meets,
            })
            .collect(),
    }
}

fn show(report: &Report, layers: usize) -> Result<(), CliError> {
    let header = ["step", "lifted", report.metric, "meets", "layers"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.push(vec![
        "fp32".to_owned(),
        "-".to_owned(),
        format!("{:.6}", report.fp32),
        "-".to_owned(),
    ]);
    rows.extend(report.steps.iter().map(|step| {
        let meets = if step.meets { "yes" } else { "no" };
        vec![
            step.phase.to_owned(),
            step.lifted.len().to_string(),
            format!("{:.6}", step.metric),
            meets.to_owned(),
            step.lifted.join(","),
        ]
    }));
    let mut text = console::columns(&rows);
    let names = match report.lifted.is_empty() {
        true => String::new(),
        false => format!(" ({})", report.lifted.join(", ")),
    };
    let count = report.lifted.len();
    text += &match report.proof {
        Proof::Impossible => format!("all {layers} layers lifted do not meet the limit\n"),
        Proof::Minimal => format!(
            "{count} of {layers} layers lifted to {}{names}, proven fewest\n",
            report.lift
        ),
        Proof::MinimalUnderRemoval => format!(
            "{count} of {layers} layers lifted to {}{names}; none of them can be put back alone\n",
            report.lift
        ),
    };
    console::print(&text)
}
