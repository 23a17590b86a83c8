//! Packing whose codes are decoded in registers (AVX-512 VBMI), 16 lines at once.
//!
//! A line is a row of A or a column of B; a panel has, for each term of K, its lines' values next to
//! each other.

use std::arch::x86_64::*;

use crate::decode_vbmi::{Lookup, Tables};

/// Lines that are packed at a time.
pub(crate) const LINES: usize = 16;
/// Terms whose codes a register holds.
const TERMS: usize = 64;

/// Codes of lines that lie at regular distances.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    pub(crate) codes: *const u8,
    /// Lines, at most [`LINES`], and from one to the next.
    pub(crate) count: usize,
    pub(crate) stride: isize,
    pub(crate) terms: usize,
}

/// Where values go: `values[term * stride + line]`, and which of 16 lines are written.
#[derive(Clone, Copy)]
pub(crate) struct Panel {
    pub(crate) values: *mut f32,
    pub(crate) stride: usize,
    pub(crate) written: u16,
}

/// Packs lines whose terms lie next to each other. Lines that are written but not there get the value
/// of code 0.
///
/// # Safety
/// The lines are readable and the panel is writable for the terms. Whoever has tables has seen the
/// instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
pub(crate) unsafe fn along(tables: &Tables, lines: Lines, panel: Panel) {
    let lookup = Lookup::new(tables);
    for first in (0..lines.terms).step_by(TERMS) {
        let terms = TERMS.min(lines.terms - first);
        let there = u64::MAX >> (TERMS - terms);
        let mut codes = [_mm512_setzero_si512(); LINES];
        for (line, codes) in codes.iter_mut().enumerate().take(lines.count) {
            let from = lines.codes.wrapping_offset(line as isize * lines.stride);
            // SAFETY: masked to the line's terms.
            *codes = unsafe { _mm512_maskz_loadu_epi8(there, from.wrapping_add(first).cast()) };
            // The next lines are due next, and of many short runs the machine foresees none.
            let next = from.wrapping_offset(lines.count as isize * lines.stride);
            _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(first).cast());
        }
        // Register `i`, quarter `q`: term `16 q + i` of all lines.
        let codes = turned(codes);
        for (i, codes) in codes.into_iter().enumerate() {
            for (quarter, values) in lookup.decode(codes).into_iter().enumerate() {
                let term = LINES * quarter + i;
                if term < terms {
                    // SAFETY: a term of the panel.
                    unsafe { store(panel, first + term, values) };
                }
            }
        }
    }
}

/// Packs lines that lie next to each other; from one term to the next it is `stride`.
///
/// # Safety
/// As [`along`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
pub(crate) unsafe fn across(tables: &Tables, lines: Lines, panel: Panel) {
    let lookup = Lookup::new(tables);
    let there = u16::MAX >> (LINES - lines.count);
    let load = |term: usize| {
        if term >= lines.terms {
            return _mm_setzero_si128();
        }
        let from = lines.codes.wrapping_offset(term as isize * lines.stride);
        // SAFETY: masked to the lines.
        unsafe { _mm_maskz_loadu_epi8(there, from.cast()) }
    };
    for first in (0..lines.terms).step_by(4) {
        let codes = _mm512_castsi128_si512(load(first));
        let codes = _mm512_inserti32x4::<1>(codes, load(first + 1));
        let codes = _mm512_inserti32x4::<2>(codes, load(first + 2));
        let codes = _mm512_inserti32x4::<3>(codes, load(first + 3));
        let terms = first..lines.terms.min(first + 4);
        for (term, values) in terms.zip(lookup.decode(codes)) {
            // SAFETY: a term of the panel.
            unsafe { store(panel, term, values) };
        }
    }
}

/// # Safety
/// The panel has the term.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(panel: Panel, term: usize, values: __m512) {
    // SAFETY: the caller's promise, masked to the panel's lines.
    unsafe {
        let to = panel.values.add(term * panel.stride);
        _mm512_mask_storeu_ps(to, panel.written, values);
    }
}

/// In each quarter of the registers, byte `j` of register `i` goes to byte `i` of register `j`. Merging
/// registers that are eight apart moves every index by one bit around; four times is half way.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn turned(mut codes: [__m512i; LINES]) -> [__m512i; LINES] {
    for _ in 0..4 {
        let before = codes;
        for i in 0..LINES / 2 {
            codes[2 * i] = _mm512_unpacklo_epi8(before[i], before[i + LINES / 2]);
            codes[2 * i + 1] = _mm512_unpackhi_epi8(before[i], before[i + LINES / 2]);
        }
    }
    codes
}
