//! The closed form of an output-stationary core's time.
//!
//! Without stalls every step of K is one rotation, `SLOTS` clocks, and rotations begin `SLOTS` clocks
//! apart from `FIRST_ROTATION` on (docs/core.md, "Slots and rotations"). For each tile:
//!
//! - its sums are loaded in the first rotation that follows the unload of the tile before or is the
//!   same, and whose clock before finds the bank prepared; with initial values `READ_ROTATIONS`
//!   later, and `ROWS` rotations after the load before;
//! - it is unloaded behind its last step, and `ROWS` rotations after the unload before;
//! - its last result is written in the last column `ROWS * SLOTS + COLS` clocks after the unload
//!   began; banks are prepared and drained as in the weight-stationary core.

use quaver_contract::{Accumulator, CoreConfig};

use super::{FIRST_ROTATION, FIRST_TILE, JobShape, Latencies, State, repeat};
use crate::breakdown::Breakdown;

/// The clocks that the next tile depends on, relative to the write of CONTROL.start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clocks {
    /// The last load, without the wait for initial values; clocks of rotations are their first.
    load: i64,
    /// The last step.
    step: i64,
    /// The last unload.
    unload: i64,
    /// The last bank was prepared.
    prepared: i64,
    /// The read of the last row of the bank before, and of the one before that.
    drained: [i64; 2],
}

impl State for Clocks {
    fn origin(&self) -> i64 {
        self.step
    }

    fn from(self, origin: i64) -> Self {
        Self {
            load: self.load - origin,
            step: self.step - origin,
            unload: self.unload - origin,
            prepared: self.prepared - origin,
            drained: self.drained.map(|clock| clock - origin),
        }
    }
}

/// Latencies of the core and sizes of the job.
pub(super) struct Walk {
    rows: i64,
    cols: i64,
    /// Clocks of a rotation.
    slots: i64,
    /// Steps of K.
    steps: i64,
    tile_rows: i64,
    /// Rows of the last m tile.
    last_rows: i64,
    /// Initial values are written to the banks, and read.
    preload: bool,
    parameters: i64,
    /// Clocks from the memory's output to `m_axis_d`.
    drain: i64,
}

impl Walk {
    pub(super) fn new(config: &CoreConfig, shape: &JobShape) -> Self {
        let Latencies {
            rows, cols, drain, ..
        } = Latencies::of(config);
        let tile_rows = config.tile_rows as i64;
        Self {
            rows,
            cols,
            slots: config.slots() as i64,
            steps: shape.k.div_ceil(config.tile_k() as u64).max(1) as i64,
            tile_rows,
            last_rows: (shape.m as i64 - 1) % tile_rows + 1,
            // An exact sum takes its initial value in the drain.
            preload: shape.init && config.accumulator != Accumulator::Exact,
            parameters: shape.parameters as i64,
            drain,
        }
    }

    /// The clock of the job's last beat, and the launcher's clocks.
    pub(super) fn job(&self, n_tiles: u64, m_tiles: u64) -> (u64, Breakdown) {
        // As if a tile before the first had been there just in time for every first step.
        let mut clocks = Clocks {
            load: FIRST_ROTATION - self.chain(),
            step: FIRST_ROTATION - self.slots,
            unload: FIRST_ROTATION - self.chain(),
            prepared: FIRST_TILE - 1,
            drained: [FIRST_TILE - 2 - self.drain; 2],
        };
        let mut breakdown = Breakdown {
            weights: (FIRST_ROTATION - FIRST_TILE) as u64,
            ..Breakdown::default()
        };
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
        // Nothing is waited for behind the last row.
        breakdown.sums -= (self.slots - self.used(self.last_rows)) as u64;
        ((clocks.drained[0] + 1 + self.drain) as u64, breakdown)
    }

    /// All steps of one m tile of one n tile.
    fn m_tile(&self, rows: i64, first_m: bool, clocks: &mut Clocks, breakdown: &mut Breakdown) {
        let last = rows - 1;
        let free = clocks.drained[1] + 2;
        let beats = if self.preload { last } else { 0 };
        clocks.prepared = (clocks.prepared + 1).max(free) + beats;

        let end = clocks.step + self.slots;
        // The clock before the rotation finds the bank prepared, one clock after it was.
        let mut load = clocks
            .unload
            .max(self.rotation(clocks.prepared + 2))
            .max(end);
        if self.preload {
            load = load.max(clocks.load + self.chain());
        }
        clocks.load = load;
        let first_step = load + if self.preload { self.read() } else { 0 };
        clocks.step = first_step + (self.steps - 1) * self.slots;
        let used = self.used(rows);
        breakdown.rows += (used * self.steps) as u64;
        breakdown.sums += ((self.slots - used) * self.steps) as u64;
        breakdown.bank += (first_step - end) as u64;

        clocks.unload = (clocks.step + self.slots).max(clocks.unload + self.chain());
        let computed = clocks.unload + 1 + self.chain() + self.cols;
        let before = clocks.drained[0];
        let ready = match first_m && self.parameters > 0 {
            true => before + 2 + self.drain + self.parameters,
            false => before + 1,
        };
        clocks.drained = [computed.max(ready) + last, before];
    }

    /// Slots that hold a row of a tile.
    fn used(&self, rows: i64) -> i64 {
        (rows - 1) / self.rows + 1
    }

    /// Clocks in which a chain of the array carries a tile.
    fn chain(&self) -> i64 {
        self.rows * self.slots
    }

    /// Clocks of the rotations in which initial values are on their way (`READ_ROTATIONS`).
    fn read(&self) -> i64 {
        (self.rows + self.slots - 2) / self.slots * self.slots
    }

    /// The first rotation that does not begin before a clock.
    fn rotation(&self, clock: i64) -> i64 {
        let late = clock - FIRST_ROTATION;
        FIRST_ROTATION + late + (-late).rem_euclid(self.slots)
    }
}
