//! Decoding by table in registers, 64 codes at once (AVX-512 VBMI): the two upper bytes of every
//! value, 256 of each in four registers.

use std::arch::x86_64::*;

/// Whether the machine has the instructions.
pub(crate) fn is_available() -> bool {
    crate::Isa::Avx512.is_available() && is_x86_feature_detected!("avx512vbmi")
}

/// A byte for each code, by table.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
pub(crate) fn bytes(table: &[u8; 256], codes: &[[u8; 32]], bytes: &mut [[u8; 32]]) {
    let table = quarters(table);
    for (codes, bytes) in codes.iter().zip(bytes) {
        // SAFETY: 32 codes.
        let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) };
        let found = look_up(&table, _mm512_castsi256_si512(codes));
        // SAFETY: 32 bytes.
        unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), _mm512_castsi512_si256(found)) };
    }
}

/// A table in registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
pub(crate) fn quarters(table: &[u8; 256]) -> [__m512i; 4] {
    // SAFETY: four registers of 64 bytes.
    [0, 64, 128, 192].map(|i| unsafe { _mm512_loadu_si512(table.as_ptr().add(i).cast()) })
}

/// The bytes of 64 codes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
pub(crate) fn look_up(table: &[__m512i; 4], codes: __m512i) -> __m512i {
    let low = _mm512_permutex2var_epi8(table[0], codes, table[1]);
    let high = _mm512_permutex2var_epi8(table[2], codes, table[3]);
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high)
}

/// The bytes of the values of all 256 codes, and the machine's word that it can look them up.
#[derive(Clone)]
pub(crate) struct Tables {
    upper: [u8; 256],
    lower: [u8; 256],
}

impl Tables {
    /// Of binary32 bits whose lower halves are zero. `None` where the machine lacks the
    /// instructions.
    pub(crate) fn new(values: &[u32; 256]) -> Option<Self> {
        is_available().then(|| Self {
            upper: values.map(|value| (value >> 24) as u8),
            lower: values.map(|value| (value >> 16) as u8),
        })
    }
}

/// The tables in registers.
#[derive(Clone, Copy)]
pub(crate) struct Lookup {
    upper: [__m512i; 4],
    lower: [__m512i; 4],
    /// Of which looked-up byte each byte of a value is made: below 64 a lower one, from 64 on an
    /// upper one.
    places: [__m512i; 4],
}

impl Lookup {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
    pub(crate) fn new(tables: &Tables) -> Self {
        let places = [0, 16, 32, 48].map(|first| {
            let bytes: [u8; 64] =
                std::array::from_fn(|i| first + (i / 4) as u8 + if i % 4 == 3 { 64 } else { 0 });
            // SAFETY: 64 bytes.
            unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
        });
        Self {
            upper: quarters(&tables.upper),
            lower: quarters(&tables.lower),
            places,
        }
    }

    /// The values of 64 codes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
    pub(crate) fn decode(&self, codes: __m512i) -> [__m512; 4] {
        let (upper, lower) = (look_up(&self.upper, codes), look_up(&self.lower, codes));
        // The two upper bytes of each value; the lower ones are zero.
        const BYTES: u64 = 0xcccc_cccc_cccc_cccc;
        [0, 1, 2, 3].map(|i| {
            let values = _mm512_maskz_permutex2var_epi8(BYTES, lower, self.places[i], upper);
            _mm512_castsi512_ps(values)
        })
    }
}

/// Decodes chunks of 16 or 32 codes into places that are `stride` values apart.
///
/// # Panics
/// When `values` does not reach to the end of the last chunk.
///
/// # Safety
/// The machine has the instructions, which whoever has [`Tables`] has seen.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
pub(crate) fn chunks<const N: usize>(
    tables: &Tables,
    codes: &[[u8; N]],
    values: &mut [f32],
    stride: usize,
) {
    let Some(last) = codes.len().checked_sub(1) else {
        return;
    };
    assert!(values.len() >= last * stride + N, "room for the chunks");
    let lookup = Lookup::new(tables);
    let codes = codes.as_flattened();
    // SAFETY: `at` is a multiple of 16 below the number of codes; the assertion above leaves room
    // for their values.
    let mut store = |at: usize, decoded| unsafe {
        _mm512_storeu_ps(values.as_mut_ptr().add(at / N * stride + at % N), decoded);
    };
    let (groups, rest) = codes.as_chunks::<64>();
    for (i, group) in groups.iter().enumerate() {
        // SAFETY: 64 codes are read.
        let codes = unsafe { _mm512_loadu_si512(group.as_ptr().cast()) };
        let decoded = lookup.decode(codes);
        for (quarter, decoded) in decoded.into_iter().enumerate() {
            store(64 * i + 16 * quarter, decoded);
        }
    }
    if !rest.is_empty() {
        // SAFETY: no code beyond the rest is read.
        let codes_left =
            unsafe { _mm512_maskz_loadu_epi8(u64::MAX >> (64 - rest.len()), rest.as_ptr().cast()) };
        let decoded = lookup.decode(codes_left);
        for (quarter, decoded) in decoded.into_iter().take(rest.len() / 16).enumerate() {
            store(64 * groups.len() + 16 * quarter, decoded);
        }
    }
}
