//! The closed form: what a job costs on the core when no stream stalls, without stepping.
//!
//! Without stalls every clock of interest follows from a few others by additions and maxima
//! (docs/core.md; the Verilog's comments give the latencies). For each tile, with `s` the clock
//! that writes CONTROL.start:
//!
//! - the loader may swap tile j `ROWS + SWAP_TRAVEL + 1` clocks after it swapped tile j-1, and not
//!   before the last row of tile j-1 is launched;
//! - the first row follows the swap by one clock; in a later k tile it also waits until its partial
//!   sum has left the array, `FLIGHT + 1` clocks after it was launched in the tile before; in a
//!   first k tile until the bank is prepared;
//! - the rows of a tile follow each other;
//! - a bank is prepared when the one before is and it was drained two m tiles before;
//! - a bank is drained when its last row is written in the last column, and the bank before is.
//!
//! An output-stationary core counts in rotations instead: see `output_stationary`.
//!
//! The pattern of waits between tiles soon repeats. The walk below goes on tile by tile until it
//! does, and multiplies from there, so its time does not grow with the job.

mod output_stationary;

use quaver_contract::config::{Dataflow, PROMOTE_LATENCY};
use quaver_contract::{Accumulator, CoreConfig, Job, Scale};

use crate::breakdown::Breakdown;
use crate::drain::{FINISH_LATENCY, LATENCY as DRAIN};
use crate::levels::SCALE_LATENCY;

/// What decides a job's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobShape {
    /// Rows of A and of the result.
    pub m: u64,
    /// Columns of B and of the result.
    pub n: u64,
    /// Terms of each sum.
    pub k: u64,
    /// Sums start from `s_axis_c`.
    pub init: bool,
    /// Beats of `s_axis_p` for each n tile: scales, biases.
    pub parameters: u64,
}

impl JobShape {
    /// The shape of a job.
    pub fn of(job: &Job<'_>) -> Self {
        let per_column = matches!(job.scale, Scale::PerColumn(_));
        Self {
            m: job.m() as u64,
            n: job.n() as u64,
            k: job.k() as u64,
            init: job.init.is_some(),
            parameters: u64::from(per_column) + u64::from(job.bias.is_some()),
        }
    }

    /// Multiply-adds.
    pub const fn terms(&self) -> u64 {
        self.m * self.n * self.k
    }
}

/// What moves on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Beats.
    pub beats: u64,
    /// Words of the matrix in them: codes of A and B, binary32 numbers, results.
    pub words: u64,
}

/// What a job costs without stalls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The counter `CYCLES`.
    pub cycles: u64,
    /// What the launcher did meanwhile; `rows` is the counter `ROWS`.
    pub launcher: Breakdown,
    /// PEs, times products a PE.
    pub products_per_cycle: u64,
    /// Multiply-adds of the job.
    pub terms: u64,
    /// `s_axis_a`.
    pub a: Traffic,
    /// `s_axis_b`.
    pub b: Traffic,
    /// `s_axis_c`.
    pub c: Traffic,
    /// `s_axis_p`.
    pub p: Traffic,
    /// `m_axis_d`.
    pub d: Traffic,
}

impl Timing {
    /// Share of the array's products that a launched row uses: the loss at the edges of K and N.
    pub fn spatial_utilisation(&self) -> f64 {
        ratio(self.terms, self.launcher.rows * self.products_per_cycle)
    }

    /// Share of the cycles that launch a row.
    pub fn temporal_utilisation(&self) -> f64 {
        ratio(self.launcher.rows, self.cycles)
    }

