//! Decoding by table in registers (AVX-512 BW): every code of at most 8 bits is the upper half of
//! a binary32 number, so 256 halves in eight registers hold a whole format.

use std::arch::x86_64::*;

/// The upper halves of the values of all 256 bytes.
pub(crate) type Halves = [u16; 256];

/// Decodes chunks of 32 codes into places that are `stride` values apart.
///
/// # Panics
/// When `values` does not reach to the end of the last chunk.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(crate) fn chunks(halves: &Halves, codes: &[[u8; 32]], values: &mut [f32], stride: usize) {
    stored::<false>(halves, codes, values, stride);
}

/// The same past the caches, for results that do not fit there: memory is not read before it is
/// written.
///
/// # Panics
/// When `values` does not reach to the end of the last chunk, or does not begin at a cache line.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(crate) fn stream(halves: &Halves, codes: &[[u8; 32]], values: &mut [f32]) {
    assert!(
        values.as_ptr().cast::<[u8; 64]>().is_aligned(),
        "a cache line"
    );
    stored::<true>(halves, codes, values, 32);
    // Other cores see these stores in no order until this.
    _mm_sfence();
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn stored<const STREAM: bool>(
    halves: &Halves,
    codes: &[[u8; 32]],
    values: &mut [f32],
    stride: usize,
) {
    let Some(last) = codes.len().checked_sub(1) else {
        return;
    };
    assert!(values.len() >= last * stride + 32, "room for the chunks");
    // SAFETY: the table has eight registers of 32 halves.
    let table: [__m512i; 8] =
        std::array::from_fn(|i| unsafe { _mm512_loadu_si512(halves.as_ptr().add(32 * i).cast()) });
    // Word i of the halves goes to the upper word of value i; the lower one is zero.
    let place = |first: i16| {
        let low: [i16; 32] = std::array::from_fn(|i| first + (i / 2) as i16);
        // SAFETY: an array of 64 bytes.
        unsafe { _mm512_loadu_si512(low.as_ptr().cast()) }
    };
    let (first, second) = (place(0), place(16));
    let upper = 0xaaaa_aaaa;
    let (bit6, bit7) = (_mm512_set1_epi16(0x40), _mm512_set1_epi16(0x80));
    for (i, codes) in codes.iter().enumerate() {
        // SAFETY: 32 codes are read; the assertion above leaves room for 32 values.
        unsafe {
            let words = _mm512_cvtepu8_epi16(_mm256_loadu_si256(codes.as_ptr().cast()));
            let quarter =
                |q: usize| _mm512_permutex2var_epi16(table[2 * q], words, table[2 * q + 1]);
            let in_upper_quarter = _mm512_test_epi16_mask(words, bit6);
            let low = _mm512_mask_blend_epi16(in_upper_quarter, quarter(0), quarter(1));
            let high = _mm512_mask_blend_epi16(in_upper_quarter, quarter(2), quarter(3));
            let half = _mm512_mask_blend_epi16(_mm512_test_epi16_mask(words, bit7), low, high);
            let out = values.as_mut_ptr().add(i * stride);
            let low = _mm512_maskz_permutexvar_epi16(upper, first, half);
            let high = _mm512_maskz_permutexvar_epi16(upper, second, half);
            if STREAM {
                _mm512_stream_si512(out.cast(), low);
                _mm512_stream_si512(out.add(16).cast(), high);
            } else {
                _mm512_storeu_si512(out.cast(), low);
                _mm512_storeu_si512(out.add(16).cast(), high);
            }
        }
    }
}
