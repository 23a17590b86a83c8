//! `quaver simulate`: the clocks of jobs on a core, in closed form or step by step.

mod compatible;
mod report;
mod step;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use quaver_contract::CoreConfig;
use quaver_contract::config::Dataflow;
use quaver_sim::timing::{JobShape, timing};
use serde::Serialize;

use crate::args::{Global, one_of};
use crate::commands::layers::{LAYERS, Layer};
use crate::console;
use crate::error::CliError;
use crate::output::Output;
use report::{Cost, DEFINITIONS, Definitions, HEADER};
use step::Stepping;

const METHOD: &str = "\
Without stalls and waveforms the closed form answers, in microseconds; it is exact. With --step,
--stalls, --vcd or --cycles the model is stepped clock by clock, with random operands.
";

const EXAMPLES: &str = "\
EXAMPLES:
  quaver simulate --config large --m 1024 --n 1024 --k 1024
  quaver simulate --config default --layer conv:1,64,56,56,64,3,3,1,1 --dataflow is --json
  quaver simulate --config small --config large --layers resnet18.csv
  quaver simulate --scalesim 32x32 --layers resnet18.csv
  quaver simulate --config odd --m 7 --n 5 --k 9 --stalls 3 --vcd run.vcd
  quaver simulate --config odd --m 7 --n 5 --k 9 --stalls a=0011,d=01 --json";

/// The dataflows' names, as SCALE-Sim has them.
const DATAFLOWS: &[&str] = &["ws", "is", "os"];

/// The dataflow with which a core runs the layers: what is asked for, or its own.
fn dataflow(asked: Option<&'static str>, config: &CoreConfig) -> Result<&'static str, CliError> {
    let allowed: &[&'static str] = match config.dataflow {
        Dataflow::WeightStationary => &["ws", "is"],
        Dataflow::OutputStationary => &["os"],
    };
    let chosen = asked.unwrap_or(allowed[0]);
    match allowed.contains(&chosen) {
        true => Ok(chosen),
        false => Err(CliError::option(
            "--dataflow",
            format!("{chosen} with configuration {}", config.name),
            allowed.join(", "),
        )),
    }
}

/// Arguments of `quaver simulate`.
#[derive(Debug, Args)]
#[command(after_help = format!("{METHOD}\n{LAYERS}\n{EXAMPLES}"))]
pub(crate) struct SimulateArgs {
    /// A core: a named configuration or a file of one; may be repeated to compare cores
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "default")]
    config: Vec<String>,

    /// Rows of A
    #[arg(long, requires_all = ["n", "k"])]
    m: Option<u64>,

    /// Columns of B
    #[arg(long, requires_all = ["m", "k"])]
    n: Option<u64>,

    /// Terms of each sum
    #[arg(long, requires_all = ["m", "n"])]
    k: Option<u64>,

    /// A layer, see below; may be repeated
    #[arg(long, value_name = "LAYER")]
    layer: Vec<String>,

    /// The layers of a network, one a line
    #[arg(long, value_name = "FILE.csv")]
    layers: Option<PathBuf>,

    /// What stays in the PEs: ws the weights, B; is the inputs, A: the operands are exchanged; os the
    /// sums [default: as the core is built, ws or os]
    #[arg(long, value_name = "FLOW", value_parser = one_of(DATAFLOWS, |name| name))]
    dataflow: Option<&'static str>,

    /// Sums start from initial values
    #[arg(long)]
    init: bool,

    /// Results have a bias a column
    #[arg(long)]
    bias: bool,

    /// Results have a scale a column
    #[arg(long)]
    column_scales: bool,

    /// Steps the model even where the closed form would do, and holds one to the other
    #[arg(long)]
    step: bool,

    /// Stalls the streams: a seed stalls all at random; a=0011,d=01 stalls each of a, b, c, p, d
    /// where its pattern, repeated, has a 1
    #[arg(long, value_name = "SEED|PATTERN")]
    stalls: Option<String>,

    /// Writes a waveform of the one job
    #[arg(long, value_name = "FILE")]
    vcd: Option<PathBuf>,

    /// Clocks of the job that the waveform has, the first being 0 [default: all, and the reset]
    #[arg(long, value_name = "A..B", requires = "vcd")]
    cycles: Option<String>,

    /// Counts as SCALE-Sim 3.0.0 does instead, for an array of that shape and, unless one is asked
    /// for, its three dataflows
    #[arg(long, value_name = "ROWSxCOLS",
        conflicts_with_all = ["config", "init", "bias", "column_scales", "step", "stalls", "vcd"])]
    scalesim: Option<String>,

    /// Seed of the operands that are stepped
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// One core's costs, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    config: &'a str,
    dataflow: &'static str,
    method: &'static str,
    #[serde(flatten)]
    total: &'a Cost,
    layers: &'a [Cost],
    seconds: f64,
    definitions: Definitions,
}

/// The costs of all layers on a core.
struct Simulated {
    config: String,
    dataflow: &'static str,
    layers: Vec<Cost>,
    total: Cost,
    seconds: f64,
}

