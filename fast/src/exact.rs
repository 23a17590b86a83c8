//! The `exact` accumulator (numerics.md 4.4): sums that binary64 holds exactly, then one rounding.
//!
//! Where a format's values span too many places for that, its codes are split by exponent into
//! parts, whose products span few enough, and the parts' sums are added as integers.

use ndarray::{ArrayView2, s};
use quaver_contract::Format;

use crate::Isa;
use crate::blocked::{Operands, multiply_add};
use crate::decode::{Decoder, table};
use crate::fixed::Fixed;

/// Rows and columns whose binary64 sums are held at a time.
const BLOCK_M: usize = 168;
const BLOCK_N: usize = 256;
/// Bits of binary64's significand.
const PRECISION: i32 = 53;
/// Least terms between two emptyings of the binary64 sums.
const MIN_TERMS: i32 = 10;

/// The values of a format with exponents in one range.
struct Part {
    decoder: Decoder,
    /// Exponent of the lowest bit of any value.
    lowest: i32,
    /// Exponent that no value reaches.
    limit: i32,
}

/// Splits a format into `count` parts of about the same number of exponents.
fn parts(format: &Format, count: i32) -> Vec<Part> {
    let exponent = |value: f32| {
        let bits = f64::from(value).to_bits();
        ((bits >> 52 & 0x7ff) as i32) - 1023
    };
    let values: Vec<f32> = table(format)
        .into_iter()
        .map(f32::from_bits)
        .filter(|value| value.is_finite() && *value != 0.0)
        .collect();
    let first = values.iter().map(|&v| exponent(v)).min().unwrap_or(0);
    let last = values.iter().map(|&v| exponent(v)).max().unwrap_or(0);
    let width = (last - first + count) / count;
    (0..count)
        .map(|i| {
            let range = first + i * width..first + (i + 1) * width;
            let keep =
                |value: f32| value.is_finite() && value != 0.0 && range.contains(&exponent(value));
            let lowest_bit = |value: f32| {
                let bits = f64::from(value).to_bits() & ((1 << 52) - 1) | 1 << 52;
                exponent(value) - 52 + bits.trailing_zeros() as i32
            };
            Part {
                lowest: values
                    .iter()
                    .filter(|v| keep(**v))
                    .map(|&v| lowest_bit(v))
                    .min()
                    .unwrap_or(0),
                limit: range.end,
                decoder: Decoder::filtered(format, keep),
            }
        })
        .collect()
}

/// Fewest parts of both formats whose products leave room for [`MIN_TERMS`] in binary64.
fn split(format_a: &Format, format_b: &Format) -> (Vec<Part>, Vec<Part>) {
    let span = |parts: &[Part]| parts.iter().map(|p| p.limit - p.lowest).max().unwrap_or(0);
    let (mut a, mut b) = (parts(format_a, 1), parts(format_b, 1));
    while span(&a) + span(&b) > PRECISION - MIN_TERMS {
        if span(&a) >= span(&b) {
            a = parts(format_a, a.len() as i32 + 1);
        } else {
            b = parts(format_b, b.len() as i32 + 1);
        }
    }
    (a, b)
}

