//! Scales of blocks along K (numerics.md 7.8): what they are for a block of the result, and how its
//! partial sums are added.

use std::ops::Range;

use quaver_contract::BlockScales;
use quaver_contract::formats::FP32;

use crate::Isa;
use crate::blocked::{Operands, Tile, Tiles, for_each_tile};
use crate::decode::Decoder;
use crate::isa::for_each_isa;
use crate::kernel::{self, Element, Packed, TileScales};

/// Most values of a kernel's tile.
const TILE: usize = 14 * 32;

/// The scales of a slab's operands.
pub(crate) struct Factors<'a> {
    scales: BlockScales<'a>,
    /// The slab's first row and column in the result.
    origin: (usize, usize),
    /// `None` for scales in binary32.
    decoder: Option<Decoder>,
}

impl<'a> Factors<'a> {
    pub(crate) fn new(scales: BlockScales<'a>, origin: (usize, usize)) -> Self {
        Self {
            scales,
            origin,
            decoder: (scales.format != FP32).then(|| Decoder::new(scales.format)),
        }
    }

    /// Terms of K in a block.
    pub(crate) fn length(&self) -> usize {
        self.scales.length
    }

    /// A's scales in a block, for the slab's rows from `first` on.
    pub(crate) fn of_rows(&self, block: usize, first: usize, out: &mut [f32]) {
        let scales = self.scales.a.column(block);
        self.spread(scales, self.scales.rows, self.origin.0 + first, out);
    }

    /// B's scales in a block, for the slab's columns from `first` on.
    pub(crate) fn of_cols(&self, block: usize, first: usize, out: &mut [f32]) {
        let scales = self.scales.b.row(block);
        self.spread(scales, self.scales.cols, self.origin.1 + first, out);
    }

    /// Repeats every scale for the `group` elements that share it.
    fn spread(
        &self,
        scales: ndarray::ArrayView1<'_, u32>,
        group: usize,
        first: usize,
        mut out: &mut [f32],
    ) {
        let mut run = group - first % group;
        for &code in scales.iter().skip(first / group) {
            if out.is_empty() {
                return;
            }
            let value = match &self.decoder {
                Some(decoder) => decoder.one(code as u8),
                None => f32::from_bits(code),
            };
            let (now, later) = out.split_at_mut(run.min(out.len()));
            now.fill(value);
            (out, run) = (later, group);
        }
    }

    /// Whether `f_j` is the binary32 product of the scales within these bounds. In binary32 it is
    /// by definition, of e4m3fn it is exact; powers of two may leave the range.
    fn narrow(&self, a: Bounds, b: Bounds) -> bool {
        self.decoder.is_none() || {
            let product = |a, b| f64::from(a) * f64::from(b);
            let least = f64::from(f32::from_bits(1));
            product(a.least, b.least) >= least && product(a.largest, b.largest) <= f32::MAX.into()
        }
    }
}

/// The least and the largest magnitude of numbers that are neither zero nor NaN.
#[derive(Clone, Copy, Default)]
struct Bounds {
    least: f32,
    largest: f32,
}

impl Bounds {
    fn of(values: &[f32]) -> Self {
        // 1.0 where there are none.
        let numbers = || {
            let magnitudes = values.iter().map(|value| value.abs());
            magnitudes.filter(|&magnitude| magnitude > 0.0)
        };
        Self {
            least: numbers().fold(1.0, f32::min),
            largest: numbers().fold(1.0, f32::max),
        }
    }
}

/// Sums of one block, before its scales.
pub(crate) struct Partial<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) width: usize,
    /// Values from one row to the next.
    pub(crate) stride: usize,
}

impl Partial<'_> {
    pub(crate) fn height(&self) -> usize {
        self.values.len().div_ceil(self.stride)
    }

    #[inline(always)]
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let rows = self.values.chunks(self.stride);
        rows.map(|row| &row[..self.width])
    }
}

/// A part of the result that nothing else touches.
pub(crate) struct Rows {
    start: *mut f32,
    stride: usize,
}

