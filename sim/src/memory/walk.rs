//! The closed form of a job's time with a memory.
//!
//! The clocks of [`crate::timing`], with the clocks at which units are resident among what is waited for.
//! Clocks are counted from the write of CONTROL.start. The pattern of waits soon repeats, here too: walks
//! after which every clock is what it was before them plus the same number, or is the same as ever, are
//! multiplied.

use quaver_contract::config::Dataflow;
use quaver_contract::{Accumulator, CoreConfig};

use super::pattern::repeat;
use super::{MOST_PLACES, Memory, PLACES, Plan};
use crate::SimError;
use crate::breakdown::Breakdown;
use crate::timing::{FIRST_ROTATION, FIRST_TILE, JobShape, Latencies};

/// What a job costs with a memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryTiming {
    /// The counter `CYCLES`.
    pub cycles: u64,
    /// What the launcher did meanwhile.
    pub launcher: Breakdown,
    /// Bytes read of A, B, initial values, and scales and biases.
    pub read: [u64; 4],
    /// Bytes of results.
    pub written: u64,
    /// Clocks for which the reading channel is occupied.
    pub read_clocks: u64,
    /// Clocks for which the writing channel is.
    pub write_clocks: u64,
    /// Whether all of A, and the columns of an n tile of B, stay in their buffers.
    pub stays: [bool; 2],
}

impl MemoryTiming {
    /// Clocks until the job is over and its results are written, which takes as long as the slower of
    /// core and writing channel.
    pub fn finish(&self) -> u64 {
        self.cycles.max(self.write_clocks)
    }

    /// Multiply-adds for each byte that moves.
    pub fn intensity(&self, terms: u64) -> f64 {
        let bytes = self.read.iter().sum::<u64>() + self.written;
        if bytes == 0 {
            0.0
        } else {
            terms as f64 / bytes as f64
        }
    }
}

/// What a job costs on a configuration's core whose streams come from a memory; exact.
///
/// # Errors
/// [`SimError::Buffer`] when a buffer does not hold two units.
pub fn memory_timing(
    config: &CoreConfig,
    shape: &JobShape,
    memory: &Memory,
) -> Result<MemoryTiming, SimError> {
    let mut timing = MemoryTiming {
        cycles: 1,
        ..MemoryTiming::default()
    };
    if shape.m == 0 || shape.n == 0 {
        return Ok(timing);
    }
    let plan = Plan::new(config, shape, memory)?;
    let [m_tiles, n_tiles, _] = plan.tiles;
    let times = |once: bool, times: u64| if once { 1 } else { times };
    let reads = [
        times(plan.a_once, n_tiles) * plan.sum([0, 2], |m, k| plan.unit_a(m, k)),
        times(plan.b_once, m_tiles) * plan.sum([1, 2], |n, k| plan.unit_b(n, k)),
        u64::from(shape.init) * plan.sum([0, 1], |m, n| plan.unit_c(m, n)),
        4 * shape.parameters * shape.n,
    ];
    let walk = Walk::new(config, &plan);
    let (cycles, launcher) = walk.job();
    timing.cycles = cycles;
    timing.launcher = launcher;
    timing.read = reads;
    timing.written = plan.codes(2, shape.m * shape.n);
    timing.read_clocks = walk.read_clocks();
    timing.write_clocks = plan.clocks(timing.written);
    timing.stays = [plan.a_once, plan.b_once];
    Ok(timing)
}

/// The clocks that later tiles depend on, by these names.
pub(super) type Clocks = [i64; FIELDS];

/// The last swap; output-stationary, the last load.
const SWAP: usize = 0;
/// The launch of the last row; output-stationary, the last step's rotation.
pub(super) const END: usize = 1;
/// The last bank was prepared.
const PREPARED: usize = 2;
/// The read of the last row of the bank before, and of the one before that.
const DRAINED: usize = 3;
/// The last unload; output-stationary alone.
const UNLOAD: usize = 5;
/// The channel is free.
pub(super) const CHANNEL: usize = 6;
/// When what is in the buffer of B is resident.
const RESIDENT_B: usize = 7;
/// The last B went from the loader to the array; output-stationary alone.
const TAKEN: usize = 8;
/// The clocks from which the places in the buffers of A, B, C and P may be filled, in the order of
/// filling.
pub(super) const FREE: [usize; 4] = {
    let a = 9;
    let b = a + MOST_PLACES;
    let c = b + MOST_PLACES;
    [a, b, c, c + PLACES]
};
pub(super) const FIELDS: usize = FREE[P] + PLACES;

pub(super) const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const P: usize = 3;

