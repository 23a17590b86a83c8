//! What a job costs, in numbers and in words.

use quaver_contract::JobResult;
use quaver_sim::Breakdown;
use quaver_sim::timing::{Timing, Traffic};
use serde::Serialize;

use crate::commands::layers::Layer;

/// What the array did in the clocks of a job: with `rows` they are its cycles.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Stalls {
    /// No beat of A was there.
    operand: u64,
    /// The tile's weights were not in the array yet.
    weight_load: u64,
    /// A row's partial sum was still in the array.
    partial_sum: u64,
    /// No bank of partial sums was free: results had not left, or initial values had not come.
    result: u64,
    /// Before the first tile.
    fill: u64,
    /// After the last row was launched.
    drain: u64,
}

/// One number for each stream.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Streams {
    a: u64,
    b: u64,
    c: u64,
    p: u64,
    d: u64,
}

/// A job's cost; of several jobs, their sum.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cost {
    pub(super) layer: String,
    m: u64,
    n: u64,
    k: u64,
    pub(super) cycles: u64,
    pub(super) macs: u64,
    pub(super) utilisation_spatial: f64,
    pub(super) utilisation_temporal: f64,
    utilisation: f64,
    rows: u64,
    pub(super) stalls: Stalls,
    /// Clocks in which a stream held the core up; only of a job that was stepped.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_stalls: Option<Streams>,
    words: Streams,
    beats: Streams,
    #[serde(skip)]
    products_per_cycle: u64,
}

/// Clocks of the counter before the launcher has its first tile (docs/core.md).
const FILL: u64 = 3;

impl Cost {
    fn new(layer: &Layer, timing: &Timing, cycles: u64, launcher: &Breakdown) -> Self {
        let streams = |value: fn(&Traffic) -> u64| Streams {
            a: value(&timing.a),
            b: value(&timing.b),
            c: value(&timing.c),
            p: value(&timing.p),
            d: value(&timing.d),
        };
        let outside = cycles - launcher.clocks();
        let fill = outside.min(FILL);
        let mut cost = Self {
            layer: layer.name.clone(),
            m: layer.m,
            n: layer.n,
            k: layer.k,
            cycles,
            macs: timing.terms,
            utilisation_spatial: 0.0,
            utilisation_temporal: 0.0,
            utilisation: 0.0,
            rows: launcher.rows,
            stalls: Stalls {
                operand: launcher.a,
                weight_load: launcher.weights,
                partial_sum: launcher.sums,
                result: launcher.bank,
                fill,
                drain: outside - fill,
            },
            stream_stalls: None,
            words: streams(|traffic| traffic.words),
            beats: streams(|traffic| traffic.beats),
            products_per_cycle: timing.products_per_cycle,
        };
        cost.derive();
        cost
    }

    /// Of a job that no stream stalls, in closed form.
    pub(super) fn closed(layer: &Layer, timing: &Timing) -> Self {
        Self::new(layer, timing, timing.cycles, &timing.launcher)
    }

    /// Of a job that was stepped.
    pub(super) fn stepped(
        layer: &Layer,
        timing: &Timing,
        result: &JobResult,
        launcher: &Breakdown,
    ) -> Self {
        let counters = result.counters.unwrap_or_default();
        let mut cost = Self::new(layer, timing, counters.cycles, launcher);
        cost.stream_stalls = Some(Streams {
            a: counters.stall_a,
            b: counters.stall_b,
            c: counters.stall_c,
            p: counters.stall_p,
            d: counters.stall_d,
        });
        cost
    }

    /// All layers, one after the other.
    pub(super) fn total(costs: &[Self]) -> Self {
        let mut total = costs[0].clone();
        total.layer = "total".to_owned();
        for cost in &costs[1..] {
            for (sum, part) in total.numbers().into_iter().zip(cost.clone().numbers()) {
                *sum += *part;
            }
        }
        // Sizes do not add up.
        (total.m, total.n, total.k) = (0, 0, 0);
        total.derive();
        total
    }

    /// Everything that adds up.
    fn numbers(&mut self) -> Vec<&mut u64> {
        let Self {
            cycles,
            macs,
            rows,
            stalls,
            stream_stalls,
            words,
            beats,
            ..
        } = self;
        let mut numbers = vec![
            cycles,
            macs,
            rows,
            &mut stalls.operand,
            &mut stalls.weight_load,
            &mut stalls.partial_sum,
            &mut stalls.result,
            &mut stalls.fill,
            &mut stalls.drain,
        ];
        for streams in [words, beats].into_iter().chain(stream_stalls) {
            let Streams { a, b, c, p, d } = streams;
            numbers.extend([a, b, c, p, d]);
        }
        numbers
    }

    fn derive(&mut self) {
        let ratio = |part: u64, whole: u64| match whole {
            0 => 0.0,
            _ => part as f64 / whole as f64,
        };
        self.utilisation_spatial = ratio(self.macs, self.rows * self.products_per_cycle);
        self.utilisation_temporal = ratio(self.rows, self.cycles);
        self.utilisation = ratio(self.macs, self.cycles * self.products_per_cycle);
    }

    /// Cells of the table under [`HEADER`].
    pub(super) fn cells(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let s = &self.stalls;
        let mut cells = vec![self.layer.clone()];
        cells.extend([self.m, self.n, self.k, self.cycles, self.macs].map(|x| x.to_string()));
        cells.push(percent(self.utilisation_spatial));
        cells.push(percent(self.utilisation_temporal));
        let stalls = [
            s.operand,
            s.weight_load,
            s.partial_sum,
            s.result,
            s.fill,
            s.drain,
        ];
        cells.extend(stalls.map(|x| x.to_string()));
        cells
    }
}

/// Headings of the table.
pub(super) const HEADER: [&str; 14] = [
    "layer",
    "M",
    "N",
    "K",
    "cycles",
    "macs",
    "spatial %",
    "temporal %",
    "operand",
    "weight load",
    "partial sum",
    "result",
    "fill",
    "drain",
];

/// What the report's words mean: part of every report.
#[derive(Debug, Serialize)]
pub(super) struct Definitions {
    utilisation_spatial: &'static str,
    utilisation_temporal: &'static str,
    stalls: &'static str,
    words: &'static str,
}

/// The definitions.
pub(super) const DEFINITIONS: Definitions = Definitions {
    utilisation_spatial: "multiply-adds of the job over the products that the launched rows could \
                          hold: the loss at the edges of K and N",
    utilisation_temporal: "clocks that launch a row of A into the array, over all cycles",
    stalls: "clocks that launched no row: operand (no beat of A), weight_load (the tile's weights \
             were not in the array), partial_sum (the row's sum was still in the array), result (no \
             bank of partial sums was free or preloaded), fill (before the first tile), drain \
             (after the last row); with the rows they are the cycles",
    words: "elements of the matrices on each stream: codes of A and B, FP32 initial values (c), \
            FP32 scales and biases (p), results (d)",
};

impl Definitions {
    /// The definitions as lines.
    pub(super) fn text(&self) -> String {
        format!(
            "spatial %   {}\ntemporal %  {}\nothers      {}\n",
            self.utilisation_spatial, self.utilisation_temporal, self.stalls
        )
    }
}
