//! 32 columns of a row at once, for finite operands.
//!
//! Truncation is an addition: with `M` a column's largest exponent and `C = 2^(M - F + 52)`, a sum
//! that starts at C and is rounded toward zero adds every positive term truncated to a multiple of
//! `2^(M-F)`, the unit in the last place of [C, 2C). Positive and negative terms are summed apart,
//! as magnitudes; both sums and their difference are exact.

use std::arch::x86_64::*;

use ndarray::s;
use quaver_contract::accumulator::{Addend, Dot, DotOutput, Groups};

use super::{Slab, ZERO};
use crate::Isa;
use crate::aligned::Aligned;
use crate::decode::Decoder;

/// Columns of a chunk.
const COLS: usize = 32;
/// Rows that are decoded at a time: B is decoded once for so many.
const BLOCK_ROWS: usize = 256;
/// Terms of K that are decoded at a time, cut to whole blocks of lanes.
const BLOCK_K: usize = 512;
/// An 8-bit exponent that stands for zero: added to another with saturation, it stays below
/// [`LEAST`].
const ZERO_EXPONENT: i8 = i8::MIN;
/// Least sum of two exponents that are not zero's.
const LEAST: i32 = -64;
const TOWARD_ZERO: i32 = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;

/// Whether the kernel can do it: one group, terms within binary64, exponents within 8 bits.
pub(super) fn fits(dot: &Dot, slab: &Slab<'_>) -> bool {
    let within = |table: &[super::Operand; 256]| {
        table
            .iter()
            .filter(|operand| operand.exponent != ZERO)
            .all(|operand| (-32..=60).contains(&operand.exponent))
    };
    dot.groups == Groups::One
        && !matches!(dot.addend, Addend::LateFloored { .. })
        // 2^(F+2) a term, at most 65 of them, below 2^52.
        && dot.fraction_bits <= 40
        && dot.lanes <= 64
        && within(slab.table_a)
        && within(slab.table_b)
}

/// A's block: rows of magnitudes, of choices between the two halves of B, and of exponents.
struct PackedA {
    magnitudes: Vec<f64>,
    /// Offset, within a row of packed B, of the values that make positive products.
    positive: Vec<u8>,
    exponents: Vec<i8>,
}

/// B's chunk, for each k: 32 values that are positive or 0, 32 magnitudes of those that are
/// negative or 0; and 32 exponents.
struct PackedB {
    values: Aligned<f64>,
    exponents: Vec<[i8; COLS]>,
}

fn narrow(exponent: i32) -> i8 {
    if exponent == ZERO {
        ZERO_EXPONENT
    } else {
        exponent as i8
    }
}

