//! `quaver run`: an ONNX model, its matrix products as jobs on an engine.

mod planning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quaver_contract::{CoreConfig, Engine};
use quaver_cosim::Simulator;
use quaver_fast::Fast;
use quaver_quant::graph::{Hook, Layer, NEWEST_OPSET, Product, Session, supported};
use quaver_quant::{Error, Plan, Tensor, npz, onnx};
use serde::Serialize;

use crate::args::{Global, one_of};
use crate::console;
use crate::engines::{ENGINES, EngineOptions, EngineRow, SimulatorArgs};
use crate::error::CliError;
use crate::output::Output;
pub(crate) use planning::{PLANS, PlanArgs};

const EXAMPLES: &str = "\
EXAMPLES:
  quaver run digits.onnx --input digits.npz -o logits.npz
  quaver run digits.onnx --input digits.npz --format e4m3fn --against-fp32
  quaver run digits.onnx --input digits.npz --format e4m3fn --format-a e5m2 --per channel \\
    --profile h100 --keep fc=bf16 --json
  quaver run digits.onnx --input digits.npz --format e4m3fn --engine rtl --config small
  quaver run --operators";

/// Arguments of `quaver run`.
#[derive(Debug, Args)]
#[command(after_help = format!("{PLANS}\n{EXAMPLES}"))]
pub(crate) struct RunArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx", required_unless_present = "operators")]
    model: Option<PathBuf>,

    /// Its inputs, an array each, by their names
    #[arg(long, value_name = "X.npz", required_unless_present = "operators")]
    input: Option<PathBuf>,

    /// Where its outputs go
    #[arg(short, long, value_name = "Y.npz")]
    output: Option<PathBuf>,

    #[command(flatten)]
    plan: PlanArgs,

    #[command(flatten)]
    jobs: EngineArgs,

    /// Runs the model in FP32 too, and says how far each output is
    #[arg(long)]
    against_fp32: bool,

    /// Lists the operators that are supported
    #[arg(long, conflicts_with_all = ["model", "input", "output"])]
    operators: bool,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The engine of a model's jobs.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// What runs the jobs
    #[arg(long, default_value = "fast", value_parser = one_of(ENGINES, |row| row.name))]
    pub(crate) engine: EngineRow,

    /// The core of engines that have one: a named configuration or a file of one
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "default")]
    pub(crate) config: String,

    /// Threads of engines that use several; 0: one a core
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) threads: usize,

    #[command(flatten)]
    simulator: SimulatorArgs,
}

impl EngineArgs {
    /// The engine, of that core where it has one.
    pub(crate) fn make(
        &self,
        config: &CoreConfig,
        global: &Global,
    ) -> Result<Box<dyn Engine>, CliError> {
        let how = (self.threads, self.simulator.simulator);
        engine(&self.engine, config, how, global)
    }
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report {
    engine: &'static str,
    accumulator: &'static str,
    /// Products that ran as jobs, and their multiply-adds.
    jobs: u64,
    macs: u64,
    /// Of engines with a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    cycles: Option<u64>,
    seconds: f64,
    outputs: Vec<OutputRow>,
    layers: Vec<LayerRow>,
}

#[derive(Serialize)]
struct OutputRow {
    name: String,
    shape: Vec<usize>,
    /// Distance from FP32's output, relative to it (L2).
    #[serde(skip_serializing_if = "Option::is_none")]
    relative_error: Option<f64>,
}

/// A layer with products.
#[derive(Clone, Debug, Default, Serialize)]
struct LayerRow {
    node: String,
    operator: String,
    jobs: u64,
    macs: u64,
    cycles: u64,
    /// Distance of its output from FP32's, relative to it (L2).
    #[serde(skip_serializing_if = "Option::is_none")]
    relative_error: Option<f64>,
}

/// Counts jobs, layer by layer, and keeps outputs if asked.
struct Watch {
    layers: Vec<LayerRow>,
    keep: bool,
    outputs: Vec<Vec<f32>>,
    progress: ProgressBar,
}

impl Watch {
    fn new(keep: bool, layers: usize) -> Self {
        Self {
            layers: Vec::new(),
            keep,
            outputs: Vec::new(),
            progress: progress(layers),
        }
    }