/// Before everything.
const ALWAYS: i64 = 0;

/// Latencies of the core and units of the job.
struct Walk<'a> {
    plan: &'a Plan,
    core: Latencies,
    output_stationary: bool,
    /// Initial values go to the banks; else, of exact sums, to the drain.
    preload: bool,
    init: bool,
    slots: i64,
    costs: Costs,
}

/// Clocks for which units occupy the channel: of all but the last tile of an axis, and of the last.
struct Costs {
    /// By tile of M and of K.
    a: [[i64; 2]; 2],
    /// By tile of N and of K.
    b: [[i64; 2]; 2],
}

impl Costs {
    fn new(plan: &Plan) -> Self {
        let [m, n, k] = plan.tiles.map(|count| [0, count - 1]);
        let clocks = |bytes| plan.clocks(bytes) as i64;
        Self {
            a: m.map(|m| k.map(|k| clocks(plan.unit_a(m, k)))),
            b: n.map(|n| k.map(|k| clocks(plan.unit_b(n, k)))),
        }
    }
}

/// A tile in M and N.
#[derive(Clone, Copy)]
struct Tile {
    m: u64,
    n: u64,
}

impl<'a> Walk<'a> {
    fn new(config: &CoreConfig, plan: &'a Plan) -> Self {
        let exact = config.accumulator == Accumulator::Exact;
        let output_stationary = config.dataflow == Dataflow::OutputStationary;
        Self {
            plan,
            core: Latencies::of(config),
            output_stationary,
            preload: plan.shape.init && !exact,
            init: plan.shape.init,
            slots: if output_stationary {
                config.slots() as i64
            } else {
                1
            },
            costs: Costs::new(plan),
        }
    }

    /// 1 for the last tile of an axis (M, N, K), 0 for others: they are alike.
    fn last(&self, axis: usize, index: u64) -> usize {
        usize::from(index == self.plan.tiles[axis] - 1)
    }

    /// Clocks for which the channel is occupied.
    fn read_clocks(&self) -> u64 {
        let plan = self.plan;
        let times = |once: bool, times: u64| if once { 1 } else { times };
        let [m_tiles, n_tiles, _] = plan.tiles;
        let mut clocks = 0;
        clocks +=
            times(plan.a_once, n_tiles) * plan.sum([0, 2], |m, k| plan.clocks(plan.unit_a(m, k)));
        clocks +=
            times(plan.b_once, m_tiles) * plan.sum([1, 2], |n, k| plan.clocks(plan.unit_b(n, k)));
        if self.init {
            clocks += plan.sum([0, 1], |m, n| plan.clocks(plan.unit_c(m, n)));
        }
        let last = n_tiles - 1;
        clocks + last * plan.clocks(plan.unit_p(0)) + plan.clocks(plan.unit_p(last))
    }

    /// The clock of the job's last beat, and the launcher's clocks.
    fn job(&self) -> (u64, Breakdown) {
        let core = &self.core;
        let mut clocks = [ALWAYS; FIELDS];
        let mut breakdown = Breakdown::default();
        clocks[PREPARED] = FIRST_TILE - 1;
        clocks[DRAINED] = FIRST_TILE - 2 - core.drain;
        clocks[DRAINED + 1] = FIRST_TILE - 2 - core.drain;
        // The channel begins in the clock after the write.
        clocks[CHANNEL] = 1;
        if self.output_stationary {
            clocks[SWAP] = FIRST_ROTATION - core.rows * self.slots;
            clocks[END] = FIRST_ROTATION - self.slots;
            clocks[UNLOAD] = clocks[SWAP];
            breakdown.weights = (FIRST_ROTATION - FIRST_TILE) as u64;
        } else {
            clocks[SWAP] = FIRST_TILE + core.rows - core.load;
            clocks[END] = FIRST_TILE - 1;
        }
        let n_tiles = self.plan.tiles[1];
        // The first n tile reads what later ones find, the last may be narrower.
        self.n_tile(0, &mut clocks, &mut breakdown);
        if n_tiles > 2 {
            repeat(
                n_tiles - 2,
                &mut clocks,
                &mut breakdown,
                |clocks, breakdown| {
                    self.n_tile(1, clocks, breakdown);
                },
            );
        }
        if n_tiles > 1 {
            self.n_tile(n_tiles - 1, &mut clocks, &mut breakdown);
        }
        if self.output_stationary {
            // Nothing is waited for behind the last row.
            let used = self.used(self.plan.part(0, self.plan.tiles[0] - 1));
            breakdown.sums -= (self.slots - used) as u64;
        }
        ((clocks[DRAINED] + 1 + core.drain) as u64, breakdown)
    }

