//! A matrix product cut into blocks for the caches and tiles for the registers.

use std::ops::Range;

use ndarray::{ArrayView2, s};

use crate::Isa;
use crate::aligned::Aligned;
use crate::decode::Decoder;
use crate::kernel::{Element, Packed};
use crate::pack::{pack_a, pack_b, panel_stride};

/// Terms of K that a packed block holds: a panel of B stays in the first-level cache.
pub(crate) const BLOCK_K: usize = 256;
/// Rows of A that are packed at a time: some blocks.
const PACKED_M: usize = 12 * BLOCK_M;
/// Rows of A in a block, which stays in the second-level cache; a multiple of every tile.
const BLOCK_M: usize = 168;
/// Columns of B in a packed block.
const BLOCK_N: usize = 1024;
/// Below this many rows a block of B is read once or twice, so it is kept flat: its codes are read
/// as they lie in memory, in long runs.
const FEW_ROWS: usize = 48;
const FEW_ROWS_BLOCK_K: usize = 64;
const FEW_ROWS_BLOCK_N: usize = 4096;

/// Codes of A and of B, and how to decode them.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub(crate) a: ArrayView2<'a, u8>,
    pub(crate) b: ArrayView2<'a, u8>,
    pub(crate) decoder_a: &'a Decoder,
    pub(crate) decoder_b: &'a Decoder,
}

/// A tile of the result and the packed panels whose product belongs there.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T> {
    /// First row and first column in the result.
    pub(crate) place: (usize, usize),
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// First row and first column in what is packed.
    pub(crate) packed: (usize, usize),
    /// Terms of K in the panels.
    pub(crate) depth: usize,
    /// Whether they are the product's first terms.
    pub(crate) first: bool,
    /// `depth` times `rows` values.
    pub(crate) a: *const T,
    /// `depth` times the tile's columns.
    pub(crate) b: *const T,
}

/// What is done with packed blocks of A and B.
pub(crate) trait Tiles<T> {
    /// Terms of K become a multiple of this, where a block has so many.
    fn multiple(&self) -> usize {
        1
    }

    /// Terms and columns of B have been packed.
    fn columns(&mut self, _terms: Range<usize>, _cols: Range<usize>) {}

    /// Terms and rows of A have been packed.
    fn rows(&mut self, _terms: Range<usize>, _rows: Range<usize>) {}

    /// All terms of these rows and columns of the result have been added.
    fn finished(&mut self, _rows: Range<usize>, _cols: Range<usize>) {}

    /// A tile of these blocks' product is due. Of each tile, terms come in ascending order.
    ///
    /// # Safety
    /// The panels are readable for their sizes; the rest is for the implementation to promise.
    unsafe fn tile(&mut self, tile: &Tile<T>);
}

/// `c += a * b`, each element a chain of fused multiply-adds over ascending k. `c` has rows that
/// are `stride` apart.
///
/// # Safety
/// `c` is valid for the product's shape and nothing else touches it. The machine has `isa`.
pub(crate) unsafe fn multiply_add<T: Element>(
    isa: Isa,
    operands: &Operands<'_>,
    c: *mut T,
    stride: usize,
) {
    let mut sums = Sums {
        isa,
        c,
        stride,
        fresh: false,
        finish: &|_, _| {},
    };
    // SAFETY: the caller's promise.
    unsafe { for_each_tile(isa, operands, &mut sums) };
}

/// The sums as they are.
pub(crate) struct Sums<'f, T> {
    pub(crate) isa: Isa,
    /// Where the product's first element is, and how far its rows are apart.
    pub(crate) c: *mut T,
    pub(crate) stride: usize,
    /// Whether sums start at +0, and what is in their place is not read.
    pub(crate) fresh: bool,
    /// What happens to rows and columns of sums while they are in the caches.
    pub(crate) finish: &'f dyn Fn(Range<usize>, Range<usize>),
}

