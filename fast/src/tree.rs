//! The `tree` accumulator (numerics.md 4.2): in blocks and tiles where there are vector registers,
//! element by element elsewhere.

use crate::Isa;
use crate::blocked::Operands;
#[cfg(target_arch = "x86_64")]
use crate::blocked::{Tile, Tiles, for_each_tile};
#[cfg(target_arch = "x86_64")]
use crate::kernel;

/// Adds all products to `sums`, with rows `stride` apart, in blocks of `lanes`.
///
/// # Safety
/// `sums` is valid for the product's shape and nothing else touches it. The machine has `isa`.
pub(crate) unsafe fn run(
    isa: Isa,
    lanes: usize,
    operands: &Operands<'_>,
    sums: *mut f32,
    stride: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::Portable {
        let mut tiles = Trees {
            isa,
            lanes,
            sums,
            stride,
        };
        // SAFETY: the caller's promise.
        return unsafe { for_each_tile::<f32>(isa, operands, &mut tiles) };
    }
    let _ = isa;
    // SAFETY: the caller's promise.
    unsafe { by_element(lanes, operands, sums, stride) };
}

#[cfg(target_arch = "x86_64")]
struct Trees {
    isa: Isa,
    lanes: usize,
    sums: *mut f32,
    stride: usize,
}

#[cfg(target_arch = "x86_64")]
impl Tiles<f32> for Trees {
    fn multiple(&self) -> usize {
        self.lanes
    }

    unsafe fn tile(&mut self, tile: &Tile<f32>) {
        let (row, col) = tile.place;
        // SAFETY: the tile lies inside the sums, which is the promise of `run`'s caller.
        unsafe {
            kernel::tree::run(
                self.isa,
                self.lanes,
                tile.rows,
                tile.cols,
                tile.depth,
                tile.a,
                tile.b,
                self.sums.add(row * self.stride + col),
                self.stride,
            );
        }
    }
}

/// See [`run`].
///
/// # Safety
/// As there.
unsafe fn by_element(lanes: usize, operands: &Operands<'_>, sums: *mut f32, stride: usize) {
    let (a, b) = (operands.a, operands.b);
    let rows: Vec<Vec<f32>> = a
        .rows()
        .into_iter()
        .map(|row| {
            row.iter()
                .map(|&code| operands.decoder_a.one(code))
                .collect()
        })
        .collect();
    let mut products = vec![0f32; a.ncols()];
    for (n, col) in b.columns().into_iter().enumerate() {
        let col: Vec<f32> = col
            .iter()
            .map(|&code| operands.decoder_b.one(code))
            .collect();
        for (m, row) in rows.iter().enumerate() {
            // SAFETY: inside the product.
            let sum = unsafe { &mut *sums.add(m * stride + n) };
            for (product, (a, b)) in products.iter_mut().zip(row.iter().zip(&col)) {
                *product = a * b;
            }
            *sum = products
                .chunks_mut(lanes)
                .fold(*sum, |sum, block| sum + tree(block));
        }
    }
}

/// The sum of a block by neighbours; the block is used up.
fn tree(block: &mut [f32]) -> f32 {
    let mut count = block.len();
    while count > 1 {
        for i in 0..count / 2 {
            block[i] = block[2 * i] + block[2 * i + 1];
        }
        if count % 2 == 1 {
            block[count / 2] = block[count - 1];
        }
        count = count.div_ceil(2);
    }
    block[0]
}