    fn n_tile(&self, n: u64, clocks: &mut Clocks, breakdown: &mut Breakdown) {
        let m_tiles = self.plan.tiles[0];
        self.m_tile(Tile { m: 0, n }, clocks, breakdown);
        if m_tiles > 2 {
            repeat(m_tiles - 2, clocks, breakdown, |clocks, breakdown| {
                self.m_tile(Tile { m: 1, n }, clocks, breakdown);
            });
        }
        if m_tiles > 1 {
            let tile = Tile { m: m_tiles - 1, n };
            self.m_tile(tile, clocks, breakdown);
        }
    }

    /// Reads a unit of so many clocks into the place of a buffer that is free first, or into one of its own;
    /// the clock at which it is resident.
    fn read(&self, clocks: &mut Clocks, buffer: Option<usize>, cost: i64) -> i64 {
        let free = buffer.map_or(ALWAYS, |buffer| clocks[FREE[buffer]]);
        let end = clocks[CHANNEL].max(free) + cost;
        clocks[CHANNEL] = end;
        end + i64::from(self.plan.memory.latency)
    }

    /// The oldest place of a buffer may be filled again from that clock.
    fn release(&self, clocks: &mut Clocks, buffer: usize, clock: i64) {
        let places = self.plan.places[buffer];
        let free = &mut clocks[FREE[buffer]..][..places];
        free.copy_within(1.., 0);
        free[places - 1] = clock;
    }

    /// All terms of one tile of results.
    fn m_tile(&self, tile: Tile, clocks: &mut Clocks, breakdown: &mut Breakdown) {
        let plan = self.plan;
        let Tile { m, n } = tile;
        let last = plan.part(0, m) as i64 - 1;
        let parameters = if m == 0 {
            plan.shape.parameters as i64
        } else {
            0
        };
        let resident_p = match parameters {
            0 => ALWAYS,
            _ => self.read(clocks, Some(P), plan.clocks(plan.unit_p(n)) as i64),
        };
        let resident_c = match self.init {
            false => ALWAYS,
            true => self.read(clocks, Some(C), plan.clocks(plan.unit_c(m, n)) as i64),
        };
        let free = clocks[DRAINED + 1] + 2;
        clocks[PREPARED] = (clocks[PREPARED] + 1).max(free);
        if self.preload {
            clocks[PREPARED] = clocks[PREPARED].max(resident_c) + last;
            self.release(clocks, C, clocks[PREPARED] + 1);
        }
        let computed = match self.output_stationary {
            false => self.k_tiles(tile, clocks, breakdown),
            true => self.steps(tile, clocks, breakdown),
        };
        let before = clocks[DRAINED];
        let mut ready = before + 1;
        if parameters > 0 {
            let first = (before + 2 + self.core.drain).max(resident_p);
            ready = first + parameters;
            self.release(clocks, P, ready);
        }
        let mut first = computed.max(ready);
        if self.init && !self.preload {
            first = first.max(resident_c);
            self.release(clocks, C, first + last + 1);
        }
        clocks[DRAINED + 1] = before;
        clocks[DRAINED] = first + last;
    }

    /// Weight-stationary; the clock at which the bank is complete.
    fn k_tiles(&self, tile: Tile, clocks: &mut Clocks, breakdown: &mut Breakdown) -> i64 {
        let k_tiles = self.plan.tiles[2];
        self.k_tile(tile, 0, clocks, breakdown);
        if k_tiles > 2 {
            repeat(k_tiles - 2, clocks, breakdown, |clocks, breakdown| {
                self.k_tile(tile, 1, clocks, breakdown);
            });
        }
        if k_tiles > 1 {
            self.k_tile(tile, k_tiles - 1, clocks, breakdown);
        }
        clocks[END] + self.core.flight - 1 + self.core.cols
    }

