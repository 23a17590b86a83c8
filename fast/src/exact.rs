//! The `exact` accumulator (numerics.md 4.4): sums that binary64 holds exactly, then one rounding.
//!
//! Where a format's values span too many places for that, its codes are split by exponent into
//! parts, whose products span few enough, and the parts' sums are added as integers.

use ndarray::{ArrayView2, s};
use quaver_contract::Format;

use crate::Isa;
use crate::blocked::{Operands, multiply_add};
use crate::decode::{Decoder, table};
#[cfg(target_arch = "x86_64")]
use crate::exact_integers;
use crate::finite;
use crate::fixed::Fixed;
use crate::isa::for_each_isa;
use crate::kernel::Element;

/// Rows and columns whose binary64 sums are held at a time, at most; those of three sums are fewer.
const BLOCK: (usize, usize) = (672, 1024);
const BLOCK_OF_PARTS: (usize, usize) = (336, 512);
/// Bits of binary64's significand.
const PRECISION: i32 = 53;
/// Least terms between two emptyings of the binary64 sums.
const MIN_TERMS: i32 = 10;

/// The values of a format with exponents in one range.
#[derive(Clone)]
struct Part {
    decoder: Decoder,
    /// Exponent of the lowest bit of any value.
    lowest: i32,
    /// Exponent that no value reaches.
    limit: i32,
}

impl Part {
    /// Binary digits from the lowest bit to the limit.
    fn span(&self) -> i32 {
        self.limit - self.lowest
    }

    /// The low part's values, and the high part's times `2^-s`.
    fn both(low: &Self, high: &Self, s: i32) -> Self {
        let down = 2f32.powi(-s);
        let one = |code| low.decoder.one(code) + high.decoder.one(code) * down;
        Self {
            decoder: Decoder::from_values(std::array::from_fn(|code| one(code as u8))),
            lowest: low.lowest.min(high.lowest - s),
            limit: low.limit.max(high.limit - s),
        }
    }
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

/// Sums of products of parts, from which the sum of all products is made.
struct Plan {
    pairs: Vec<(Part, Part)>,
    /// With two parts of each format, three sums instead of four (Karatsuba and Ofman, 1962): those
    /// of the low parts, of *both*, and of the high parts, where *both* has the high part's values
    /// times `2^-s`. A code has a value in one of them, so *both* is no longer than each.
    crossed: Option<i32>,
}

impl Plan {
    fn new(format_a: &Format, format_b: &Format) -> Self {
        let (a, b) = split(format_a, format_b);
        if let ([low_a, high_a], [low_b, high_b]) = (&a[..], &b[..]) {
            let s = (high_a.limit - low_a.limit).max(high_b.limit - low_b.limit);
            let both = (Part::both(low_a, high_a, s), Part::both(low_b, high_b, s));
            // The middle sum is of two products.
            let span = both.0.span() + both.1.span() + 1;
            if span <= PRECISION - MIN_TERMS {
                let low = (low_a.clone(), low_b.clone());
                let high = (high_a.clone(), high_b.clone());
                return Self {
                    pairs: vec![low, both, high],
                    crossed: Some(s),
                };
            }
        }
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
        Self {
            pairs: pairs.map(|(a, b)| (a.clone(), b.clone())).collect(),
            crossed: None,
        }
    }

    /// Terms that keep every sum below 2^53 units, as an exponent.
    fn depth(&self) -> i32 {
        let spans = self.pairs.iter().map(|(a, b)| a.span() + b.span());
        let span = spans.max().unwrap_or(0) + i32::from(self.crossed.is_some());
        (PRECISION - span).clamp(MIN_TERMS, 30)
    }