    /// Multiply-adds of the job over those that the array could have done: the product of the two.
    pub fn utilisation(&self) -> f64 {
        ratio(self.terms, self.cycles * self.products_per_cycle)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// What a job costs on a configuration's core when no stream stalls; exact.
pub fn timing(config: &CoreConfig, shape: &JobShape) -> Timing {
    let cols = config.cols as u64;
    let tile_k = config.tile_k() as u64;
    let n_tiles = shape.n.div_ceil(cols);
    let mut timing = Timing {
        // A job without elements is checked for one clock.
        cycles: 1,
        products_per_cycle: (config.rows * config.cols * config.lanes()) as u64,
        terms: shape.terms(),
        ..Timing::default()
    };
    if shape.m == 0 || shape.n == 0 {
        return timing;
    }
    let m_tiles = shape.m.div_ceil(config.tile_rows as u64);
    (timing.cycles, timing.launcher) = match config.dataflow {
        Dataflow::WeightStationary => Walk::new(config, shape).job(n_tiles, m_tiles),
        Dataflow::OutputStationary => {
            output_stationary::Walk::new(config, shape).job(n_tiles, m_tiles)
        }
    };
    let (m, n, k) = (shape.m, shape.n, shape.k);
    let traffic = |beats, words| Traffic { beats, words };
    let a_beats = match config.dataflow {
        Dataflow::WeightStationary => m,
        Dataflow::OutputStationary => {
            let (rows, tile_rows) = (config.rows as u64, config.tile_rows as u64);
            m / tile_rows * config.slots() as u64 + (m % tile_rows).div_ceil(rows)
        }
    };
    timing.a = traffic(n_tiles * a_beats * k.div_ceil(tile_k), n_tiles * m * k);
    timing.b = traffic(
        n_tiles * m_tiles * k.div_ceil(config.lanes() as u64),
        m_tiles * n * k,
    );
    if shape.init {
        timing.c = traffic(n_tiles * m, m * n);
    }
    timing.p = traffic(n_tiles * shape.parameters, n * shape.parameters);
    timing.d = traffic(n_tiles * m, m * n);
    timing
}

/// The clocks that the next tile depends on, relative to the write of CONTROL.start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clocks {
    /// The last swap.
    swap: i64,
    /// The launch of the last row.
    end: i64,
    /// The last bank was prepared.
    prepared: i64,
    /// The read of the last row of the bank before, and of the one before that.
    drained: [i64; 2],
}

/// The clocks of one dataflow that the next tile depends on.
trait State: Copy + PartialEq {
    /// The one that others are counted from.
    fn origin(&self) -> i64;

    /// The same clocks counted from another one.
    fn from(self, origin: i64) -> Self;
}

impl State for Clocks {
    fn origin(&self) -> i64 {
        self.end
    }

    fn from(self, origin: i64) -> Self {
        Self {
            swap: self.swap - origin,
            end: self.end - origin,
            prepared: self.prepared - origin,
            drained: self.drained.map(|clock| clock - origin),
        }
    }
}

/// Latencies of the core and sizes of the job.
struct Walk {
    rows: i64,
    /// Clocks between swaps, at least.
    load: i64,
    /// Clocks from a launch until the sum may be read again.
    flight: i64,
    cols: i64,
    k_tiles: u64,
    tile_rows: i64,
    /// Rows of the last m tile.
    last_rows: i64,
    /// Initial values are written to the banks.
    preload: bool,
    parameters: i64,
    /// Clocks from the memory's output to `m_axis_d`.
    drain: i64,
}

/// Clock of the first tile of every walker: the job is checked at 1, and started at 2.
pub(crate) const FIRST_TILE: i64 = 4;

/// The first clock of an output-stationary core's first rotation: the loader's first B is there at 5,
/// the last clock of a rotation.
pub(crate) const FIRST_ROTATION: i64 = FIRST_TILE + 2;

/// Sizes and latencies of a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latencies {
    pub(crate) rows: i64,
    pub(crate) cols: i64,
    pub(crate) lanes: usize,
    /// Clocks between swaps, at least.
    pub(crate) load: i64,
    /// Clocks from a launch until the sum may be read again.
    pub(crate) flight: i64,
    /// Clocks from the memory's output to `m_axis_d`.
    pub(crate) drain: i64,
}

impl Latencies {
    pub(crate) fn of(config: &CoreConfig) -> Self {
        let (rows, cols) = (config.rows as i64, config.cols as i64);
        let latency = config.pe_latency as i64;
        let chunked = matches!(config.accumulator, Accumulator::Chunked { .. });
        let retire = match config.block_scales {
            Some(_) => SCALE_LATENCY + PROMOTE_LATENCY,
            None if chunked => PROMOTE_LATENCY,
            None => 0,
        };
        let exact = config.accumulator == Accumulator::Exact;
        Self {
            rows,
            cols,
            lanes: config.lanes(),
            load: rows + (rows - 1) * latency + cols,
            flight: 2 + rows * latency + retire as i64,
            drain: (DRAIN + if exact { FINISH_LATENCY } else { 0 }) as i64,
        }
    }
}

