//! Accumulators that need no blocking: the chain toward zero and the adder tree, element by
//! element.

use ndarray::ArrayView2;

use crate::decode::Decoder;

/// How one element takes its products.
pub(crate) enum Rule {
    /// numerics.md 4.2, blocks of that many lanes.
    Tree(usize),
}

/// Adds all products to `sums`, with rows `stride` apart.
///
/// # Safety
/// `sums` is valid for the product's shape and nothing else touches it.
pub(crate) unsafe fn run(
    rule: &Rule,
    a: ArrayView2<'_, u8>,
    b: ArrayView2<'_, u8>,
    decoders: (&Decoder, &Decoder),
    sums: *mut f32,
    stride: usize,
) {
    let rows: Vec<Vec<f32>> = a
        .rows()
        .into_iter()
        .map(|row| row.iter().map(|&code| decoders.0.one(code)).collect())
        .collect();
    let mut products = vec![0f32; a.ncols()];
    for (n, col) in b.columns().into_iter().enumerate() {
        let col: Vec<f32> = col.iter().map(|&code| decoders.1.one(code)).collect();
        for (m, row) in rows.iter().enumerate() {
            // SAFETY: inside the product.
            let sum = unsafe { &mut *sums.add(m * stride + n) };
            for (product, (a, b)) in products.iter_mut().zip(row.iter().zip(&col)) {
                *product = a * b;
            }
            *sum = match rule {
                Rule::Tree(lanes) => products
                    .chunks_mut(*lanes)
                    .fold(*sum, |sum, block| sum + tree(block)),
            };
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