/// Simulates the layers.
///
/// # Errors
/// [`CliError`] for bad input or a core that is not in the model; then there is no output.
pub(crate) fn run(args: &SimulateArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let layers = wanted(args)?;
    if let Some(array) = &args.scalesim {
        return compatible::run(args, array, &layers);
    }
    let configs = args
        .config
        .iter()
        .map(|name| CoreConfig::load(name, &formats));
    let configs = configs.collect::<Result<Vec<_>, _>>()?;
    let stepping = Stepping::new(args)?;
    if args.vcd.is_some() && (layers.len() > 1 || configs.len() > 1) {
        let found = format!("with {} jobs", layers.len() * configs.len());
        return Err(CliError::option("--vcd", found, "one layer on one core"));
    }
    let output = args.vcd.as_deref().map(Output::check).transpose()?;
    let waveform = output.as_ref().map(Output::begin).transpose()?;
    let vcd = waveform.as_ref().map(|file| file.path().to_owned());
    let mut results = Vec::new();
    for config in &configs {
        let started = Instant::now();
        let dataflow = dataflow(args.dataflow, config)?;
        let mut costs = Vec::new();
        for layer in &layers {
            let shape = shape(args, layer, dataflow);
            let closed = timing(config, &shape);
            costs.push(match &stepping {
                None => Cost::closed(layer, &closed),
                Some(stepping) => {
                    let (result, launcher) = stepping.run(config, &shape, vcd.as_deref())?;
                    Cost::stepped(layer, &closed, &result, &launcher)
                }
            });
        }
        results.push(Simulated {
            config: config.name.clone(),
            dataflow,
            total: match costs.as_slice() {
                [one] => one.clone(),
                several => Cost::total(several),
            },
            layers: costs,
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    waveform.map(crate::output::Pending::commit).transpose()?;
    show(args, stepping.is_some(), &results)
}

fn show(args: &SimulateArgs, stepped: bool, results: &[Simulated]) -> Result<(), CliError> {
    if args.json {
        let report = |result: &'_ Simulated| {
            serde_json::to_value(Report {
                config: &result.config,
                dataflow: result.dataflow,
                method: if stepped { "stepped" } else { "closed form" },
                total: &result.total,
                layers: &result.layers,
                seconds: result.seconds,
                definitions: DEFINITIONS,
            })
            .map_err(CliError::other)
        };
        return match results {
            [one] => console::print_json(&report(one)?),
            several => {
                let reports = several.iter().map(report).collect::<Result<Vec<_>, _>>()?;
                console::print_json(&serde_json::json!({ "configs": reports }))
            }
        };
    }
    let mut rows = vec![
        std::iter::once("config")
            .chain(HEADER)
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    ];
    for result in results {
        let mut row = |cost: &Cost| {
            let mut cells = vec![result.config.clone()];
            cells.extend(cost.cells());
            rows.push(cells);
        };
        result.layers.iter().for_each(&mut row);
        if result.layers.len() > 1 {
            row(&result.total);
        }
    }
    console::print(&format!(
        "{}\n{}",
        console::columns(&rows),
        DEFINITIONS.text()
    ))
}

/// The layers that the arguments name, in their order.
fn wanted(args: &SimulateArgs) -> Result<Vec<Layer>, CliError> {
    let mut layers = Vec::new();
    if let (Some(m), Some(n), Some(k)) = (args.m, args.n, args.k) {
        let name = format!("{m}x{n}x{k}");
        let layer = Layer::new(&name, [m, n, k]).ok_or_else(|| {
            CliError::option(
                "--m --n --k",
                &name,
                "sizes below 2^32, 2^56 terms together",
            )
        })?;
        layers.push(layer);
    }
    for text in &args.layer {
        layers.push(Layer::parse(text)?);
    }
    if let Some(path) = &args.layers {
        layers.extend(Layer::read(path)?);
    }
    match layers.is_empty() {
        true => Err(CliError::option(
            "--layer",
            "missing",
            "--m --n --k, --layer or --layers",
        )),
        false => Ok(layers),
    }
}

/// The job that computes the layer. With the inputs in the PEs, D^T = B^T * A^T.
fn shape(args: &SimulateArgs, layer: &Layer, dataflow: &str) -> JobShape {
    let (m, n) = match dataflow {
        "is" => (layer.n, layer.m),
        _ => (layer.m, layer.n),
    };
    JobShape {
        m,
        n,
        k: layer.k,
        init: args.init,
        parameters: u64::from(args.bias) + u64::from(args.column_scales),
    }
}

/// A range of clocks as given.
fn clocks(text: &str) -> Result<Range<u64>, CliError> {
    let read = || {
        let (start, end) = text.split_once("..")?;
        let range = start.parse().ok()?..end.parse().ok()?;
        (range.start < range.end).then_some(range)
    };
    read().ok_or_else(|| CliError::option("--cycles", text, "A..B with A below B"))
}