impl<T: Element> Tiles<T> for Sums<'_, T> {
    fn finished(&mut self, rows: Range<usize>, cols: Range<usize>) {
        (self.finish)(rows, cols);
    }

    unsafe fn tile(&mut self, tile: &Tile<T>) {
        // SAFETY: the tile lies inside the product, which is the promise of `multiply_add`'s caller.
        unsafe {
            T::run(
                self.isa,
                tile.rows,
                tile.cols,
                tile.depth,
                tile.a,
                tile.b,
                self.c.add(tile.place.0 * self.stride + tile.place.1),
                self.stride,
                self.fresh && tile.first,
            );
        }
    }
}

/// Packs the operands block by block and gives out the tiles of their product; without terms there
/// are none.
///
/// # Safety
/// What `tiles` wants of a tile inside the product. The machine has `isa`.
pub(crate) unsafe fn for_each_tile<T: Packed>(
    isa: Isa,
    operands: &Operands<'_>,
    tiles: &mut impl Tiles<T>,
) {
    let (rows, terms) = operands.a.dim();
    let cols = operands.b.ncols();
    if rows == 0 || cols == 0 || terms == 0 {
        return tiles.finished(0..rows, 0..cols);
    }
    let (tile_rows, tile_cols) = T::tile(isa);
    let (block_k, block_n) = if rows <= FEW_ROWS {
        (FEW_ROWS_BLOCK_K, FEW_ROWS_BLOCK_N)
    } else {
        (BLOCK_K, BLOCK_N)
    };
    let multiple = tiles.multiple();
    let block_k = (block_k / multiple).max(1) * multiple;
    let block_k = block_k.min(terms);
    let block_n = cols.min(block_n).next_multiple_of(tile_cols);
    let block_m = BLOCK_M / tile_rows * tile_rows;
    let packed_m = rows.min(PACKED_M / block_m * block_m);
    let mut packed_a = Aligned::<f32>::any(packed_m * block_k);
    let mut packed_b = Aligned::<f32>::any(block_n / tile_cols * panel_stride(tile_cols, block_k));
    let mut wide_a = T::wide(packed_a.len());
    let mut wide_b = T::wide(packed_b.len());
    for m0 in (0..rows).step_by(packed_m) {
        let height = packed_m.min(rows - m0);
        for k0 in (0..terms).step_by(block_k) {
            let depth = block_k.min(terms - k0);
            let panel = panel_stride(tile_cols, depth);
            let a = operands.a.slice(s![m0..m0 + height, k0..k0 + depth]);
            let packed_a = &mut packed_a[..height * depth];
            pack_a(isa, operands.decoder_a, a, tile_rows, packed_a);
            tiles.rows(k0..k0 + depth, m0..m0 + height);
            let panels_a = T::panels(isa, packed_a, &mut wide_a);
            for n0 in (0..cols).step_by(block_n) {
                let width = block_n.min(cols - n0);
                let b = operands.b.slice(s![k0..k0 + depth, n0..n0 + width]);
                let packed_b = &mut packed_b[..width.div_ceil(tile_cols) * panel];
                pack_b(isa, operands.decoder_b, b, tile_cols, packed_b);
                tiles.columns(k0..k0 + depth, n0..n0 + width);
                let panels_b = T::panels(isa, packed_b, &mut wide_b);
                for m1 in (0..height).step_by(block_m) {
                    let rows = m1..height.min(m1 + block_m);
                    for n1 in (0..width).step_by(tile_cols) {
                        for m2 in rows.clone().step_by(tile_rows) {
                            // SAFETY: the tile lies inside the product, the panels inside the
                            // blocks.
                            unsafe {
                                tiles.tile(&Tile {
                                    place: (m0 + m2, n0 + n1),
                                    rows: tile_rows.min(height - m2),
                                    cols: tile_cols.min(width - n1),
                                    packed: (m2, n1),
                                    depth,
                                    first: k0 == 0,
                                    a: panels_a.as_ptr().add(m2 * depth),
                                    b: panels_b.as_ptr().add(n1 / tile_cols * panel),
                                });
                            }
                        }
                    }
                    if k0 + depth == terms {
                        tiles.finished(m0 + rows.start..m0 + rows.end, n0..n0 + width);
                    }
                }
            }
        }
    }
}
