//! AVX2 with FMA: up to 6 rows of 16 columns; 12 accumulators, two registers of B, one of A.

use std::arch::x86_64::*;

/// See [`super::run`]; `ROWS` at most 6, `cols` at most 16.
///
/// # Safety
/// As [`super::run`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tile<const ROWS: usize>(
    k: usize,
    mut a: *const f32,
    mut b: *const f32,
    c: *mut f32,
    stride: usize,
    cols: usize,
) {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let low = _mm256_cmpgt_epi32(_mm256_set1_epi32(cols as i32), lanes);
    let high = _mm256_cmpgt_epi32(_mm256_set1_epi32(cols as i32 - 8), lanes);
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: masked lanes are not touched; the rest is inside the caller's tile and panels.
    unsafe {
        for (row, sum) in sums.iter_mut().enumerate() {
            let c = c.add(row * stride);
            sum[0] = _mm256_maskload_ps(c, low);
            sum[1] = _mm256_maskload_ps(c.wrapping_add(8), high);
        }
        for _ in 0..k {
            let b0 = _mm256_loadu_ps(b);
            let b1 = _mm256_loadu_ps(b.add(8));
            for (row, sum) in sums.iter_mut().enumerate() {
                let a = _mm256_broadcast_ss(&*a.add(row));
                sum[0] = _mm256_fmadd_ps(a, b0, sum[0]);
                sum[1] = _mm256_fmadd_ps(a, b1, sum[1]);
            }
            a = a.add(ROWS);
            b = b.add(16);
        }
        for (row, sum) in sums.iter().enumerate() {
            let c = c.add(row * stride);
            _mm256_maskstore_ps(c, low, sum[0]);
            _mm256_maskstore_ps(c.wrapping_add(8), high, sum[1]);
        }
    }
}
