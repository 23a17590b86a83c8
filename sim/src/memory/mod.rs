//! Memory off the chip: when the beats of a job can be there, and what that costs.
//!
//! The core's streams are fed from a memory through one channel that reads *units* in the order in
//! which the core needs them, each into its place in a buffer:
//!
//! | unit | weight-stationary | output-stationary |
//! |---|---|---|
//! | A | the rows of an m tile, the terms of a k tile | the rows of an m tile, all terms |
//! | B | the terms of a k tile, the columns of an n tile | all terms, the columns of an n tile |
//! | C | the initial values of an m tile | the same |
//! | P | scales and biases of an n tile | the same |
//!
//! A unit occupies the channel for its bytes over the bandwidth, rounded up to whole clocks; a
//! latency later it is *resident*, and its beats may move. When its last beat has moved, its place is
//! free for another unit. A buffer has 2 to 16 places, as many as it holds; those of C and of P have 2. A
//! buffer that holds all of A, or twice the columns of B that belong to an n tile, is read into once, and
//! its units stay.
//!
//! Results leave through a channel of their own, as AXI has one for writing, with the same bandwidth.

mod device;
mod pattern;
mod walk;

pub use device::MemoryDevice;
pub use walk::{MemoryTiming, memory_timing};

use quaver_contract::CoreConfig;
use quaver_contract::config::Dataflow;

use crate::SimError;
use crate::timing::JobShape;

/// Memory off the chip, and the buffers on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes a clock, as a fraction: numerator, denominator; both 1 or more.
    pub bandwidth: [u32; 2],
    /// Clocks from the end of a unit's transfer until it is resident.
    pub latency: u32,
    /// Bytes of the buffer of A.
    pub buffer_a: u64,
    /// The same of B.
    pub buffer_b: u64,
    /// Bits of a code of A, of B and of a result.
    pub code_bits: [u32; 3],
}

/// Sizes of the units of a job, and which are read once.
#[derive(Clone, Copy, Debug)]
struct Plan {
    memory: Memory,
    shape: JobShape,
    /// Rows of an m tile, columns of an n tile, terms of K of a unit.
    tile: [u64; 3],
    /// The counts of each, at least 1 of K.
    tiles: [u64; 3],
    a_once: bool,
    b_once: bool,
    /// Places of units in the buffers of A, B, C and P; of B where it is read once, of all its units
    /// that belong to an n tile.
    places: [usize; 4],
}

/// The most units that a buffer holds at once.
const MOST_PLACES: usize = 16;

/// The fewest, and what the buffers of C and of P have.
const PLACES: usize = 2;

impl Plan {
    fn new(config: &CoreConfig, shape: &JobShape, memory: &Memory) -> Result<Self, SimError> {
        let terms = match config.dataflow {
            Dataflow::WeightStationary => config.tile_k() as u64,
            Dataflow::OutputStationary => shape.k.max(1),
        };
        let tile = [config.tile_rows as u64, config.cols as u64, terms];
        let mut plan = Self {
            memory: *memory,
            shape: *shape,
            tile,
            tiles: [
                shape.m.div_ceil(tile[0]),
                shape.n.div_ceil(tile[1]),
                shape.k.div_ceil(terms).max(1),
            ],
            a_once: false,
            b_once: false,
            places: [PLACES; 4],
        };
        let [a, b] = [plan.unit_a(0, 0), plan.unit_b(0, 0)];
        let panel = plan.codes(1, shape.k * plan.part(1, 0));
        plan.a_once = plan.codes(0, shape.m * shape.k) <= memory.buffer_a;
        // With one n tile there is nothing to make room for.
        let panels = plan.tiles[1].min(2);
        plan.b_once = panels * panel <= memory.buffer_b;
        for (operand, once, unit, bytes) in [
            ('a', plan.a_once, a, memory.buffer_a),
            ('b', plan.b_once, b, memory.buffer_b),
        ] {
            if !once && 2 * unit > bytes {
                return Err(SimError::Buffer {
                    operand,
                    bytes,
                    least: 2 * unit,
                });
            }
        }
        let places = |unit: u64, bytes: u64| {
            let whole = bytes.checked_div(unit).unwrap_or(2);
            whole.clamp(2, MOST_PLACES as u64) as usize
        };
        plan.places[0] = places(a, memory.buffer_a);
        if !plan.b_once {
            plan.places[1] = places(b, memory.buffer_b);
        }
        Ok(plan)
    }

    /// How much of dimension `axis` (M, N, K) the tile of that index has.
    fn part(&self, axis: usize, index: u64) -> u64 {
        let whole = [self.shape.m, self.shape.n, self.shape.k][axis];
        (whole - index * self.tile[axis]).min(self.tile[axis])
    }

    /// Bytes of that many codes of A, B or D.
    fn codes(&self, operand: usize, count: u64) -> u64 {
        (count * u64::from(self.memory.code_bits[operand])).div_ceil(8)
    }

    fn unit_a(&self, m: u64, k: u64) -> u64 {
        self.codes(0, self.part(0, m) * self.part(2, k))
    }

    fn unit_b(&self, n: u64, k: u64) -> u64 {
        self.codes(1, self.part(1, n) * self.part(2, k))
    }

    fn unit_c(&self, m: u64, n: u64) -> u64 {
        4 * self.part(0, m) * self.part(1, n)
    }

    fn unit_p(&self, n: u64) -> u64 {
        4 * self.shape.parameters * self.part(1, n)
    }

    /// Clocks for which so many bytes occupy a channel.
    fn clocks(&self, bytes: u64) -> u64 {
        let [bytes_of, clocks] = self.memory.bandwidth.map(u64::from);
        (bytes * clocks).div_ceil(bytes_of)
    }

    /// Bytes of a sum over all units of one operand.
    fn sum(&self, axes: [usize; 2], unit: impl Fn(u64, u64) -> u64) -> u64 {
        // All but the last of each axis are alike.
        let parts = |axis: usize| {
            let last = self.tiles[axis] - 1;
            [(0, last), (last, 1)]
        };
        let mut bytes = 0;
        for (i, times_i) in parts(axes[0]) {
            for (j, times_j) in parts(axes[1]) {
                if times_i * times_j > 0 {
                    bytes += times_i * times_j * unit(i, j);
                }
            }
        }
        bytes
    }
}
