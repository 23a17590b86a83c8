//! Accumulators that need no blocking: the chain toward zero and the adder tree, element by
//! element.

use ndarray::ArrayView2;

use crate::decode::Decoder;

/// How one element takes its products.
pub(crate) enum Rule {
    /// numerics.md 4.1, toward zero.
    TowardZero,
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
                Rule::TowardZero => products
                    .iter()
                    .fold(*sum, |sum, &p| add_toward_zero(sum, p)),
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

/// `a + b` toward zero: the nearest sum, moved one place when it went too far.
fn add_toward_zero(a: f32, b: f32) -> f32 {
    let sum = a + b;
    if !sum.is_finite() {
        let overflowed = a.is_finite() && b.is_finite();
        return if overflowed {
            f32::MAX.copysign(sum)
        } else {
            sum
        };
    }
    // The error of a binary32 sum is exact (Knuth, TAOCP 2, 4.2.2, theorem B).
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    let too_far = error != 0.0 && (error > 0.0) != (sum > 0.0);
    if too_far {
        f32::from_bits(sum.to_bits() - 1)
    } else {
        sum
    }
}
