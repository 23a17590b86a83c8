//! A matrix product cut into blocks for the caches and tiles for the registers.

use ndarray::{ArrayView2, s};

use crate::Isa;
use crate::aligned::Aligned;
use crate::decode::Decoder;
use crate::kernel::Element;
use crate::pack::{pack_a, pack_b, panel_stride};

/// Terms of K that a packed block holds: a panel of B stays in the first-level cache.
const BLOCK_K: usize = 256;
/// Rows of A in a packed block, which stays in the second-level cache; a multiple of every tile.
const BLOCK_M: usize = 168;
/// Columns of B in a packed block.
const BLOCK_N: usize = 1024;
/// Below this many rows a block of B is read once or twice, so it is kept small and its reads
/// sequential.
const FEW_ROWS: usize = 48;
const FEW_ROWS_BLOCK_K: usize = 32;

/// Codes of A and of B, and how to decode them.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub(crate) a: ArrayView2<'a, u8>,
    pub(crate) b: ArrayView2<'a, u8>,
    pub(crate) decoder_a: &'a Decoder,
    pub(crate) decoder_b: &'a Decoder,
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
    let (rows, terms) = operands.a.dim();
    let cols = operands.b.ncols();
    if rows == 0 || cols == 0 || terms == 0 {
        return;
    }
    let (tile_rows, tile_cols) = T::tile(isa);
    let block_k = if rows <= FEW_ROWS {
        FEW_ROWS_BLOCK_K
    } else {
        BLOCK_K
    }
    .min(terms);
    let block_n = cols.min(BLOCK_N).next_multiple_of(tile_cols);
    let block_m = rows.min(BLOCK_M / tile_rows * tile_rows);
    let mut packed_a = Aligned::<f32>::zeros(block_m * block_k);
    let mut packed_b =
        Aligned::<f32>::zeros(block_n / tile_cols * panel_stride(tile_cols, block_k));
    let mut wide_a = T::wide(packed_a.len());
    let mut wide_b = T::wide(packed_b.len());
    for n0 in (0..cols).step_by(block_n) {
        let width = block_n.min(cols - n0);
        for k0 in (0..terms).step_by(block_k) {
            let depth = block_k.min(terms - k0);
            let panel = panel_stride(tile_cols, depth);
            let b = operands.b.slice(s![k0..k0 + depth, n0..n0 + width]);
            pack_b(isa, operands.decoder_b, b, tile_cols, &mut packed_b);
            let panels_b = T::panels(isa, &packed_b, &mut wide_b);
            for m0 in (0..rows).step_by(block_m) {
                let height = block_m.min(rows - m0);
                let a = operands.a.slice(s![m0..m0 + height, k0..k0 + depth]);
                pack_a(operands.decoder_a, a, tile_rows, &mut packed_a);
                let panels_a = T::panels(isa, &packed_a, &mut wide_a);
                for n1 in (0..width).step_by(tile_cols) {
                    for m1 in (0..height).step_by(tile_rows) {
                        // SAFETY: the tile lies inside the product, the panels inside the blocks.
                        unsafe {
                            T::run(
                                isa,
                                tile_rows.min(height - m1),
                                tile_cols.min(width - n1),
                                depth,
                                panels_a.as_ptr().add(m1 * depth),
                                panels_b.as_ptr().add(n1 / tile_cols * panel),
                                c.add((m0 + m1) * stride + n0 + n1),
                                stride,
                            );
                        }
                    }
                }
            }
        }
    }
}
