//! The `exact` accumulator (numerics.md 4.4): sums that some binary64 numbers hold exactly, then one rounding.
//!
//! [`parts`] adds products in binary64; [`integers`] and [`long`] are faster where the machine has their
//! instructions.

mod fixed;
#[cfg(target_arch = "x86_64")]
mod integers;
#[cfg(target_arch = "x86_64")]
mod long;
mod parts;

use ndarray::{ArrayView2, s};
use quaver_contract::Format;

use crate::Isa;
use crate::decode::Decoder;
use crate::finite;
use crate::isa::for_each_isa;
use fixed::Fixed;
use parts::Parts;

/// Sums of products, block by block.
trait Products {
    /// Most rows and columns of a block.
    fn block(&self) -> (usize, usize);

    /// Most terms of K.
    fn depth(&self) -> usize;

    /// Sums a block's products, of finite values alone.
    fn multiply(&mut self, a: ArrayView2<'_, u8>, b: ArrayView2<'_, u8>);

    /// The sums of the block's row `m`, `width` columns: each is the exact sum of its numbers in these slices.
    fn row(&mut self, m: usize, width: usize) -> Vec<&[f64]>;
}

/// The fastest way for a product of so many rows and columns.
fn products(isa: Isa, formats: (&Format, &Format), shape: (usize, usize)) -> Box<dyn Products> {
    let parts = Parts::new(isa, formats, shape);
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        let count = parts.count();
        if let Some(integers) = integers::Kernel::new(formats, shape).filter(|_| count == 1) {
            return Box::new(integers);
        }
        if let Some(long) = long::Kernel::new(formats, shape).filter(|_| count > 2) {
            return Box::new(long);
        }
    }
    Box::new(parts)
}

