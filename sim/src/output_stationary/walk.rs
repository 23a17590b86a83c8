//! `quaver_os_walk`: rows of a bank in the order in which the array's chains carry them.

use crate::psum_memory::Access;
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

#[derive(Clone, Debug)]
pub(super) struct Walk {
    valid_q: bool,
    bank_q: usize,
    row_q: u32,
    rows: u32,
    last: u32,
}

impl Walk {
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            valid_q: false,
            bank_q: 0,
            row_q: 0,
            rows: shape.rows as u32,
            last: shape.tile_rows as u32 - 1,
        }
    }

    pub(super) fn reset(&mut self) {
        self.valid_q = false;
        self.bank_q = 0;
        self.row_q = 0;
    }

    /// The word of this clock.
    pub(super) fn access(&self) -> Access {
        Access {
            valid: self.valid_q,
            last: self.row_q == self.last,
            bank: self.bank_q as u8,
            row: self.row_q as u16,
        }
    }

    pub(super) fn clock(&mut self, start: Option<usize>) {
        if let Some(bank) = start {
            self.valid_q = true;
            self.bank_q = bank;
            self.row_q = 0;
        } else if self.valid_q {
            let last = self.row_q == self.last;
            let last_slot = self.last - self.rows;
            self.valid_q = !last;
            self.row_q = match self.row_q {
                _ if last => 0,
                // The first slot of the next row of PEs.
                row if row > last_slot => row - last_slot,
                row => row + self.rows,
            };
        }
    }

    pub(super) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.flag("valid_q", self.valid_q);
        v.bits("bank_q", 1, self.bank_q as u32);
        v.bits("row_q", shape.row_bits, self.row_q);
    }
}