/// See [`super::run`].
///
/// # Safety
/// As [`super::run`]; the machine has AVX-512 F, BW, DQ and VL.
pub(super) unsafe fn run(dot: &Dot, slab: &Slab<'_>, sums: *mut f32, stride: usize) {
    let (rows, terms) = slab.a.dim();
    let cols = slab.b.ncols();
    let block_k = BLOCK_K / dot.lanes * dot.lanes;
    let depth_limit = block_k.min(terms);
    let mut a = PackedA {
        magnitudes: vec![0.0; BLOCK_ROWS * depth_limit],
        positive: vec![0; BLOCK_ROWS * depth_limit],
        exponents: vec![0; BLOCK_ROWS * depth_limit],
    };
    let decoder_b = Decoder::from_values(slab.table_b.map(|operand| operand.value as f32));
    let exponents_b = slab.table_b.map(|operand| narrow(operand.exponent));
    let mut b = PackedB {
        values: Aligned::zeros(2 * COLS * dot.lanes),
        exponents: vec![[0; COLS]; dot.lanes],
    };
    for m0 in (0..rows).step_by(BLOCK_ROWS) {
        let height = BLOCK_ROWS.min(rows - m0);
        for k0 in (0..terms).step_by(block_k) {
            let depth = block_k.min(terms - k0);
            for m in 0..height {
                for k in 0..depth {
                    let operand = slab.table_a[usize::from(slab.a[(m0 + m, k0 + k)])];
                    let index = m * depth + k;
                    a.magnitudes[index] = operand.value.abs();
                    a.positive[index] = COLS as u8 * u8::from(operand.value < 0.0);
                    a.exponents[index] = narrow(operand.exponent);
                }
            }
            for n0 in (0..cols).step_by(COLS) {
                let width = COLS.min(cols - n0);
                for k1 in (0..depth).step_by(dot.lanes) {
                    let lanes = dot.lanes.min(depth - k1);
                    for k in 0..lanes {
                        // Unused columns hold code 0; their sums are never stored.
                        let mut codes = [0; COLS];
                        let row = slab.b.slice(s![k0 + k1 + k, n0..n0 + width]);
                        match row.as_slice() {
                            Some(row) => codes[..width].copy_from_slice(row),
                            None => {
                                for (code, &b) in codes.iter_mut().zip(row) {
                                    *code = b;
                                }
                            }
                        }
                        let mut values = [0f32; COLS];
                        decoder_b.chunks(Isa::Avx512, &[codes], &mut values, COLS);
                        // SAFETY: the caller's promise.
                        unsafe { split_signs(&values, row_mut(&mut b.values, k)) };
                        for (exponent, code) in b.exponents[k].iter_mut().zip(codes) {
                            *exponent = exponents_b[usize::from(code)];
                        }
                    }
                    for m in 0..height {
                        let first = m * depth + k1;
                        // SAFETY: the packed block holds the row's terms; the sums are inside the
                        // slab and masked to its width.
                        unsafe {
                            block(
                                dot,
                                &a.magnitudes[first..first + lanes],
                                &a.positive[first..first + lanes],
                                &a.exponents[first..first + lanes],
                                &b,
                                sums.add((m0 + m) * stride + n0),
                                u32::MAX >> (COLS - width),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// A row of packed B.
fn row_mut(values: &mut [f64], k: usize) -> &mut [f64] {
    &mut values[k * 2 * COLS..][..2 * COLS]
}

/// Values into those that are positive or 0, and the magnitudes of those that are negative or 0.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn split_signs(values: &[f32; COLS], halves: &mut [f64]) {
    assert_eq!(halves.len(), 2 * COLS, "room for both halves");
    let zero = _mm512_setzero_pd();
    for j in 0..4 {
        // SAFETY: 32 values are read and 64 written.
        unsafe {
            let value = _mm512_cvtps_pd(_mm256_loadu_ps(values.as_ptr().add(8 * j)));
            let negated = _mm512_sub_pd(zero, value);
            _mm512_storeu_pd(halves.as_mut_ptr().add(8 * j), _mm512_max_pd(value, zero));
            _mm512_storeu_pd(
                halves.as_mut_ptr().add(COLS + 8 * j),
                _mm512_max_pd(negated, zero),
            );
        }
    }
}

/// One block of one row.
///
/// # Safety
/// `sums` is valid where `mask` is set. The machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn block(
    dot: &Dot,
    magnitudes: &[f64],
    positive: &[u8],
    exponents: &[i8],
    b: &PackedB,
    sums: *mut f32,
    mask: u32,
) {
    // The largest exponent of each column.
    let mut largest = _mm256_set1_epi8(i8::MIN);
    for (&exponent, row) in exponents.iter().zip(&b.exponents) {
        // SAFETY: a row is 32 bytes.
        let row = unsafe { _mm256_loadu_si256(row.as_ptr().cast()) };
        largest = _mm256_max_epi8(largest, _mm256_adds_epi8(_mm256_set1_epi8(exponent), row));
    }
    let mut quarters = [_mm256_setzero_si256(); 4];
    let mut sums_f32 = [_mm256_setzero_ps(); 4];
    let mut start = [_mm512_setzero_pd(); 4];
    let halves = [
        _mm256_castsi256_si128(largest),
        _mm256_extracti128_si256::<1>(largest),
    ];
    let floor = _mm256_set1_epi32(dot.exponent_floor);
    let early = dot.addend == Addend::Early;
    for j in 0..4 {
        // SAFETY: masked.
        let mut sum =
            unsafe { _mm256_maskz_loadu_ps((mask >> (8 * j)) as u8, sums.wrapping_add(8 * j)) };
        let magnitude_mask = _mm256_set1_epi32(0x7fff_ffff);
        if dot.flush_subnormals {
            let magnitude = _mm256_and_si256(_mm256_castps_si256(sum), magnitude_mask);
            let small = _mm256_cmplt_epi32_mask(magnitude, _mm256_set1_epi32(0x0080_0000));
            let bits = _mm256_mask_andnot_epi32(
                _mm256_castps_si256(sum),
                small,
                magnitude_mask,
                _mm256_castps_si256(sum),
            );
            sum = _mm256_castsi256_ps(bits);
        }
        sums_f32[j] = sum;
        let half = halves[j / 2];
        let quarter = if j % 2 == 0 {
            half
        } else {
            _mm_srli_si128::<8>(half)
        };
        let exponent = _mm256_cvtepi8_epi32(quarter);
        let none = _mm256_cmplt_epi32_mask(exponent, _mm256_set1_epi32(LEAST));
        let mut exponent = _mm256_mask_mov_epi32(exponent, none, floor);
        if early {
            let bits = _mm256_and_si256(_mm256_castps_si256(sum), magnitude_mask);
            let field = _mm256_max_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(1));
            let of_sum = _mm256_sub_epi32(field, _mm256_set1_epi32(127));
            let zero = _mm256_testn_epi32_mask(bits, bits);
            let of_sum = _mm256_mask_mov_epi32(of_sum, zero, floor);
            exponent = _mm256_max_epi32(exponent, of_sum);
        }
        exponent = _mm256_max_epi32(exponent, floor);
        quarters[j] = exponent;
        // C = 2^(M - F + 52).
        let field = _mm256_add_epi32(
            exponent,
            _mm256_set1_epi32(52 + 1023 - dot.fraction_bits.cast_signed()),
        );
        start[j] = _mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_cvtepi32_epi64(field)));
    }
    let mut plus = start;
    let mut minus = start;
    if early {
        for j in 0..4 {
            let sum = _mm512_cvtps_pd(sums_f32[j]);
            let zero = _mm512_setzero_pd();
            plus[j] = _mm512_add_round_pd::<TOWARD_ZERO>(plus[j], _mm512_max_pd(sum, zero));
            let negated = _mm512_sub_pd(zero, sum);
            minus[j] = _mm512_add_round_pd::<TOWARD_ZERO>(minus[j], _mm512_max_pd(negated, zero));
        }
    }
    for ((&magnitude, &positive), row) in magnitudes
        .iter()
        .zip(positive)
        .zip(b.values.chunks_exact(2 * COLS))
    {
        let a = _mm512_set1_pd(magnitude);
        // SAFETY: the offset is 0 or 32, and a row has 64 values.
        unsafe {
            let first = row.as_ptr().add(usize::from(positive));
            let second = row.as_ptr().add(COLS - usize::from(positive));
            for j in 0..4 {
                let x = _mm512_loadu_pd(first.add(8 * j));
                let y = _mm512_loadu_pd(second.add(8 * j));
                plus[j] = _mm512_fmadd_round_pd::<TOWARD_ZERO>(a, x, plus[j]);
                minus[j] = _mm512_fmadd_round_pd::<TOWARD_ZERO>(a, y, minus[j]);
            }
        }
    }
    for j in 0..4 {
        let value = _mm512_sub_pd(plus[j], minus[j]);
        let result = finish(dot, value, sums_f32[j]);
        // Infinite sums stay: only an overflow made them, and no product is infinite.
        let infinite = _mm256_fpclass_ps_mask::<0x18>(sums_f32[j]);
        let result = _mm256_mask_mov_ps(result, infinite, sums_f32[j]);
        // SAFETY: masked.
        unsafe {
            _mm256_mask_storeu_ps(sums.wrapping_add(8 * j), (mask >> (8 * j)) as u8, result);
        }
    }
}

/// The block's sum and the accumulator to the new accumulator.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
fn finish(dot: &Dot, value: __m512d, accumulator: __m256) -> __m256 {
    let rounded = match dot.output {
        DotOutput::NearestEven => _mm512_cvtpd_ps(value),
        DotOutput::Truncate(bits) => {
            let keep = _mm512_set1_epi64(-1 << (52 - bits));
            let kept = _mm512_castsi512_pd(_mm512_and_si512(_mm512_castpd_si512(value), keep));
            // Toward zero for binary32's subnormals; beyond its range, infinity.
            let toward_zero = _mm512_cvt_roundpd_ps::<TOWARD_ZERO>(kept);
            let limit = _mm512_set1_pd(f64::from_bits((128 + 1023) << 52));
            let beyond = _mm512_cmp_pd_mask::<_CMP_GE_OQ>(_mm512_abs_pd(kept), limit);
            _mm256_mask_mov_ps(toward_zero, beyond, _mm512_cvtpd_ps(kept))
        }
    };
    let mut result = match dot.addend {
        Addend::Early | Addend::LateFloored { .. } => rounded,
        Addend::LateRounded => _mm256_add_ps(rounded, accumulator),
        Addend::LateExact => {
            // Rounded to odd in binary64, so that the second rounding makes no tie.
            let addend = _mm512_cvtps_pd(accumulator);
            let down =
                _mm512_add_round_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(value, addend);
            let up =
                _mm512_add_round_pd::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(value, addend);
            let inexact = _mm512_cmp_pd_mask::<_CMP_NEQ_OQ>(down, up);
            let truncated = _mm512_add_round_pd::<TOWARD_ZERO>(value, addend);
            let odd = _mm512_mask_or_epi64(
                _mm512_castpd_si512(truncated),
                inexact,
                _mm512_castpd_si512(truncated),
                _mm512_set1_epi64(1),
            );
            _mm512_cvtpd_ps(_mm512_castsi512_pd(odd))
        }
    };
    let zero = _mm256_setzero_ps();
    let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), result);
    let least = if dot.flush_subnormals {
        f32::MIN_POSITIVE
    } else {
        f32::from_bits(1)
    };
    let vanishes = _mm256_cmp_ps_mask::<_CMP_LT_OQ>(magnitude, _mm256_set1_ps(least));
    result = _mm256_mask_mov_ps(result, vanishes, zero);
    result
}