/// Replaces every initial value in `sums` by RNE32 of it and all products, exactly added.
///
/// # Safety
/// `sums` is valid for the product's shape, with rows `stride` apart, and nothing else touches it.
/// The machine has `isa`.
pub(crate) unsafe fn run(
    isa: Isa,
    a: ArrayView2<'_, u8>,
    b: ArrayView2<'_, u8>,
    formats: (&Format, &Format),
    sums: *mut f32,
    stride: usize,
) {
    let (rows, terms) = a.dim();
    let cols = b.ncols();
    let (parts_a, parts_b) = split(formats.0, formats.1);
    let pairs: Vec<(&Part, &Part)> = parts_a
        .iter()
        .flat_map(|a| parts_b.iter().map(move |b| (a, b)))
        .collect();
    let span = pairs
        .iter()
        .map(|(a, b)| a.limit - a.lowest + b.limit - b.lowest)
        .max()
        .unwrap_or(0);
    // As many terms as keep every partial sum below 2^53 units.
    let depth = 1usize << (PRECISION - span).clamp(MIN_TERMS, 30);
    // The lowest bit of any product, and each pair's distance from it; 128 bits hold all of them
    // when the highest pair's 2^53 units do.
    let unit = pairs
        .iter()
        .map(|(a, b)| a.lowest + b.lowest)
        .min()
        .unwrap_or(0);
    let shifts: Vec<(f64, i32)> = pairs
        .iter()
        .map(|(a, b)| {
            let lowest = a.lowest + b.lowest;
            (2f64.powi(-lowest), lowest - unit)
        })
        .collect();
    let narrow = shifts.iter().all(|&(_, shift)| shift + PRECISION + 8 < 127);
    let full = (Decoder::new(formats.0), Decoder::new(formats.1));
    let finite_row = |m: usize| a.row(m).iter().all(|&code| full.0.one(code).is_finite());
    let finite_col = |n: usize| b.column(n).iter().all(|&code| full.1.one(code).is_finite());
    let rows_finite: Vec<bool> = (0..rows).map(finite_row).collect();
    let cols_finite: Vec<bool> = (0..cols).map(finite_col).collect();
    let block_n = BLOCK_N.min(cols);
    let mut partial = vec![0f64; pairs.len() * BLOCK_M.min(rows) * block_n];
    let mut wide: Vec<Fixed> = Vec::new();
    for m0 in (0..rows).step_by(BLOCK_M) {
        let height = BLOCK_M.min(rows - m0);
        for n0 in (0..cols).step_by(block_n) {
            let width = block_n.min(cols - n0);
            let single = terms <= depth;
            if !single {
                wide.clear();
                wide.resize(height * width, Fixed::ZERO);
            }
            for k0 in (0..terms.max(1)).step_by(depth) {
                let k1 = terms.min(k0 + depth);
                partial.fill(0.0);
                for (pair, sums) in pairs
                    .iter()
                    .zip(partial.chunks_exact_mut(BLOCK_M.min(rows) * block_n))
                {
                    let operands = Operands {
                        a: a.slice(s![m0..m0 + height, k0..k1]),
                        b: b.slice(s![k0..k1, n0..n0 + width]),
                        decoder_a: &pair.0.decoder,
                        decoder_b: &pair.1.decoder,
                    };
                    // SAFETY: the block of sums has this shape; the caller has seen the ISA.
                    unsafe { multiply_add::<f64>(isa, &operands, sums.as_mut_ptr(), block_n) };
                }
                if !single {
                    for (i, wide) in wide.iter_mut().enumerate() {
                        let at = i / width * block_n + i % width;
                        for sums in partial.chunks_exact(BLOCK_M.min(rows) * block_n) {
                            wide.add(sums[at]);
                        }
                    }
                }
            }
            for m in 0..height {
                for n in 0..width {
                    // SAFETY: inside the product.
                    let sum = unsafe { &mut *sums.add((m0 + m) * stride + n0 + n) };
                    if !(rows_finite[m0 + m] && cols_finite[n0 + n] && sum.is_finite()) {
                        *sum = special(&full, a.row(m0 + m), b.column(n0 + n), *sum);
                        continue;
                    }
                    let at = m * block_n + n;
                    *sum = match (single, pairs.len(), *sum == 0.0) {
                        // One rounding of an exact number; + 0.0 makes a zero positive.
                        (true, 1, true) => partial[at] as f32 + 0.0,
                        (true, _, true) if narrow => {
                            let mut total = 0i128;
                            for (sums, shift) in partial
                                .chunks_exact(BLOCK_M.min(rows) * block_n)
                                .zip(&shifts)
                            {
                                // Below 2^53 units of the pair: exact.
                                total += i128::from((sums[at] * shift.0) as i64) << shift.1;
                            }
                            round_i128(total, unit)
                        }
                        (true, _, _) => {
                            let mut total = Fixed::ZERO;
                            total.add(f64::from(*sum));
                            for sums in partial.chunks_exact(BLOCK_M.min(rows) * block_n) {
                                total.add(sums[at]);
                            }
                            total.round()
                        }
                        (false, _, _) => {
                            wide[m * width + n].add(f64::from(*sum));
                            wide[m * width + n].round()
                        }
                    };
                }
            }
        }
    }
}

/// RNE32 of `total * 2^unit`; zero is +0.
fn round_i128(total: i128, unit: i32) -> f32 {
    let magnitude = total.unsigned_abs();
    let zeros = magnitude.leading_zeros();
    if zeros == 128 {
        return 0.0;
    }
    // To odd in binary64 first, so that the second rounding makes no tie.
    let normalised = magnitude << zeros;
    let kept = (normalised >> 75) as u64 | u64::from(normalised << 53 != 0);
    let exponent = unit + 75 - zeros as i32;
    let rounded = (kept as f64 * f64::from_bits(((exponent + 1023) as u64) << 52)) as f32;
    if total < 0 { -rounded } else { rounded }
}

/// A sum with a NaN or an infinity among its terms: binary64 cannot overflow on the others.
fn special(
    decoders: &(Decoder, Decoder),
    row: ndarray::ArrayView1<'_, u8>,
    col: ndarray::ArrayView1<'_, u8>,
    init: f32,
) -> f32 {
    let products = row
        .iter()
        .zip(col)
        .map(|(&a, &b)| f64::from(decoders.0.one(a)) * f64::from(decoders.1.one(b)));
    (products.sum::<f64>() + f64::from(init)) as f32
}
