//! `quaver compare`: every matrix product of a model on several engines, bit for bit.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use quaver_contract::{CoreConfig, Engine};
use quaver_quant::graph::{Hook, Layer, Product, Session};
use quaver_quant::{Error, onnx};
use serde::Serialize;

use super::run::{PLANS, PlanArgs, engine, progress, read_inputs};
use crate::args::{Global, one_of};
use crate::console;
use crate::engines::{ENGINES, EngineRow, SimulatorArgs};
use crate::error::CliError;

const EXAMPLES: &str = "\
The first engine runs the model; each of its jobs runs on the others too, and every bit of every result
is compared.

EXAMPLES:
  quaver compare digits.onnx --input digits.npz --format e4m3fn --engines golden,fast
  quaver compare digits.onnx --input digits.npz --format e5m2 --engines fast,cycle,rtl --config small
  quaver compare digits.onnx --input digits.npz --format e4m3fn --profile h100 --json";

/// Arguments of `quaver compare`.
#[derive(Debug, Args)]
#[command(after_help = format!("{PLANS}\n{EXAMPLES}"))]
pub(crate) struct CompareArgs {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,

    /// Its inputs, an array each, by their names
    #[arg(long, value_name = "X.npz")]
    input: PathBuf,

    #[command(flatten)]
    plan: PlanArgs,

    /// Two or more engines
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', default_value = "golden,fast",
        value_parser = one_of(ENGINES, |row| row.name))]
    engines: Vec<EngineRow>,

    /// The core of engines that have one: a named configuration or a file of one
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "default")]
    config: String,

    #[command(flatten)]
    simulator: SimulatorArgs,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    engines: &'a [&'static str],
    accumulator: &'static str,
    layers: &'a [Row],
    jobs: u64,
    outputs: u64,
    differing: u64,
    first: &'a Option<Difference>,
    seconds: f64,
}

/// A layer's jobs.
#[derive(Clone, Debug, Default, Serialize)]
struct Row {
    node: String,
    operator: String,
    jobs: u64,
    outputs: u64,
    differing: u64,
}

/// The first result that two engines do not agree about.
#[derive(Debug, Serialize)]
struct Difference {
    node: String,
    job: usize,
    row: usize,
    column: usize,
    engines: [&'static str; 2],
    /// Bits of each, as hexadecimal digits.
    bits: [String; 2],
}

struct Comparison {
    names: Vec<&'static str>,
    others: Vec<Box<dyn Engine>>,
    rows: Vec<Row>,
    first: Option<Difference>,
    progress: ProgressBar,
}

impl Hook for Comparison {
    fn layer(&mut self, _: &Layer<'_>) -> Result<(), Error> {
        self.progress.inc(1);
        Ok(())
    }

    fn product(&mut self, product: &Product<'_>) -> Result<(), Error> {
        if self.rows.last().is_none_or(|row| row.node != product.node) {
            self.rows.push(Row {
                node: product.node.to_owned(),
                operator: product.operator.to_owned(),
                ..Row::default()
            });
        }
        let row = self.rows.last_mut().expect("one was pushed");
        row.jobs += 1;
        row.outputs += product.result.values.len() as u64;
        for (engine, &name) in self.others.iter_mut().zip(&self.names[1..]) {
            let result = engine.run(product.job).map_err(|source| Error::Engine {
                node: product.node.to_owned(),
                source,
            })?;
            let pairs = product.result.values.indexed_iter().zip(&result.values);
            for (((i, j), expected), found) in pairs.filter(|((_, a), b)| a != b) {
                row.differing += 1;
                self.first.get_or_insert_with(|| Difference {
                    node: product.node.to_owned(),
                    job: product.index,
                    row: i,
                    column: j,
                    engines: [self.names[0], name],
                    bits: [expected, found].map(|bits| format!("{bits:08x}")),
                });
            }
        }
        Ok(())
    }
}

/// Compares; whether all results agree.
///
/// # Errors
/// [`CliError`] for bad input.
pub(crate) fn run(args: &CompareArgs, global: &Global) -> Result<bool, CliError> {
    let formats = global.formats()?;
    let config = CoreConfig::load(&args.config, &formats)?;
    let names: Vec<&'static str> = args.engines.iter().map(|row| row.name).collect();
    let repeats = (1..names.len()).any(|i| names[..i].contains(&names[i]));
    if names.len() < 2 || repeats {
        let allowed = "two or more engines, each once";
        return Err(CliError::option("--engines", names.join(","), allowed));
    }
    let mut plan = args.plan.plan(&formats, &config)?;
    let model = onnx::read(&args.model).map_err(CliError::model(&args.model))?;
    let mut session = Session::new(&model).map_err(CliError::model(&args.model))?;
    args.plan.keep(&mut plan, &session)?;
    if !args.plan.quantises() {
        let allowed = "a format: products in FP32 are no jobs";
        return Err(CliError::option("--format", "missing", allowed));
    }
    let inputs = read_inputs(&args.input)?;
    let made = args
        .engines
        .iter()
        .map(|row| engine(row, &config, (0, args.simulator.simulator), global));
    let mut engines = made.collect::<Result<Vec<_>, _>>()?;
    let others = engines.split_off(1);
    let mut comparison = Comparison {
        names,
        others,
        rows: Vec::new(),
        first: None,
        progress: progress(session.layers().count()),
    };
    let started = Instant::now();
    session
        .run(inputs, &plan, &mut *engines[0], &mut comparison)
        .map_err(CliError::other)?;
    comparison.progress.finish_and_clear();
    let sum = |value: fn(&Row) -> u64| comparison.rows.iter().map(value).sum::<u64>();
    let report = Report {
        engines: &comparison.names,
        accumulator: plan.accumulator.name(),
        layers: &comparison.rows,
        jobs: sum(|row| row.jobs),
        outputs: sum(|row| row.outputs),
        differing: sum(|row| row.differing),
        first: &comparison.first,
        seconds: started.elapsed().as_secs_f64(),
    };
    if report.jobs == 0 {
        let allowed = "a model with a product that is quantised";
        return Err(CliError::option("MODEL.onnx", "without jobs", allowed));
    }
    match args.json {
        true => console::print_json(&report)?,
        false => show(&report)?,
    }
    Ok(report.differing == 0)
}

fn show(report: &Report<'_>) -> Result<(), CliError> {
    let header = ["layer", "operator", "jobs", "outputs", "differing"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(report.layers.iter().map(|row| {
        let counts = [row.jobs, row.outputs, row.differing];
        let mut cells = vec![row.node.clone(), row.operator.clone()];
        cells.extend(counts.map(|count| count.to_string()));
        cells
    }));
    let mut text = console::columns(&rows);
    if let Some(first) = report.first {
        let Difference {
            node,
            job,
            row,
            column,
            engines,
            bits,
        } = first;
        text += &format!(
            "first difference: layer {node}, job {job}, row {row}, column {column}: {} {}, {} {}\n",
            engines[0], bits[0], engines[1], bits[1]
        );
    }
    text += &format!(
        "{} jobs, {} outputs, {} differ; {}, {:.3} s\n",
        report.jobs,
        report.outputs,
        report.differing,
        report.engines.join(" = "),
        report.seconds
    );
    console::print(&text)
}
