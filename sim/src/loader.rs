//! `quaver_loader`: loads the shadow weights, tile after tile, from `s_axis_b`.

use crate::arithmetic::ABSENT;
use crate::ports::Beat;
use crate::shape::{Shape, clog2, index_bits};
use crate::tile_iterator::{TileIterator, TileShape};
use crate::trace::{Visitor, VisitorExt as _};

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wires {
    /// Lanes of the row of this shift that hold a term of K.
    present: usize,
    pub(crate) wants_beat: bool,
    shift: bool,
    last_shift: bool,
    pub(crate) stall: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Loader {
    tiles: TileIterator,
    count_q: u32,
    pub(crate) loaded_q: bool,
    travel_q: u32,
    pub(crate) shift_q: bool,
    /// What operands are in the model, or [`ABSENT`]; the lanes of a column side by side.
    pub(crate) weight_q: Vec<u32>,
    lanes: usize,
    last_shift: u32,
    swap_travel: u32,
}

impl Loader {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            tiles: TileIterator::new(tile_shape(shape)),
            count_q: 0,
            loaded_q: false,
            travel_q: 0,
            shift_q: false,
            weight_q: vec![ABSENT; shape.cols * shape.lanes],
            lanes: shape.lanes,
            last_shift: shape.rows as u32 - 1,
            swap_travel: shape.swap_travel() as u32,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.tiles.reset();
        self.count_q = 0;
        self.loaded_q = false;
        self.travel_q = 0;
        self.shift_q = false;
        self.weight_q.fill(ABSENT);
    }

    pub(crate) fn wires(&self, tvalid: bool) -> Wires {
        let terms = self.tiles.tile.terms as usize;
        let before = self.count_q as usize * self.lanes;
        let present = terms.saturating_sub(before).min(self.lanes);
        let may_shift = self.tiles.tile.valid && !self.loaded_q && self.travel_q == 0;
        let wants_beat = may_shift && present > 0;
        let shift = may_shift && (present == 0 || tvalid);
        Wires {
            present,
            wants_beat,
            shift,
            last_shift: shift && self.count_q == self.last_shift,
            stall: wants_beat && !tvalid,
        }
    }

    pub(crate) fn clock(
        &mut self,
        wires: &Wires,
        start: bool,
        sizes: [u32; 3],
        swap: bool,
        beat: &Beat,
        table: &[u32; 256],
    ) {
        self.tiles.clock(start, sizes, wires.last_shift);
        if wires.last_shift {
            self.count_q = 0;
            self.loaded_q = true;
        } else {
            self.count_q += u32::from(wires.shift);
            self.loaded_q &= !swap;
        }
        if swap {
            self.travel_q = self.swap_travel;
        } else {
            self.travel_q = self.travel_q.saturating_sub(1);
        }
        self.shift_q = wires.shift;
        if wires.shift {
            let mut codes = beat.codes();
            for column in self.weight_q.chunks_exact_mut(self.lanes) {
                for (lane, (weight, code)) in column.iter_mut().zip(&mut codes).enumerate() {
                    *weight = match lane < wires.present {
                        true => table[usize::from(code)],
                        false => ABSENT,
                    };
                }
            }
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        let travel_bits = if self.swap_travel > 0 {
            clog2(shape.swap_travel() + 1)
        } else {
            1
        };
        v.bits("count_q", index_bits(shape.rows), self.count_q);
        v.flag("loaded_q", self.loaded_q);
        v.bits("travel_q", travel_bits, self.travel_q);
        v.flag("shift_q", self.shift_q);
        let width = 1 + shape.operand_bits();
        v.packed(
            "weight_q",
            self.weight_q.iter().map(|&w| (shape.weight_of(w), width)),
        );
        self.tiles.visit(v, "u_tiles");
    }
}

/// Tiles in all three dimensions, as the loader and the launcher walk them.
pub(crate) fn tile_shape(shape: &Shape) -> TileShape {
    TileShape {
        m: shape.tile_rows as u32,
        n: shape.cols as u32,
        k: shape.tile_k as u32,
        row_bits: shape.row_bits,
        cols_bits: shape.cols_bits,
        terms_bits: shape.terms_bits,
    }
}
