//! `quaver_launcher`: launches the rows of A into the array, and swaps the weights.

use crate::breakdown::Breakdown;
use crate::loader::tile_shape;
use crate::shape::{Shape, clog2, index_bits};
use crate::tile_iterator::TileIterator;
use crate::trace::{Visitor, VisitorExt as _};

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wires {
    pub(crate) ready: bool,
    pub(crate) stall: bool,
    pub(crate) launch: bool,
    /// The row's partial sum is read from the memory.
    pub(crate) read: bool,
    /// The operands of the beat enter, else zeros.
    pub(crate) takes_beat: bool,
    pub(crate) last: bool,
    pub(crate) swap: bool,
    pub(crate) claim: bool,
    /// The row's inner sum starts from +0; its chunk ends with it.
    pub(crate) restart: bool,
    pub(crate) promote: bool,
    chunk_ends: bool,
    end_tile: bool,
    sum_ready: bool,
}

/// Everything but `operand_q` and `swap_q`, which begin the array's delay lines
/// (see [`crate::array::Array`]).
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    tiles: TileIterator,
    weights_q: bool,
    pub(crate) row_q: u32,
    pub(crate) bank_q: usize,
    in_flight_q: u32,
    /// k tiles of a chunk; 0 where there are none.
    chunk_tiles: u32,
    chunk_tile_q: u32,
}

impl Launcher {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            tiles: TileIterator::new(tile_shape(shape)),
            weights_q: false,
            row_q: 0,
            bank_q: 0,
            in_flight_q: 0,
            chunk_tiles: shape.chunk_tiles as u32,
            chunk_tile_q: 0,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.tiles.reset();
        self.weights_q = false;
        self.row_q = 0;
        self.bank_q = 0;
        self.in_flight_q = 0;
        self.chunk_tile_q = 0;
    }

    pub(crate) fn wires(&self, loaded: bool, preloaded: bool, init: bool, tvalid: bool) -> Wires {
        let tile = &self.tiles.tile;
        let first_row = self.row_q == 0;
        let last_row = self.row_q == tile.last_row;
        let sum_ready = match tile.first_k {
            true => !first_row || preloaded,
            // Rows retire in order, so the row of the tile before has retired.
            false => self.in_flight_q <= tile.last_row,
        };
        let may_launch = tile.valid && self.weights_q && sum_ready;
        let needs_beat = tile.terms != 0;
        let launch = may_launch && (!needs_beat || tvalid);
        let end_tile = launch && last_row;
        let ready = may_launch && needs_beat;
        let chunked = self.chunk_tiles > 0;
        let chunk_ends = chunked && (tile.last_k || self.chunk_tile_q + 1 == self.chunk_tiles);
        Wires {
            ready,
            stall: ready && !tvalid,
            launch,
            read: launch && (init || !tile.first_k),
            takes_beat: launch && needs_beat,
            last: last_row && tile.last_k,
            swap: loaded && (!self.weights_q || end_tile),
            claim: launch && tile.first_k && first_row,
            restart: chunked && launch && self.chunk_tile_q == 0,
            promote: launch && chunk_ends && needs_beat,
            chunk_ends,
            end_tile,
            sum_ready,
        }
    }

    /// Counts what the launcher does in this clock.
    pub(crate) fn count(&self, wires: &Wires, breakdown: &mut Breakdown) {
        let tile = &self.tiles.tile;
        let part = match () {
            () if !tile.valid => return,
            () if wires.launch => &mut breakdown.rows,
            () if !self.weights_q => &mut breakdown.weights,
            () if wires.sum_ready => &mut breakdown.a,
            () if tile.first_k => &mut breakdown.bank,
            () => &mut breakdown.sums,
        };
        *part += 1;
    }

    pub(crate) fn clock(&mut self, wires: &Wires, start: bool, sizes: [u32; 3], retire: bool) {
        if wires.end_tile && self.tiles.tile.last_k {
            self.bank_q ^= 1;
        }
        if wires.end_tile && self.chunk_tiles > 0 {
            self.chunk_tile_q = match wires.chunk_ends {
                true => 0,
                false => self.chunk_tile_q + 1,
            };
        }
        self.tiles.clock(start, sizes, wires.end_tile);
        if wires.swap {
            self.weights_q = true;
        } else if wires.end_tile {
            self.weights_q = false;
        }
        if wires.end_tile {
            self.row_q = 0;
        } else {
            self.row_q += u32::from(wires.launch);
        }
        self.in_flight_q = self.in_flight_q + u32::from(wires.launch) - u32::from(retire);
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.flag("weights_q", self.weights_q);
        v.bits("row_q", shape.row_bits, self.row_q);
        v.bits("bank_q", 1, self.bank_q as u32);
        v.bits("in_flight_q", clog2(shape.flight() + 1), self.in_flight_q);
        if self.chunk_tiles > 0 {
            let width = index_bits(shape.chunk_tiles);
            v.scope("gen_chunks", None, |v| {
                v.bits("chunk_tile_q", width, self.chunk_tile_q);
            });
        }
        self.tiles.visit(v, "u_tiles");
    }
}