impl Walk {
    fn new(config: &CoreConfig, shape: &JobShape) -> Self {
        let Latencies {
            rows,
            cols,
            load,
            flight,
            drain,
            ..
        } = Latencies::of(config);
        let tile_rows = config.tile_rows as i64;
        Self {
            rows,
            load,
            flight,
            cols,
            k_tiles: shape.k.div_ceil(config.tile_k() as u64).max(1),
            tile_rows,
            last_rows: (shape.m as i64 - 1) % tile_rows + 1,
            // An exact sum takes its initial value in the drain.
            preload: shape.init && config.accumulator != Accumulator::Exact,
            parameters: shape.parameters as i64,
            drain,
        }
    }

    /// The clock of the job's last beat, and the launcher's clocks.
    fn job(&self, n_tiles: u64, m_tiles: u64) -> (u64, Breakdown) {
        // As if a tile before the first had been drained just in time for every first step.
        let mut clocks = Clocks {
            swap: FIRST_TILE + self.rows - self.load,
            end: FIRST_TILE - 1,
            prepared: FIRST_TILE - 1,
            drained: [FIRST_TILE - 2 - self.drain; 2],
        };
        let mut breakdown = Breakdown::default();
        repeat(n_tiles, &mut clocks, &mut breakdown, |clocks, breakdown| {
            let mut first = true;
            // The first m tile waits for the parameters, so it is no part of the pattern.
            if m_tiles > 1 {
                self.m_tile(self.tile_rows, true, clocks, breakdown);
                first = false;
                repeat(m_tiles - 2, clocks, breakdown, |clocks, breakdown| {
                    self.m_tile(self.tile_rows, false, clocks, breakdown);
                });
            }
            self.m_tile(self.last_rows, first, clocks, breakdown);
        });
        ((clocks.drained[0] + 1 + self.drain) as u64, breakdown)
    }

    /// All k tiles of one m tile of one n tile.
    fn m_tile(&self, rows: i64, first_m: bool, clocks: &mut Clocks, breakdown: &mut Breakdown) {
        let last = rows - 1;
        let free = clocks.drained[1] + 2;
        let beats = if self.preload { last } else { 0 };
        clocks.prepared = (clocks.prepared + 1).max(free) + beats;

        let mut run = Run {
            swap: (clocks.swap + self.load).max(clocks.end),
            start: 0,
        };
        run.start = (run.swap + 1).max(clocks.prepared + 1);
        breakdown.rows += rows as u64 * self.k_tiles;
        breakdown.weights += (run.swap - clocks.end) as u64;
        breakdown.bank += (run.start - run.swap - 1) as u64;
        self.later_k_tiles(last, &mut run, breakdown);
        clocks.swap = run.swap;
        clocks.end = run.start + last;

        // From the launch of the last row to the clock after its write in the last column.
        let computed = clocks.end + self.flight - 1 + self.cols;
        let before = clocks.drained[0];
        let ready = match first_m && self.parameters > 0 {
            true => before + 2 + self.drain + self.parameters,
            false => before + 1,
        };
        clocks.drained = [computed.max(ready) + last, before];
    }

    /// The k tiles of an m tile after its first.
    fn later_k_tiles(&self, last: i64, run: &mut Run, breakdown: &mut Breakdown) {
        let mut left = self.k_tiles - 1;
        while left > 0 {
            let end = run.start + last;
            let swap = (run.swap + self.load).max(end);
            let start = (swap + 1).max(run.start + self.flight);
            // The same wait as in the tile before: so it is in all that are left.
            let times = if start - swap == run.start - run.swap {
                left
            } else {
                1
            };
            breakdown.weights += (swap - end) as u64 * times;
            breakdown.sums += (start - swap - 1) as u64 * times;
            let step = times as i64;
            *run = Run {
                swap: run.swap + (swap - run.swap) * step,
                start: run.start + (start - run.start) * step,
            };
            left -= times;
        }
    }
}

/// The swap and the first row of a tile.
#[derive(Clone, Copy)]
struct Run {
    swap: i64,
    start: i64,
}

/// Walks `times` times, and multiplies once a walk ends as the one before, but for its clock.
fn repeat<S: State>(
    times: u64,
    clocks: &mut S,
    breakdown: &mut Breakdown,
    walk: impl Fn(&mut S, &mut Breakdown),
) {
    let mut left = times;
    while left > 0 {
        let (before, cost) = (*clocks, *breakdown);
        walk(clocks, breakdown);
        left -= 1;
        if clocks.from(clocks.origin()) == before.from(before.origin()) {
            let step = (clocks.origin() - before.origin()) * left as i64;
            *clocks = clocks.from(-step);
            let cost = breakdown.since(&cost);
            breakdown.add(&cost, left);
            return;
        }
    }
}
