//! `quaver_tile_iterator`: walks the tiles of a job.

use crate::shape::mask;
use crate::trace::{Visitor, VisitorExt as _};

/// Tile sizes and the widths of what describes a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileShape {
    pub(crate) m: u32,
    pub(crate) n: u32,
    pub(crate) k: u32,
    pub(crate) row_bits: u32,
    pub(crate) cols_bits: u32,
    pub(crate) terms_bits: u32,
}

/// The tile described: `tile_*_q`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tile {
    pub(crate) valid: bool,
    pub(crate) last_row: u32,
    pub(crate) cols: u32,
    pub(crate) terms: u32,
    pub(crate) first_m: bool,
    pub(crate) first_k: bool,
    pub(crate) last_k: bool,
    pub(crate) last: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TileIterator {
    shape: TileShape,
    running_q: bool,
    m_left_q: u32,
    n_left_q: u32,
    k_left_q: u32,
    first_m_q: bool,
    first_k_q: bool,
    pub(crate) tile: Tile,
}

impl TileIterator {
    pub(crate) fn new(shape: TileShape) -> Self {
        Self {
            shape,
            running_q: false,
            m_left_q: 0,
            n_left_q: 0,
            k_left_q: 0,
            first_m_q: false,
            first_k_q: false,
            tile: Tile::default(),
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.shape);
    }

    pub(crate) fn clock(&mut self, start: bool, [m, n, k]: [u32; 3], take: bool) {
        let shape = self.shape;
        let fill = self.running_q && (!self.tile.valid || take);
        if !start && !fill {
            if take {
                self.tile.valid = false;
            }
            return;
        }
        let last_m = self.m_left_q <= shape.m;
        let last_n = self.n_left_q <= shape.n;
        let last_k = self.k_left_q <= shape.k;
        let last = last_m && last_n && last_k;
        if fill {
            let row_mask = mask(shape.row_bits);
            self.tile = Tile {
                valid: true,
                last_row: if last_m {
                    self.m_left_q.wrapping_sub(1)
                } else {
                    shape.m - 1
                } & row_mask,
                cols: if last_n { self.n_left_q } else { shape.n } & mask(shape.cols_bits),
                terms: if last_k { self.k_left_q } else { shape.k } & mask(shape.terms_bits),
                first_m: self.first_m_q,
                first_k: self.first_k_q,
                last_k,
                last,
            };
        } else if take {
            self.tile.valid = false;
        }
        if start {
            self.running_q = true;
            (self.m_left_q, self.n_left_q, self.k_left_q) = (m, n, k);
            self.first_m_q = true;
            self.first_k_q = true;
        } else {
            self.running_q = !last;
            self.k_left_q = if last_k {
                k
            } else {
                self.k_left_q.wrapping_sub(shape.k)
            };
            self.first_k_q = last_k;
            if last_k {
                self.m_left_q = if last_m {
                    m
                } else {
                    self.m_left_q.wrapping_sub(shape.m)
                };
                self.first_m_q = last_m;
                if last_m {
                    self.n_left_q = self.n_left_q.wrapping_sub(shape.n);
                }
            }
        }
    }

    /// Its registers, under the instance's name.
    pub(crate) fn visit(&self, v: &mut dyn Visitor, name: &'static str) {
        v.scope(name, None, |v| {
            v.flag("running_q", self.running_q);
            v.bits("m_left_q", 32, self.m_left_q);
            v.bits("n_left_q", 32, self.n_left_q);
            v.bits("k_left_q", 32, self.k_left_q);
            v.flag("first_m_q", self.first_m_q);
            v.flag("first_k_q", self.first_k_q);
            v.flag("tile_valid_q", self.tile.valid);
            v.bits("tile_last_row_q", self.shape.row_bits, self.tile.last_row);
            v.bits("tile_cols_q", self.shape.cols_bits, self.tile.cols);
            v.bits("tile_terms_q", self.shape.terms_bits, self.tile.terms);
            v.flag("tile_first_m_q", self.tile.first_m);
            v.flag("tile_first_k_q", self.tile.first_k);
            v.flag("tile_last_k_q", self.tile.last_k);
            v.flag("tile_last_q", self.tile.last);
        });
    }
}