/// Rows and columns of blocks of about the same size, of whole tiles.
fn even(extents: (usize, usize), most: (usize, usize), tile: (usize, usize)) -> (usize, usize) {
    let even = |extent: usize, most: usize, tile: usize| {
        let blocks = extent.div_ceil(most).max(1);
        extent.div_ceil(blocks).next_multiple_of(tile).max(tile)
    };
    (
        even(extents.0, most.0, tile.0),
        even(extents.1, most.1, tile.1),
    )
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
    let full = (Decoder::new(formats.0), Decoder::new(formats.1));
    let [finite_a, finite_b] = [&full.0, &full.1]
        .map(|decoder| std::array::from_fn(|code| decoder.one(code as u8).is_finite()));
    let rows_finite = finite::rows(&finite_a, a);
    let cols_finite = finite::columns(&finite_b, b);
    let mut products = products(isa, formats, (rows, cols));
    let (block_m, block_n) = products.block();
    let depth = products.depth();
    let single = terms <= depth;
    let mut wide: Vec<Fixed> = Vec::new();
    for m0 in (0..rows).step_by(block_m) {
        let height = block_m.min(rows - m0);
        for n0 in (0..cols).step_by(block_n) {
            let width = block_n.min(cols - n0);
            let all_cols_finite = cols_finite[n0..n0 + width].iter().all(|&finite| finite);
            // SAFETY: a row of the block, inside the product.
            let sums_of = |m: usize| unsafe {
                let start = sums.add((m0 + m) * stride + n0);
                std::slice::from_raw_parts_mut(start, width)
            };
            // Adds a row's exact sums to their initial values.
            let finish = |m: usize, sums: &mut [f32], exact: &dyn Fn(usize) -> Fixed| {
                for (n, sum) in sums.iter_mut().enumerate() {
                    if rows_finite[m0 + m] && cols_finite[n0 + n] && sum.is_finite() {
                        let mut total = exact(n);
                        total.add(f64::from(*sum));
                        *sum = total.round();
                    } else {
                        *sum = special(&full, a.row(m0 + m), b.column(n0 + n), *sum);
                    }
                }
            };
            if !single {
                wide.clear();
                wide.resize(height * width, Fixed::ZERO);
            }
            for k0 in (0..terms.max(1)).step_by(depth) {
                let k1 = terms.min(k0 + depth);
                let a = a.slice(s![m0..m0 + height, k0..k1]);
                let b = b.slice(s![k0..k1, n0..n0 + width]);
                products.multiply(a, b);
                for m in 0..height {
                    let parts = products.row(m, width);
                    if !single {
                        for part in parts {
                            let wide = &mut wide[m * width..][..width];
                            wide.iter_mut()
                                .zip(part)
                                .for_each(|(wide, &part)| wide.add(part));
                        }
                        continue;
                    }
                    let sums = sums_of(m);
                    let plain = all_cols_finite
                        && rows_finite[m0 + m]
                        && sums.iter().all(|&sum| sum == 0.0);
                    match &parts[..] {
                        // One rounding of an exact number; + 0.0 makes a zero positive.
                        [part] if plain => {
                            for (sum, &part) in sums.iter_mut().zip(*part) {
                                *sum = part as f32 + 0.0;
                            }
                        }
                        [low, middle, high] if plain => {
                            round_sums(isa, low, middle, high, sums);
                        }
                        parts => finish(m, sums, &|n| {
                            let mut total = Fixed::ZERO;
                            parts.iter().for_each(|part| total.add(part[n]));
                            total
                        }),
                    }
                }
            }
            if !single {
                for m in 0..height {
                    finish(m, sums_of(m), &|n| wide[m * width + n]);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::{Array2, ShapeBuilder};
    use quaver_contract::Formats;

    use super::*;
    use crate::decode::decode;

    /// Every way that the machine has, the faster ones' stand-ins too.
    fn ways(
        formats: (&Format, &Format),
        shape: (usize, usize),
    ) -> Vec<(String, Box<dyn Products>)> {
        let mut ways: Vec<(_, Box<dyn Products>)> = Vec::new();
        for &isa in Isa::ALL.iter().filter(|isa| isa.is_available()) {
            let parts = Parts::new(isa, formats, shape);
            ways.push((format!("{isa:?} parts"), Box::new(parts)));
        }
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(integers) = integers::Kernel::new(formats, shape) {
                ways.push(("integers".to_owned(), Box::new(integers)));
            }
            if let Some(long) = long::Kernel::new(formats, shape) {
                ways.push(("long".to_owned(), Box::new(long)));
            }
        }
        ways
    }

    /// Sums of the largest and the smallest values of all signs, and of others, as many as may be added.
    #[test]
    fn products_of_all_format_pairs_vs_i128() {
        let formats = Formats::default();
        let formats: Vec<_> = formats
            .iter()
            .filter(|format| format.is_operand())
            .collect();
        let shapes = [(9, 33, 0), (7, 16, 1), (10, 18, 700), (3, 17, 4096)];
        let mut tested = BTreeMap::new();
        for (i, &format_a) in formats.iter().enumerate() {
            for (j, &format_b) in formats.iter().enumerate() {
                let (m, n, k) = shapes[(i + j) % shapes.len()];
                let codes = |format: &Format, line: usize, term: usize| {
                    let sign = if term % 3 == line % 2 {
                        format.sign_mask()
                    } else {
                        0
                    };
                    let magnitude = match line % 3 {
                        0 => format.max_code(),
                        1 => 1,
                        _ => (term * 37 + line) as u32 & format.magnitude_mask(),
                    };
                    (sign | magnitude) as u8
                };
                let units = |format: &Format, code: u8| {
                    let value = f64::from(f32::from_bits(decode(format, code.into())));
                    let value = if value.is_finite() { value } else { 0.0 };
                    value * 2f64.powi(-format.lowest_exponent())
                };
                let limit = units(format_a, format_a.max_code() as u8)
                    * units(format_b, format_b.max_code() as u8);
                if limit > 2f64.powi(110) {
                    continue;
                }
                let a = Array2::from_shape_fn((m, k), |(m, k)| codes(format_a, m, k));
                let by_columns = (k, n).set_f(i % 2 == 0);
                let b = Array2::from_shape_fn(by_columns, |(k, n)| codes(format_b, n, k));
                let values_a = a.mapv(|code| units(format_a, code) as i128);
                let values_b = b.mapv(|code| units(format_b, code) as i128);
                let expected = values_a.dot(&values_b);
                let unit = 2f64.powi(format_a.lowest_exponent() + format_b.lowest_exponent());
                for (name, mut products) in ways((format_a, format_b), (m, n)) {
                    if products.depth() < k {
                        continue;
                    }
                    *tested.entry(name.clone()).or_insert(0) += 1;
                    // Again, over what the first left.
                    for _ in 0..2 {
                        products.multiply(a.view(), b.view());
                    }
                    for m in 0..m {
                        let numbers = products.row(m, n);
                        for n in 0..n {
                            let sum: i128 = numbers
                                .iter()
                                .map(|numbers| (numbers[n] / unit) as i128)
                                .sum();
                            let what = (&name, format_a.name, format_b.name, m, n);
                            assert_eq!(sum, expected[(m, n)], "{what:?}");
                        }
                    }
                }
            }
        }
        let sets = Isa::ALL.iter().filter(|isa| isa.is_available()).count();
        assert!(tested.len() >= sets, "{tested:?}");
        assert!(tested.values().all(|&pairs| pairs > 20), "{tested:?}");
    }
}
