//! The sum of a block and the accumulator to the new accumulator, 16 columns at once (numerics.md
//! 4.3, steps 4 to 7).

use std::arch::x86_64::*;

use quaver_contract::accumulator::{Addend, Dot, DotOutput};

const TOWARD_ZERO: i32 = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
const DOWN: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
const UP: i32 = _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC;

/// Classes of `fpclass` (Intel SDM 2, VFPCLASSPS).
const ZERO: i32 = 0x06;
const INFINITE: i32 = 0x18;
const SUBNORMAL: i32 = 0x20;
/// An exponent up to which no sum of 2^31 units is beyond binary32, nor an early addend infinite.
const LARGE: i32 = 90;

/// Sums of 16 columns in binary64, in units.
#[derive(Clone, Copy)]
pub(super) struct Sum([__m512d; 2]);

impl Sum {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub(super) fn zero() -> Self {
        Self([_mm512_setzero_pd(); 2])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub(super) fn add(&mut self, units: __m512i) {
        for (sum, units) in self.0.iter_mut().zip(halves(units)) {
            *sum = _mm512_add_pd(*sum, _mm512_cvtepi32_pd(units));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn halves(values: __m512i) -> [__m256i; 2] {
    [
        _mm512_castsi512_si256(values),
        _mm512_extracti64x4_epi64::<1>(values),
    ]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn halves_ps(values: __m512) -> [__m256; 2] {
    halves(_mm512_castps_si512(values)).map(|half| _mm256_castsi256_ps(half))
}

/// Subnormal numbers as zeros of their sign.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) fn flush(values: __m512) -> __m512 {
    let small = _mm512_fpclass_ps_mask::<SUBNORMAL>(values);
    _mm512_mask_and_ps(values, small, values, _mm512_set1_ps(-0.0))
}

/// The exponent of each number's field.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) fn exponent(values: __m512) -> __m512i {
    let magnitude = _mm512_castps_si512(_mm512_abs_ps(values));
    let field = _mm512_max_epi32(_mm512_srli_epi32::<23>(magnitude), _mm512_set1_epi32(1));
    _mm512_sub_epi32(field, _mm512_set1_epi32(127))
}

/// Adds two groups' sums at the larger exponent; the shift is a floor. A sum of zero has none.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) fn floored_sum(a: (__m512i, __m512i), b: (__m512i, __m512i)) -> (__m512i, __m512i) {
    let exponent = _mm512_max_epi32(a.1, b.1);
    let exponent = _mm512_mask_mov_epi32(exponent, _mm512_testn_epi32_mask(a.0, a.0), b.1);
    let exponent = _mm512_mask_mov_epi32(exponent, _mm512_testn_epi32_mask(b.0, b.0), a.1);
    // Of a sum of zero the count may be negative, which leaves zero.
    let moved = |(units, own)| _mm512_srav_epi32(units, _mm512_sub_epi32(exponent, own));
    (_mm512_add_epi32(moved(a), moved(b)), exponent)
}

/// Whether [`short`] can do it.
pub(super) fn is_short(dot: &Dot) -> bool {
    matches!(dot.output, DotOutput::Truncate(_))
        && matches!(dot.addend, Addend::Early | Addend::LateRounded)
}

/// Sums that 32 bits hold, truncated: once more in binary32, since every truncation toward zero is
/// of what the one before it kept.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) fn short(dot: &Dot, units: __m512i, exponent: __m512i, before: __m512) -> __m512 {
    let DotOutput::Truncate(bits) = dot.output else {
        unreachable!("the caller saw a truncation");
    };
    let keep = _mm512_set1_epi32(-1 << (23 - bits));
    let value = _mm512_cvt_roundepi32_ps::<TOWARD_ZERO>(units);
    let value = _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(value), keep));
    let unit = _mm512_sub_epi32(exponent, _mm512_set1_epi32(dot.fraction_bits.cast_signed()));
    let unit = _mm512_cvtepi32_ps(unit);
    // Toward zero for binary32's subnormals.
    let sum = _mm512_scalef_round_ps::<TOWARD_ZERO>(value, unit);
    let add = |sum| match dot.addend {
        Addend::LateRounded => _mm512_add_ps(sum, before),
        _ => sum,
    };
    if _mm512_cmpgt_epi32_mask(exponent, _mm512_set1_epi32(LARGE)) == 0 {
        return zeros(dot, add(sum));
    }
    // Beyond binary32's range, infinity.
    let nearest = _mm512_scalef_ps(value, unit);
    let infinite = _mm512_fpclass_ps_mask::<INFINITE>(nearest);
    let sum = _mm512_mask_mov_ps(sum, infinite, nearest);
    kept_infinite(zeros(dot, add(sum)), before)
}

