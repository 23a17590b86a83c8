//! `quaver_preloader`: prepares a bank of partial sums for each m tile.

use crate::shape::Shape;
use crate::tile_iterator::{TileIterator, TileShape};
use crate::trace::{Visitor, VisitorExt as _};

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wires {
    pub(crate) ready: bool,
    pub(crate) stall: bool,
    /// The beat goes to `row_q` of `bank_q`.
    pub(crate) write: bool,
    pub(crate) done: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Preloader {
    tiles: TileIterator,
    pub(crate) row_q: u32,
    pub(crate) bank_q: usize,
}

/// One k tile: this walk and the drain's do not depend on K.
pub(crate) fn tile_shape(shape: &Shape) -> TileShape {
    TileShape {
        k: 1,
        terms_bits: 1,
        ..crate::loader::tile_shape(shape)
    }
}

impl Preloader {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            tiles: TileIterator::new(tile_shape(shape)),
            row_q: 0,
            bank_q: 0,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.tiles.reset();
        self.row_q = 0;
        self.bank_q = 0;
    }

    pub(crate) fn wires(&self, bank_is_free: bool, init: bool, tvalid: bool) -> Wires {
        let may_fill = self.tiles.tile.valid && bank_is_free;
        let ready = may_fill && init;
        let last_row = self.row_q == self.tiles.tile.last_row;
        Wires {
            ready,
            stall: ready && !tvalid,
            write: ready && tvalid,
            done: may_fill && (!init || (tvalid && last_row)),
        }
    }

    pub(crate) fn clock(&mut self, wires: &Wires, start: bool, [m, n, _]: [u32; 3]) {
        self.tiles.clock(start, [m, n, 0], wires.done);
        if wires.done {
            self.row_q = 0;
            self.bank_q ^= 1;
        } else {
            self.row_q += u32::from(wires.write);
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.bits("row_q", shape.row_bits, self.row_q);
        v.bits("bank_q", 1, self.bank_q as u32);
        self.tiles.visit(v, "u_tiles");
    }
}
