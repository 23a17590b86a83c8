//! AVX2 with FMA: up to 6 rows of two registers; 12 accumulators, two registers of B, one of A.

use std::arch::x86_64::*;

/// Defines the tile of one element type; see [`super::Element::run`]. `ROWS` is at most 6, `cols`
/// at most twice the lanes.
macro_rules! tile {
    ($name:ident, $float:ty, $lanes:literal, $mask:path, $zero:ident, $load:ident, $masked_load:ident, $broadcast:ident, $multiply_add:ident, $masked_store:ident) => {
        /// # Safety
        /// As [`super::Element::run`].
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn $name<const ROWS: usize>(
            k: usize,
            mut a: *const $float,
            mut b: *const $float,
            c: *mut $float,
            stride: usize,
            cols: usize,
            fresh: bool,
        ) {
            let (low, high) = ($mask(cols as i32), $mask(cols as i32 - $lanes));
            let mut sums = [[$zero(); 2]; ROWS];
            // SAFETY: masked lanes are not touched; the rest is inside the tile and the panels.
            unsafe {
                let read = if fresh { 0 } else { ROWS };
                for (row, sum) in sums.iter_mut().enumerate().take(read) {
                    let c = c.add(row * stride);
                    sum[0] = $masked_load(c, low);
                    sum[1] = $masked_load(c.wrapping_add($lanes), high);
                }
                for _ in 0..k {
                    let b0 = $load(b);
                    let b1 = $load(b.add($lanes));
                    for (row, sum) in sums.iter_mut().enumerate() {
                        let a = $broadcast(&*a.add(row));
                        sum[0] = $multiply_add(a, b0, sum[0]);
                        sum[1] = $multiply_add(a, b1, sum[1]);
                    }
                    a = a.add(ROWS);
                    b = b.add(2 * $lanes);
                }
                for (row, sum) in sums.iter().enumerate() {
                    let c = c.add(row * stride);
                    $masked_store(c, low, sum[0]);
                    $masked_store(c.wrapping_add($lanes), high, sum[1]);
                }
            }
        }
    };
}

/// Sign bits set in the first `count` of 8 lanes.
#[target_feature(enable = "avx2")]
fn mask_8(count: i32) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes)
}

/// Masks of the first `cols` columns of two registers.
#[target_feature(enable = "avx2")]
pub(super) fn masks_8(cols: usize) -> (__m256i, __m256i) {
    (mask_8(cols as i32), mask_8(cols as i32 - 8))
}

/// Sign bits set in the first `count` of 4 lanes.
#[target_feature(enable = "avx2")]
fn mask_4(count: i32) -> __m256i {
    let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
    _mm256_cmpgt_epi64(_mm256_set1_epi64x(i64::from(count)), lanes)
}

tile!(
    tile_f32,
    f32,
    8,
    mask_8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_maskload_ps,
    _mm256_broadcast_ss,
    _mm256_fmadd_ps,
    _mm256_maskstore_ps
);
tile!(
    tile_f64,
    f64,
    4,
    mask_4,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_maskload_pd,
    _mm256_broadcast_sd,
    _mm256_fmadd_pd,
    _mm256_maskstore_pd
);