    fn row(&mut self, node: &str, operator: &str) -> &mut LayerRow {
        if self.layers.last().is_none_or(|row| row.node != node) {
            self.layers.push(LayerRow {
                node: node.to_owned(),
                operator: operator.to_owned(),
                ..LayerRow::default()
            });
        }
        self.layers.last_mut().expect("one was pushed")
    }
}

impl Hook for Watch {
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        self.row(layer.node, layer.operator);
        if self.keep {
            self.outputs.push(layer.output.iter().copied().collect());
        }
        self.progress.inc(1);
        Ok(())
    }

    fn product(&mut self, product: &Product<'_>) -> Result<(), Error> {
        let job = product.job;
        let macs = (job.m() * job.n() * job.k()) as u64;
        let cycles = product
            .result
            .counters
            .map_or(0, |counters| counters.cycles);
        let row = self.row(product.node, product.operator);
        row.jobs += 1;
        row.macs += macs;
        row.cycles += cycles;
        Ok(())
    }
}

/// A bar over the layers of a model, on a terminal.
pub(crate) fn progress(layers: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} layers {elapsed}");
    let bar = ProgressBar::new(layers as u64);
    bar.set_style(style.expect("the template is legal"));
    bar
}

/// The engine of that row for a configuration.
pub(crate) fn engine(
    row: &EngineRow,
    config: &CoreConfig,
    (threads, simulator): (usize, Simulator),
    global: &Global,
) -> Result<Box<dyn Engine>, CliError> {
    (row.make)(&EngineOptions {
        config: config.clone(),
        threads,
        simulator,
        stalls: None,
        vcd: None,
        global,
    })
}

/// Reads a model's inputs.
pub(crate) fn read_inputs(path: &Path) -> Result<BTreeMap<String, Tensor>, CliError> {
    npz::read(path).map_err(CliError::model(path))
}

/// Reads the array of `FILE.npz:KEY`, or of `FILE.npz` where it is the only one.
pub(crate) fn read_array(option: &'static str, text: &str) -> Result<Tensor, CliError> {
    let (path, key) = match text.rsplit_once(':') {
        Some((path, key)) => (Path::new(path), Some(key)),
        None => (Path::new(text), None),
    };
    let mut arrays = npz::read(path).map_err(CliError::model(path))?;
    let found = match key {
        Some(key) => arrays.remove(key),
        None if arrays.len() == 1 => arrays.pop_first().map(|(_, array)| array),
        None => None,
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = arrays.keys().map(String::as_str).collect();
        let allowed = format!("FILE.npz:KEY, with one of the keys {}", names.join(", "));
        CliError::option(option, text, allowed)
    })
}

/// Runs the model.
///
/// # Errors
/// [`CliError`] for bad input; then there is no output.
pub(crate) fn run(args: &RunArgs, global: &Global) -> Result<(), CliError> {
    let (Some(path), Some(input)) = (&args.model, &args.input) else {
        return operators(args.json);
    };
    let formats = global.formats()?;
    let config = CoreConfig::load(&args.jobs.config, &formats)?;
    let mut plan = args.plan.plan(&formats, &config)?;
    let output = args.output.as_deref().map(Output::check).transpose()?;
    let model = onnx::read(path).map_err(CliError::model(path))?;
    let mut session = Session::new(&model).map_err(CliError::model(path))?;
    args.plan.keep(&mut plan, &session)?;
    let inputs = read_inputs(input)?;
    let layers = session.layers().count();
    let mut engine = args.jobs.make(&config, global)?;
    let mut watch = Watch::new(args.against_fp32, layers);
    let started = Instant::now();
    let results = session
        .run(inputs.clone(), &plan, &mut *engine, &mut watch)
        .map_err(CliError::other)?;
    let seconds = started.elapsed().as_secs_f64();
    watch.progress.finish_and_clear();
    let reference = match args.against_fp32 {
        false => None,
        true => {
            let mut kept = Watch::new(true, layers);
            let mut fast = Fast::new(args.jobs.threads).map_err(CliError::other)?;
            let results = session
                .run(inputs, &Plan::keep(), &mut fast, &mut kept)
                .map_err(CliError::other)?;
            kept.progress.finish_and_clear();
            Some((results, kept.outputs))
        }
    };
    if let Some(output) = output {
        let arrays = || results.iter().map(|(name, tensor)| (name.as_str(), tensor));
        output.write(|writer| npz::write_to(writer, arrays()))?;
    }
    let mut report = Report {
        engine: args.jobs.engine.name,
        accumulator: plan.accumulator.name(),
        jobs: watch.layers.iter().map(|row| row.jobs).sum(),
        macs: watch.layers.iter().map(|row| row.macs).sum(),
        cycles: args
            .jobs
            .engine
            .clocked
            .then(|| watch.layers.iter().map(|row| row.cycles).sum()),
        seconds,
        outputs: results
            .iter()
            .map(|(name, tensor)| OutputRow {
                name: name.clone(),
                shape: tensor.shape().to_vec(),
                relative_error: None,
            })
            .collect(),
        layers: watch.layers,
    };
    if let Some((expected, outputs)) = reference {
        let pairs = results.iter().zip(&expected);
        for (row, ((_, result), (_, expected))) in report.outputs.iter_mut().zip(pairs) {
            row.relative_error = tensor_error(result, expected);
        }
        for (row, (result, expected)) in report
            .layers
            .iter_mut()
            .zip(watch.outputs.iter().zip(&outputs))
        {
            row.relative_error = Some(relative_error(result, expected));
        }
    }
    show(&report, args.json)
}