/// Infinite accumulators stay: only an overflow made them, and no product is infinite.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn kept_infinite(result: __m512, before: __m512) -> __m512 {
    _mm512_mask_mov_ps(result, _mm512_fpclass_ps_mask::<INFINITE>(before), before)
}

/// Any sum, in binary64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) fn wide(dot: &Dot, sum: &Sum, exponent: __m512i, before: __m512) -> __m512 {
    let (exponents, befores) = (halves(exponent), halves_ps(before));
    let [low, high] = [0, 1].map(|half| {
        let (units, exponent, before) = (sum.0[half], exponents[half], befores[half]);
        match dot.addend {
            Addend::LateFloored {
                sum_bits,
                addend_bits,
            } => {
                let bits = (sum_bits.cast_signed(), addend_bits.cast_signed());
                late_floored(dot, units, exponent, before, bits)
            }
            _ => {
                let fraction_bits = _mm256_set1_epi32(dot.fraction_bits.cast_signed());
                let value = scaled(units, _mm256_sub_epi32(exponent, fraction_bits));
                rounded(dot, value, before)
            }
        }
    });
    let result = _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high);
    kept_infinite(zeros(dot, result), before)
}

/// `value * 2^power`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn scaled(value: __m512d, power: __m256i) -> __m512d {
    _mm512_scalef_pd(value, _mm512_cvtepi32_pd(power))
}

/// Steps 5 and 6, without the floored addend.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn rounded(dot: &Dot, value: __m512d, before: __m256) -> __m256 {
    let output = match dot.output {
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
    match dot.addend {
        Addend::Early | Addend::LateFloored { .. } => output,
        Addend::LateRounded => _mm256_add_ps(output, before),
        Addend::LateExact => {
            // Rounded to odd in binary64, so that the second rounding makes no tie.
            let addend = _mm512_cvtps_pd(before);
            let down = _mm512_add_round_pd::<DOWN>(value, addend);
            let up = _mm512_add_round_pd::<UP>(value, addend);
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
    }
}

/// Step 6 with a floored addend.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn late_floored(
    dot: &Dot,
    units: __m512d,
    exponent: __m256i,
    before: __m256,
    (sum_bits, addend_bits): (i32, i32),
) -> __m256 {
    let fraction_bits = _mm256_set1_epi32(dot.fraction_bits.cast_signed());
    let zero = _mm512_setzero_pd();
    let of_addend = halves(self::exponent(_mm512_castps256_ps512(before)))[0];
    let no_sum = _mm512_cmpeq_pd_mask(units, zero);
    let reference = _mm256_max_epi32(exponent, of_addend);
    let reference = _mm256_mask_mov_epi32(reference, no_sum, of_addend);
    let below = |bits| _mm256_sub_epi32(reference, _mm256_set1_epi32(bits));
    // Both in units of 2^(reference - sum_bits), which is the finer of the two.
    let unit = below(sum_bits);
    let left = _mm256_sub_epi32(_mm256_sub_epi32(exponent, fraction_bits), unit);
    let from_sum = _mm512_roundscale_pd::<DOWN>(scaled(units, left));
    let addend = _mm512_cvtps_pd(before);
    let left = _mm256_sub_epi32(_mm256_setzero_si256(), below(addend_bits));
    let from_addend = _mm512_roundscale_pd::<DOWN>(scaled(addend, left));
    let too_small = _mm256_cmplt_epi32_mask(of_addend, below(addend_bits + 1));
    let from_addend = _mm512_mask_mov_pd(from_addend, too_small, zero);
    let finer = _mm256_set1_epi32(sum_bits - addend_bits);
    let from_addend = scaled(from_addend, finer);
    let both = scaled(_mm512_add_pd(from_sum, from_addend), unit);
    let alone = scaled(units, _mm256_sub_epi32(exponent, fraction_bits));
    let no_addend = _mm512_cmpeq_pd_mask(addend, zero);
    _mm512_cvtpd_ps(_mm512_mask_mov_pd(both, no_addend, alone))
}

/// Step 7: zeros, and subnormal numbers that are flushed, are +0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn zeros(dot: &Dot, result: __m512) -> __m512 {
    let vanishes = if dot.flush_subnormals {
        _mm512_fpclass_ps_mask::<{ ZERO | SUBNORMAL }>(result)
    } else {
        _mm512_fpclass_ps_mask::<ZERO>(result)
    };
    _mm512_mask_mov_ps(result, vanishes, _mm512_setzero_ps())
}