impl Rows {
    /// # Safety
    /// While this lives, all rows that are asked for are valid and nothing else touches them.
    pub(crate) unsafe fn new(start: *mut f32, stride: usize) -> Self {
        Self { start, stride }
    }

    /// The first `width` values of row `row`.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "one row at a time")]
    pub(crate) fn row(&self, row: usize, width: usize) -> &mut [f32] {
        // SAFETY: the promise of `new`.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), width) }
    }
}

/// `sums += f * partial`, each step rounded once.
pub(crate) fn add(
    isa: Isa,
    factors: &Factors<'_>,
    of_rows: &[f32],
    of_cols: &[f32],
    partial: &Partial<'_>,
    sums: &Rows,
) {
    if factors.narrow(Bounds::of(of_rows), Bounds::of(of_cols)) {
        add_narrow(isa, of_rows, of_cols, partial, sums);
    } else {
        add_wide(isa, of_rows, of_cols, partial, sums);
    }
}

for_each_isa! {
    fn add_narrow(of_rows: &[f32], of_cols: &[f32], partial: &Partial<'_>, sums: &Rows) = narrow_loop
}

#[inline(always)]
fn narrow_loop(of_rows: &[f32], of_cols: &[f32], partial: &Partial<'_>, sums: &Rows) {
    for (m, (a, row)) in of_rows.iter().zip(partial.rows()).enumerate() {
        let sums = sums.row(m, row.len());
        for ((sum, b), value) in sums.iter_mut().zip(of_cols).zip(row) {
            *sum += a * b * value;
        }
    }
}

for_each_isa! {
    fn add_wide(of_rows: &[f32], of_cols: &[f32], partial: &Partial<'_>, sums: &Rows) = wide_loop
}

/// In binary64 a product of two scales of 8 bits and a binary32 number is exact.
#[inline(always)]
fn wide_loop(of_rows: &[f32], of_cols: &[f32], partial: &Partial<'_>, sums: &Rows) {
    for (m, (&a, row)) in of_rows.iter().zip(partial.rows()).enumerate() {
        let sums = sums.row(m, row.len());
        for ((sum, &b), &value) in sums.iter_mut().zip(of_cols).zip(row) {
            *sum += (f64::from(a) * f64::from(b) * f64::from(value)) as f32;
        }
    }
}

/// Rule 7.8 with the accumulator `fp32`, for blocks of at most [`crate::blocked::BLOCK_K`] terms.
///
/// # Safety
/// As [`crate::blocked::multiply_add`].
pub(crate) unsafe fn multiply_add(
    isa: Isa,
    factors: &Factors<'_>,
    operands: &Operands<'_>,
    sums: *mut f32,
    stride: usize,
) {
    let mut tiles = ScaledTiles {
        isa,
        factors,
        sums,
        stride,
        a: Panels::new(f32::tile(isa).0),
        b: Panels::new(f32::tile(isa).1),
    };
    // SAFETY: the caller's promise.
    unsafe { for_each_tile(isa, operands, &mut tiles) };
}

/// The scales of a packed operand: block by block, panel by panel.
struct Panels {
    /// Rows or columns of a panel.
    tile: usize,
    /// Elements a block, whole panels.
    extent: usize,
    values: Vec<f32>,
    bounds: Vec<Bounds>,
}

impl Panels {
    fn new(tile: usize) -> Self {
        Self {
            tile,
            extent: 0,
            values: Vec::new(),
            bounds: Vec::new(),
        }
    }

    fn fill(&mut self, blocks: Range<usize>, len: usize, spread: impl Fn(usize, &mut [f32])) {
        self.extent = len.next_multiple_of(self.tile);
        self.values.resize(blocks.len() * self.extent, 0.0);
        self.bounds.clear();
        for (block, values) in blocks.zip(self.values.chunks_exact_mut(self.extent)) {
            spread(block, &mut values[..len]);
            values[len..].fill(1.0);
            let panels = values.chunks_exact(self.tile);
            self.bounds.extend(panels.map(Bounds::of));
        }
    }

    /// The scales of the panel that begins at `first`, in the block of that number.
    fn panel(&self, block: usize, first: usize) -> (&[f32], Bounds) {
        let at = block * self.extent + first;
        (&self.values[at..][..self.tile], self.bounds[at / self.tile])
    }
}

/// Adds tiles block by block.
struct ScaledTiles<'f, 'a> {
    isa: Isa,
    factors: &'f Factors<'a>,
    sums: *mut f32,
    stride: usize,
    a: Panels,
    b: Panels,
}

impl ScaledTiles<'_, '_> {
    /// The blocks of those terms, which are whole ones.
    fn blocks(&self, terms: &Range<usize>) -> Range<usize> {
        let length = self.factors.length();
        terms.start / length..terms.end.div_ceil(length)
    }
}

impl Tiles<f32> for ScaledTiles<'_, '_> {
    fn multiple(&self) -> usize {
        self.factors.length()
    }

    fn columns(&mut self, terms: Range<usize>, cols: Range<usize>) {
        let (blocks, factors) = (self.blocks(&terms), self.factors);
        let spread = |block, out: &mut [f32]| factors.of_cols(block, cols.start, out);
        self.b.fill(blocks, cols.len(), spread);
    }

    fn rows(&mut self, terms: Range<usize>, rows: Range<usize>) {
        let (blocks, factors) = (self.blocks(&terms), self.factors);
        let spread = |block, out: &mut [f32]| factors.of_rows(block, rows.start, out);
        self.a.fill(blocks, rows.len(), spread);
    }

    unsafe fn tile(&mut self, tile: &Tile<f32>) {
        let length = self.factors.length();
        let tile_cols = self.b.tile;
        let narrow = |block| {
            let (_, bounds_a) = self.a.panel(block, tile.packed.0);
            let (_, bounds_b) = self.b.panel(block, tile.packed.1);
            self.factors.narrow(bounds_a, bounds_b)
        };
        if (0..tile.depth.div_ceil(length)).all(narrow) {
            let scales = TileScales {
                a: self.a.panel(0, tile.packed.0).0.as_ptr(),
                b: self.b.panel(0, tile.packed.1).0.as_ptr(),
                strides: (self.a.extent, self.b.extent),
            };
            // SAFETY: the panels and the scales hold the tile's terms; the tile lies inside the
            // sums, which is the promise of `multiply_add`'s caller.
            let done = unsafe {
                let (row, col) = tile.place;
                kernel::scaled(
                    self.isa,
                    tile.rows,
                    tile.cols,
                    (tile.depth, length),
                    tile.a,
                    tile.b,
                    self.sums.add(row * self.stride + col),
                    self.stride,
                    scales,
                )
            };
            if done {
                return;
            }
        }
        let mut values = [0.0; TILE];
        for (block, k) in (0..tile.depth).step_by(length).enumerate() {
            let (a, bounds_a) = self.a.panel(block, tile.packed.0);
            let (b, bounds_b) = self.b.panel(block, tile.packed.1);
            // SAFETY: the panels hold the block's terms, and `values` a tile; the tile lies inside
            // the sums, which is the promise of `multiply_add`'s caller.
            let sums = unsafe {
                f32::run(
                    self.isa,
                    tile.rows,
                    tile.cols,
                    length.min(tile.depth - k),
                    tile.a.add(k * tile.rows),
                    tile.b.add(k * tile_cols),
                    values.as_mut_ptr(),
                    tile_cols,
                    true,
                );
                let (row, col) = tile.place;
                Rows::new(self.sums.add(row * self.stride + col), self.stride)
            };
            let partial = Partial {
                values: &values[..tile.rows * tile_cols],
                width: tile.cols,
                stride: tile_cols,
            };
            if self.factors.narrow(bounds_a, bounds_b) {
                add_narrow(self.isa, a, b, &partial, &sums);
            } else {
                add_wide(self.isa, a, b, &partial, &sums);
            }
        }
    }
}