    /// Takes from the middle one of three sums what the two others have: what is left are the
    /// products of a low and a high part, in their own place.
    fn uncross(&self, sums: &mut [f64], len: usize) {
        if let (Some(s), [low, both, high]) = (
            self.crossed,
            &mut sums.chunks_exact_mut(len).collect::<Vec<_>>()[..],
        ) {
            let (up, down) = (2f64.powi(s), 2f64.powi(-2 * s));
            for ((both, low), high) in both.iter_mut().zip(low.iter()).zip(high.iter()) {
                *both = (*both - low - high * down) * up;
            }
        }
    }
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
    let plan = Plan::new(formats.0, formats.1);
    let count = plan.pairs.len();
    let depth = 1usize << plan.depth();
    let full = (Decoder::new(formats.0), Decoder::new(formats.1));
    let [finite_a, finite_b] = [&full.0, &full.1]
        .map(|decoder| std::array::from_fn(|code| decoder.one(code as u8).is_finite()));
    let rows_finite = finite::rows(&finite_a, a);
    let cols_finite = finite::columns(&finite_b, b);
    #[cfg(target_arch = "x86_64")]
    let integers = match (isa, count) {
        (Isa::Avx512, 1) => exact_integers::Kernel::new(formats.0, formats.1),
        _ => None,
    };
    let most = match count {
        1 => BLOCK,
        _ => BLOCK_OF_PARTS,
    };
    // Blocks of about the same size, of whole tiles.
    let even = |extent: usize, most: usize, tile: usize| {
        let blocks = extent.div_ceil(most).max(1);
        extent.div_ceil(blocks).next_multiple_of(tile).max(1)
    };
    let tile = <f64 as Element>::tile(isa);
    let (block_m, block_n) = (even(rows, most.0, tile.0), even(cols, most.1, tile.1));
    let mut partial = vec![0f64; count * block_m * block_n];
    let mut wide: Vec<Fixed> = Vec::new();
    for m0 in (0..rows).step_by(block_m) {
        let height = block_m.min(rows - m0);
        for n0 in (0..cols).step_by(block_n) {
            let width = block_n.min(cols - n0);
            let single = terms <= depth;
            if !single {
                wide.clear();
                wide.resize(height * width, Fixed::ZERO);
            }
            for k0 in (0..terms.max(1)).step_by(depth) {
                let k1 = terms.min(k0 + depth);
                let a = a.slice(s![m0..m0 + height, k0..k1]);
                let b = b.slice(s![k0..k1, n0..n0 + width]);
                #[cfg(target_arch = "x86_64")]
                let done = integers.as_ref().is_some_and(|integers| {
                    // SAFETY: the block of sums has this shape.
                    unsafe { integers.multiply(a, b, partial.as_mut_ptr(), block_n) };
                    true
                });
                #[cfg(not(target_arch = "x86_64"))]
                let done = false;
                if !done || k0 == k1 {
                    partial.fill(0.0);
                }
                let sums = partial.chunks_exact_mut(block_m * block_n);
                for (pair, sums) in plan.pairs.iter().zip(sums).filter(|_| !done) {
                    let operands = Operands {
                        a,
                        b,
                        decoder_a: &pair.0.decoder,
                        decoder_b: &pair.1.decoder,
                    };
                    // SAFETY: the block of sums has this shape; the caller has seen the ISA.
                    unsafe { multiply_add::<f64>(isa, &operands, sums.as_mut_ptr(), block_n) };
                }
                plan.uncross(&mut partial, block_m * block_n);
                if !single {
                    for (i, wide) in wide.iter_mut().enumerate() {
                        let at = i / width * block_n + i % width;
                        for sums in partial.chunks_exact(block_m * block_n) {
                            wide.add(sums[at]);
                        }
                    }
                }
            }
            let all_cols_finite = cols_finite[n0..n0 + width].iter().all(|&finite| finite);
            for m in 0..height {
                // SAFETY: a row of the block, inside the product.
                let sums = unsafe {
                    let start = sums.add((m0 + m) * stride + n0);
                    std::slice::from_raw_parts_mut(start, width)
                };
                let parts: Vec<&[f64]> = partial
                    .chunks_exact(block_m * block_n)
                    .map(|sums| &sums[m * block_n..][..width])
                    .collect();
                let plain = single
                    && all_cols_finite
                    && rows_finite[m0 + m]
                    && sums.iter().all(|&sum| sum == 0.0);
                match &parts[..] {
                    // One rounding of an exact number; + 0.0 makes a zero positive.
                    [part] if plain => {
                        for (sum, &part) in sums.iter_mut().zip(*part) {
                            *sum = part as f32 + 0.0;
                        }
                        continue;
                    }
                    [low, middle, high] if plain => {
                        round_sums(isa, low, middle, high, sums);
                        continue;
                    }
                    _ => {}
                }
                for (n, sum) in sums.iter_mut().enumerate() {
                    if !(rows_finite[m0 + m] && cols_finite[n0 + n] && sum.is_finite()) {
                        *sum = special(&full, a.row(m0 + m), b.column(n0 + n), *sum);
                        continue;
                    }
                    let mut total = match single {
                        true => Fixed::ZERO,
                        false => wide[m * width + n],
                    };
                    total.add(f64::from(*sum));
                    if single {
                        parts.iter().for_each(|part| total.add(part[n]));
                    }
                    *sum = total.round();
                }
            }
        }
    }
}

for_each_isa! {
    fn round_sums(low: &[f64], middle: &[f64], high: &[f64], sums: &mut [f32]) = round_loop
}

/// RNE32 of three numbers' exact sum; zero is +0.
#[inline(always)]
fn round_loop(low: &[f64], middle: &[f64], high: &[f64], sums: &mut [f32]) {
    for (((sum, &low), &middle), &high) in sums.iter_mut().zip(low).zip(middle).zip(high) {
        let (upper, error_upper) = two_sum(high, middle);
        let (all, error_all) = two_sum(upper, low);
        // Where `all` cancelled to less than the errors, its own is zero and they add exactly;
        // elsewhere each of these is far below the one before it.
        let (error, last) = two_sum(error_upper, error_all);
        let (value, rest) = two_sum(all, error);
        let rest = if rest == 0.0 { last } else { rest };
        // To odd in binary64 first, so that the second rounding makes no tie.
        let bits = value.to_bits();
        let step = if (rest > 0.0) == (value > 0.0) {
            1
        } else {
            u64::MAX
        };
        let exact_or_odd = rest == 0.0 || bits & 1 == 1;
        let odd = bits.wrapping_add(if exact_or_odd { 0 } else { step });
        *sum = f64::from_bits(odd) as f32 + 0.0;
    }
}

/// A sum and its exact error (Knuth, TAOCP 2, 4.2.2, theorem B).
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
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