fn show(report: &Report, json: bool) -> Result<(), CliError> {
    if json {
        return console::print_json(report);
    }
    let with_error = report.layers.iter().any(|row| row.relative_error.is_some());
    let error = |error: Option<f64>| error.map_or_else(|| "-".to_owned(), |e| format!("{e:.2e}"));
    let mut header = vec!["layer", "operator", "jobs", "macs"];
    if report.cycles.is_some() {
        header.push("cycles");
    }
    if with_error {
        header.push("relative error");
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for row in &report.layers {
        let mut cells = vec![
            row.node.clone(),
            row.operator.clone(),
            row.jobs.to_string(),
            row.macs.to_string(),
        ];
        if report.cycles.is_some() {
            cells.push(row.cycles.to_string());
        }
        if with_error {
            cells.push(error(row.relative_error));
        }
        rows.push(cells);
    }
    let mut text = console::columns(&rows);
    for output in &report.outputs {
        text += &format!("output {} {:?}", output.name, output.shape);
        if let Some(distance) = output.relative_error {
            text += &format!(", relative error {distance:.2e}");
        }
        text.push('\n');
    }
    let cycles = report
        .cycles
        .map_or_else(String::new, |cycles| format!(", {cycles} cycles"));
    text += &format!(
        "{} jobs on {}, {} multiply-adds by {}{cycles}, {:.3} s\n",
        report.jobs, report.engine, report.macs, report.accumulator, report.seconds
    );
    console::print(&text)
}

/// Prints the table of operators.
fn operators(json: bool) -> Result<(), CliError> {
    if json {
        let rows = supported().map(|row| {
            serde_json::json!({
                "operator": row.name,
                "product": row.is_product,
                "since": row.since,
                "note": row.note,
            })
        });
        return console::print_json(&rows.collect::<Vec<_>>());
    }
    let header = ["operator", "product", "opsets", "supported"].map(str::to_owned);
    let rows = supported().map(|row| {
        vec![
            row.name.to_owned(),
            if row.is_product { "product" } else { "-" }.to_owned(),
            format!("{} to {NEWEST_OPSET}", row.since),
            row.note.to_owned(),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(header.to_vec()).chain(rows).collect();
    console::print(&console::columns(&rows))
}

fn tensor_error(result: &Tensor, expected: &Tensor) -> Option<f64> {
    match (result, expected) {
        (Tensor::Float(result), Tensor::Float(expected)) => {
            let numbers =
                |values: &ndarray::ArrayD<f32>| values.iter().copied().collect::<Vec<_>>();
            Some(relative_error(&numbers(result), &numbers(expected)))
        }
        _ => None,
    }
}

/// The distance of two lists of numbers, relative to the second.
fn relative_error(result: &[f32], expected: &[f32]) -> f64 {
    let (mut distance, mut whole) = (0.0f64, 0.0f64);
    for (&result, &expected) in result.iter().zip(expected) {
        distance += (f64::from(result) - f64::from(expected)).powi(2);
        whole += f64::from(expected).powi(2);
    }
    if distance == 0.0 {
        0.0
    } else {
        (distance / whole).sqrt()
    }
}
