//! `quaver_drain_control`: reads complete rows of partial sums for the drain, and takes its
//! parameters.

use crate::preloader::tile_shape;
use crate::shape::Shape;
use crate::tile_iterator::TileIterator;
use crate::trace::{Visitor, VisitorExt as _};

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wires {
    pub(crate) ready: bool,
    pub(crate) stall: bool,
    pub(crate) load_scale: bool,
    pub(crate) load_bias: bool,
    /// `s_axis_c_tready`, where initial values are taken here.
    pub(crate) init_ready: bool,
    pub(crate) load_init: bool,
    pub(crate) init_stall: bool,
    /// `row_q` of `bank_q` is read.
    pub(crate) read: bool,
    last_row: bool,
    end_tile: bool,
    /// The bank in `read_bank_q` is no longer needed.
    pub(crate) drained: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct DrainControl {
    tiles: TileIterator,
    scale_taken_q: bool,
    bias_taken_q: bool,
    pub(crate) row_q: u32,
    pub(crate) bank_q: usize,
    pub(crate) read_valid_q: bool,
    pub(crate) read_bank_q: usize,
    read_bank_last_q: bool,
    pub(crate) read_job_last_q: bool,
    pub(crate) read_cols_q: u32,
}

impl DrainControl {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            tiles: TileIterator::new(tile_shape(shape)),
            scale_taken_q: false,
            bias_taken_q: false,
            row_q: 0,
            bank_q: 0,
            read_valid_q: false,
            read_bank_q: 0,
            read_bank_last_q: false,
            read_job_last_q: false,
            read_cols_q: 0,
        }
    }

    pub(crate) fn reset(&mut self, shape: &Shape) {
        *self = Self::new(shape);
    }

    pub(crate) fn wires(
        &self,
        [scale_columns, bias, init]: [bool; 3],
        tvalid: bool,
        init_tvalid: bool,
        bank_is_computed: bool,
        advance: bool,
        empty: bool,
    ) -> Wires {
        let tile = &self.tiles.tile;
        let needs_scale = tile.first_m && scale_columns && !self.scale_taken_q;
        let needs_bias = tile.first_m && bias && !self.bias_taken_q;
        let wants_beat = tile.valid && (needs_scale || needs_bias) && !self.read_valid_q && empty;
        let take_beat = wants_beat && tvalid;
        let may_read = tile.valid && !needs_scale && !needs_bias && bank_is_computed && advance;
        let init_ready = may_read && init;
        let read = may_read && (!init || init_tvalid);
        let last_row = self.row_q == tile.last_row;
        Wires {
            ready: wants_beat,
            stall: wants_beat && !tvalid,
            load_scale: take_beat && needs_scale,
            load_bias: take_beat && !needs_scale,
            init_ready,
            load_init: read && init,
            init_stall: init_ready && !init_tvalid,
            read,
            last_row,
            end_tile: read && last_row,
            drained: self.read_valid_q && self.read_bank_last_q && advance,
        }
    }

    pub(crate) fn clock(&mut self, wires: &Wires, start: bool, [m, n, _]: [u32; 3], advance: bool) {
        if wires.end_tile {
            self.scale_taken_q = false;
            self.bias_taken_q = false;
        } else {
            self.scale_taken_q |= wires.load_scale;
            self.bias_taken_q |= wires.load_bias;
        }
        if advance {
            self.read_valid_q = wires.read;
            self.read_bank_q = self.bank_q;
            self.read_bank_last_q = wires.last_row;
            self.read_job_last_q = wires.last_row && self.tiles.tile.last;
            self.read_cols_q = self.tiles.tile.cols;
        }
        if wires.end_tile {
            self.row_q = 0;
            self.bank_q ^= 1;
        } else {
            self.row_q += u32::from(wires.read);
        }
        self.tiles.clock(start, [m, n, 0], wires.end_tile);
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.flag("scale_taken_q", self.scale_taken_q);
        v.flag("bias_taken_q", self.bias_taken_q);
        v.bits("row_q", shape.row_bits, self.row_q);
        v.bits("bank_q", 1, self.bank_q as u32);
        v.flag("read_valid_q", self.read_valid_q);
        v.bits("read_bank_q", 1, self.read_bank_q as u32);
        v.flag("read_bank_last_q", self.read_bank_last_q);
        v.flag("read_job_last_q", self.read_job_last_q);
        v.bits("read_cols_q", shape.cols_bits, self.read_cols_q);
        self.tiles.visit(v, "u_tiles");
    }
}