    fn k_tile(&self, tile: Tile, k: u64, clocks: &mut Clocks, breakdown: &mut Breakdown) {
        let (plan, core) = (self.plan, &self.core);
        let Tile { m, n } = tile;
        let terms = plan.part(2, k);
        let last = plan.part(0, m) as i64 - 1;
        let (mut resident_a, mut resident_b) = (ALWAYS, ALWAYS);
        if terms > 0 && (!plan.b_once || m == 0) {
            // The columns of the n tile before the last may be replaced as a whole.
            resident_b = self.read(
                clocks,
                Some(B),
                self.costs.b[self.last(1, n)][self.last(2, k)],
            );
        }
        if terms > 0 && (!plan.a_once || n == 0) {
            let free = (!plan.a_once).then_some(A);
            resident_a = self.read(clocks, free, self.costs.a[self.last(0, m)][self.last(2, k)]);
        }
        let first_b = (clocks[SWAP] + core.load - core.rows).max(resident_b);
        let swap = (first_b + core.rows).max(clocks[END]);
        let sums = match k {
            0 => clocks[PREPARED] + 1,
            // The row's launch in the tile before, and its way through the array.
            _ => clocks[END] - last + core.flight,
        };
        let may_start = (swap + 1).max(sums);
        let start = may_start.max(resident_a);
        breakdown.rows += last as u64 + 1;
        breakdown.weights += (swap - clocks[END]) as u64;
        let part = if k == 0 {
            &mut breakdown.bank
        } else {
            &mut breakdown.sums
        };
        *part += (may_start - swap - 1) as u64;
        breakdown.a += (start - may_start) as u64;
        clocks[SWAP] = swap;
        clocks[END] = start + last;
        if terms == 0 {
            return;
        }
        if !plan.a_once {
            self.release(clocks, A, clocks[END] + 1);
        }
        let beats = terms.div_ceil(core.lanes as u64) as i64;
        let last_of_columns = m == plan.tiles[0] - 1 && k == plan.tiles[2] - 1;
        if !plan.b_once || last_of_columns {
            self.release(clocks, B, first_b + beats);
        }
    }

    /// Output-stationary; the clock at which the bank is complete.
    fn steps(&self, tile: Tile, clocks: &mut Clocks, breakdown: &mut Breakdown) -> i64 {
        let (plan, core, slots) = (self.plan, &self.core, self.slots);
        let Tile { m, n } = tile;
        let chain = core.rows * slots;
        let steps = plan.shape.k.div_ceil(core.lanes as u64).max(1) as i64;
        let has_beats = plan.shape.k > 0;
        let mut resident_a = ALWAYS;
        if has_beats && m == 0 {
            clocks[RESIDENT_B] = self.read(clocks, Some(B), self.costs.b[self.last(1, n)][1]);
        }
        if has_beats && (!plan.a_once || n == 0) {
            let free = (!plan.a_once).then_some(A);
            resident_a = self.read(clocks, free, self.costs.a[self.last(0, m)][1]);
        }
        let end = clocks[END] + slots;
        let mut load = clocks[UNLOAD]
            .max(self.rotation(clocks[PREPARED] + 2))
            .max(end);
        if self.preload {
            load = load.max(clocks[SWAP] + chain);
        }
        // The loader takes the first B when the one before has gone to the array; from the clock after,
        // the last of a rotation, the array may take it.
        let first_b = clocks[TAKEN].max(FIRST_TILE).max(clocks[RESIDENT_B]);
        let step = match has_beats {
            true => self.rotation(first_b + 2).max(end),
            false => end,
        };
        let read = match self.preload {
            true => (core.rows + slots - 2) / slots * slots,
            false => 0,
        };
        let may_start = step.max(load + read);
        let start = may_start.max(self.rotation(resident_a));
        let used = self.used(plan.part(0, m));
        breakdown.rows += (used * steps) as u64;
        breakdown.sums += ((slots - used) * steps) as u64;
        breakdown.weights += (step - end) as u64;
        breakdown.bank += (may_start - step) as u64;
        breakdown.a += (start - may_start) as u64;

        clocks[SWAP] = load;
        clocks[END] = start + (steps - 1) * slots;
        clocks[TAKEN] = if steps == 1 { step } else { clocks[END] };
        clocks[UNLOAD] = (clocks[END] + slots).max(clocks[UNLOAD] + chain);
        if has_beats && !plan.a_once {
            self.release(clocks, A, clocks[END] + used);
        }
        if has_beats && m == plan.tiles[0] - 1 {
            // Each later B is taken when the one before has gone.
            let last_b = match steps {
                1 => first_b,
                2 => step,
                _ => clocks[END] - slots,
            };
            self.release(clocks, B, last_b + 1);
        }
        clocks[UNLOAD] + 1 + chain + core.cols
    }

    /// Slots that hold a row of a tile.
    fn used(&self, rows: u64) -> i64 {
        (rows as i64 - 1) / self.core.rows + 1
    }

    /// The first rotation that does not begin before a clock.
    fn rotation(&self, clock: i64) -> i64 {
        let late = clock - FIRST_ROTATION;
        (FIRST_ROTATION + late + (-late).rem_euclid(self.slots)).max(FIRST_ROTATION)
    }
}
