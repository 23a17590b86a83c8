//! `quaver_os_loader`: takes the rows of B, a step of K a beat, one ahead of the array.

use crate::arithmetic::ABSENT;
use crate::loader::tile_shape;
use crate::ports::Beat;
use crate::shape::Shape;
use crate::tile_iterator::TileIterator;
use crate::trace::{Visitor, VisitorExt as _};

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wires {
    pub(super) wants_beat: bool,
    load: bool,
    pub(super) stall: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Loader {
    steps: TileIterator,
    pub(super) loaded_q: bool,
    /// What operands are in the model, or [`ABSENT`]; the lanes of a column side by side.
    pub(super) weight_q: Vec<u32>,
    lanes: usize,
}

impl Loader {
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            steps: TileIterator::new(tile_shape(shape)),
            loaded_q: false,
            weight_q: vec![ABSENT; shape.cols * shape.lanes],
            lanes: shape.lanes,
        }
    }

    pub(super) fn reset(&mut self) {
        self.steps.reset();
        self.loaded_q = false;
        self.weight_q.fill(ABSENT);
    }

    pub(super) fn wires(&self, tvalid: bool) -> Wires {
        let may_load = self.steps.tile.valid && !self.loaded_q;
        let wants_beat = may_load && self.steps.tile.terms != 0;
        Wires {
            wants_beat,
            load: may_load && (!wants_beat || tvalid),
            stall: wants_beat && !tvalid,
        }
    }

    pub(super) fn clock(
        &mut self,
        wires: &Wires,
        start: bool,
        sizes: [u32; 3],
        take: bool,
        beat: &Beat,
        table: &[u32; 256],
    ) {
        let present = self.steps.tile.terms as usize;
        self.steps.clock(start, sizes, wires.load);
        if wires.load {
            self.loaded_q = true;
            let codes = beat.codes().chain(std::iter::repeat(0));
            for (i, (weight, code)) in self.weight_q.iter_mut().zip(codes).enumerate() {
                *weight = match i % self.lanes < present {
                    true => table[usize::from(code)],
                    false => ABSENT,
                };
            }
        } else if take {
            self.loaded_q = false;
        }
    }

    pub(super) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.flag("loaded_q", self.loaded_q);
        let width = 1 + shape.operand_bits();
        let weights = self.weight_q.iter();
        v.packed("weight_q", weights.map(|&w| (shape.weight_of(w), width)));
        self.steps.visit(v, "u_steps");
    }
}
