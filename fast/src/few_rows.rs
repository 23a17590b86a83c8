//! The `fp32` chain of one or two rows (AVX-512 VBMI): a product that reads every code of B once,
//! as it lies in memory, and does not pack it.

use std::arch::x86_64::*;

use crate::blocked::Operands;
use crate::decode_vbmi::{Lookup, Tables};

/// Rows that it takes.
const ROWS: usize = 2;
/// Terms of K between two stores of a sum.
const TERMS: usize = 4;
/// Columns whose sums stay in the first-level cache.
const BLOCK_N: usize = 2048;
/// Rows of B that are asked of memory ahead of their use.
const AHEAD: usize = 2 * TERMS;

/// `sums += a * b`, as [`crate::blocked::multiply_add`]; `fresh` sums start at +0. `false` for what this cannot do, and
/// nothing was done.
///
/// # Safety
/// As there; the machine has AVX-512.
pub(crate) unsafe fn multiply_add(
    operands: &Operands<'_>,
    sums: *mut f32,
    stride: usize,
    fresh: bool,
) -> bool {
    let Some(tables) = operands.decoder_b.tables() else {
        return false;
    };
    let (rows, terms) = operands.a.dim();
    let cols = operands.b.ncols();
    let row_stride = operands.b.strides()[0];
    if rows > ROWS || cols > 1 && operands.b.strides()[1] != 1 || cols == 0 || row_stride < 0 {
        return false;
    }
    let a: Vec<Vec<f32>> = operands
        .a
        .rows()
        .into_iter()
        .map(|row| {
            row.iter()
                .map(|&code| operands.decoder_a.one(code))
                .collect()
        })
        .collect();
    let product = Product {
        tables,
        b: operands.b.as_ptr(),
        row_stride: row_stride.cast_unsigned(),
        terms,
        sums,
        stride,
        fresh,
    };
    for first in (0..cols).step_by(BLOCK_N) {
        let last = cols.min(first + BLOCK_N);
        // SAFETY: the caller's promise; whoever has tables has the instructions.
        unsafe {
            match a.as_slice() {
                [a] => product.columns([a], first, last),
                [a, b] => product.columns([a, b], first, last),
                _ => {}
            }
        }
    }
    true
}

struct Product<'a> {
    tables: &'a Tables,
    b: *const u8,
    row_stride: usize,
    terms: usize,
    sums: *mut f32,
    stride: usize,
    fresh: bool,
}

impl Product<'_> {
    /// # Safety
    /// The columns are inside the product. The machine has the instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
    unsafe fn columns<const COUNT: usize>(&self, a: [&[f32]; COUNT], first: usize, last: usize) {
        let lookup = Lookup::new(self.tables);
        let whole = self.terms / TERMS * TERMS;
        // SAFETY: the caller's promise, and these terms are inside the product.
        unsafe {
            for k in (0..whole).step_by(TERMS) {
                self.terms::<COUNT, TERMS>(&lookup, a, k, first, last);
            }
            for k in whole..self.terms {
                self.terms::<COUNT, 1>(&lookup, a, k, first, last);
            }
        }
    }

    /// Adds the products of the terms from `k` on.
    ///
    /// # Safety
    /// As [`Self::columns`], and so are the terms.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
    unsafe fn terms<const COUNT: usize, const TERMS: usize>(
        &self,
        lookup: &Lookup,
        a: [&[f32]; COUNT],
        k: usize,
        first: usize,
        last: usize,
    ) {
        for n in (first..last).step_by(64) {
            let mask = u64::MAX >> (64 - (last - n).min(64));
            let masks = [0, 16, 32, 48].map(|i| (mask >> i) as u16);
            let mut sums = [[_mm512_setzero_ps(); 4]; COUNT];
            // SAFETY: masked columns are not touched, the rest is inside the product; memory that
            // is only asked for may be anywhere.
            unsafe {
                let known = if self.fresh && k == 0 { 0 } else { COUNT };
                for (row, sums) in sums.iter_mut().enumerate().take(known) {
                    let from = self.sums.add(row * self.stride + n);
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm512_maskz_loadu_ps(masks[i], from.wrapping_add(16 * i));
                    }
                }
                for term in 0..TERMS {
                    let codes = self.b.wrapping_add((k + term) * self.row_stride + n);
                    let ahead = codes.wrapping_add(AHEAD * self.row_stride);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                    let codes = _mm512_maskz_loadu_epi8(mask, codes.cast());
                    let values = lookup.decode(codes);
                    for (sums, a) in sums.iter_mut().zip(a) {
                        let a = _mm512_set1_ps(a[k + term]);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = _mm512_fmadd_ps(a, value, *sum);
                        }
                    }
                }
                for (row, sums) in sums.iter().enumerate() {
                    let to = self.sums.add(row * self.stride + n);
                    for (i, sum) in sums.iter().enumerate() {
                        _mm512_mask_storeu_ps(to.wrapping_add(16 * i), masks[i], *sum);
                    }
                }
            }
        }
    }
}
