//! AVX-512: up to 14 rows of 32 columns; 28 accumulators, two registers of B, and A broadcast
//! from memory.

use std::arch::x86_64::*;

/// See [`super::run`]; `ROWS` at most 14, `cols` at most 32.
///
/// # Safety
/// As [`super::run`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn tile<const ROWS: usize>(
    k: usize,
    mut a: *const f32,
    mut b: *const f32,
    c: *mut f32,
    stride: usize,
    cols: usize,
) {
    let mask = u32::MAX >> (32 - cols);
    let (low, high) = (mask as u16, (mask >> 16) as u16);
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: masked lanes are not touched; the rest is inside the caller's tile and panels.
    unsafe {
        for (row, sum) in sums.iter_mut().enumerate() {
            let c = c.add(row * stride);
            sum[0] = _mm512_maskz_loadu_ps(low, c);
            sum[1] = _mm512_maskz_loadu_ps(high, c.wrapping_add(16));
        }
        for _ in 0..k {
            let b0 = _mm512_loadu_ps(b);
            let b1 = _mm512_loadu_ps(b.add(16));
            for (row, sum) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*a.add(row));
                sum[0] = _mm512_fmadd_ps(a, b0, sum[0]);
                sum[1] = _mm512_fmadd_ps(a, b1, sum[1]);
            }
            a = a.add(ROWS);
            b = b.add(32);
        }
        for (row, sum) in sums.iter().enumerate() {
            let c = c.add(row * stride);
            _mm512_mask_storeu_ps(c, low, sum[0]);
            _mm512_mask_storeu_ps(c.wrapping_add(16), high, sum[1]);
        }
    }
}
