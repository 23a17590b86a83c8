//! `quaver simulate --scalesim`: what SCALE-Sim says of the same layers.

use std::time::Instant;

use quaver_sim::scalesim::{Dataflow, Layer as Fold, Report as Counts};
use serde::Serialize;

use super::SimulateArgs;
use crate::commands::layers::Layer;
use crate::console;
use crate::error::CliError;

/// The object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    rows: u64,
    cols: u64,
    dataflows: Vec<OfDataflow<'a>>,
    seconds: f64,
}

#[derive(Serialize)]
struct OfDataflow<'a> {
    dataflow: &'static str,
    cycles: u64,
    layers: Vec<OfLayer<'a>>,
}

#[derive(Serialize)]
struct OfLayer<'a> {
    layer: &'a str,
    m: u64,
    n: u64,
    k: u64,
    cycles: u64,
    folds: u64,
    utilisation_percent: f64,
    ifmap_reads: u64,
    filter_reads: u64,
    ofmap_writes: u64,
}

/// Rows and columns of an array, as in `32x32`.
fn array(text: &str) -> Result<(u64, u64), CliError> {
    let read = || {
        let (rows, cols) = text.split_once('x')?;
        let size = |text: &str| {
            text.parse()
                .ok()
                .filter(|size| (1..=1 << 16).contains(size))
        };
        Some((size(rows)?, size(cols)?))
    };
    read().ok_or_else(|| CliError::option("--scalesim", text, "ROWSxCOLS, each 1 to 65536"))
}

/// Prints SCALE-Sim's figures for the layers, with the dataflow that is asked for or all.
///
/// # Errors
/// [`CliError`] for an array or a layer without elements.
pub(super) fn run(args: &SimulateArgs, text: &str, layers: &[Layer]) -> Result<(), CliError> {
    let (rows, cols) = array(text)?;
    let started = Instant::now();
    if let Some(empty) = layers.iter().find(|l| l.m == 0 || l.n == 0 || l.k == 0) {
        let allowed = "layers with elements, with --scalesim";
        return Err(CliError::option("--layer", &empty.name, allowed));
    }
    let chosen = |dataflow: &&Dataflow| args.dataflow.is_none_or(|name| name == dataflow.name());
    let dataflows: Vec<OfDataflow<'_>> = Dataflow::ALL
        .iter()
        .filter(chosen)
        .map(|&dataflow| {
            let layers: Vec<OfLayer<'_>> = layers
                .iter()
                .map(|layer| of_layer(layer, (rows, cols), dataflow))
                .collect();
            OfDataflow {
                dataflow: dataflow.name(),
                cycles: layers.iter().map(|layer| layer.cycles).sum(),
                layers,
            }
        })
        .collect();
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        return console::print_json(&Report {
            rows,
            cols,
            dataflows,
            seconds,
        });
    }
    let header = [
        "layer", "M", "N", "K", "dataflow", "cycles", "folds", "util %", "ifmap", "filter", "ofmap",
    ];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    for flow in &dataflows {
        for layer in &flow.layers {
            let mut cells = vec![layer.layer.to_owned()];
            cells.extend([layer.m, layer.n, layer.k].map(|size| size.to_string()));
            cells.push(flow.dataflow.to_owned());
            cells.extend([layer.cycles, layer.folds].map(|count| count.to_string()));
            cells.push(format!("{:.1}", layer.utilisation_percent));
            let accesses = [layer.ifmap_reads, layer.filter_reads, layer.ofmap_writes];
            cells.extend(accesses.map(|count| count.to_string()));
            table.push(cells);
        }
        let mut total = vec![String::new(); header.len()];
        total[0] = "total".to_owned();
        total[4] = flow.dataflow.to_owned();
        total[5] = flow.cycles.to_string();
        table.push(total);
    }
    console::print(&format!(
        "{}\n{rows} x {cols} as SCALE-Sim 3.0.0 counts it, in {:.3} ms\n",
        console::columns(&table),
        1e3 * seconds
    ))
}

fn of_layer(layer: &Layer, (rows, cols): (u64, u64), dataflow: Dataflow) -> OfLayer<'_> {
    let fold = Fold {
        m: layer.m,
        n: layer.n,
        k: layer.k,
        rows,
        cols,
    };
    let Counts {
        folds,
        cycles,
        ifmap_reads,
        filter_reads,
        ofmap_writes,
    } = fold.report(dataflow);
    OfLayer {
        layer: &layer.name,
        m: layer.m,
        n: layer.n,
        k: layer.k,
        cycles,
        folds,
        utilisation_percent: fold.utilisation_percent(dataflow),
        ifmap_reads,
        filter_reads,
        ofmap_writes,
    }
}
