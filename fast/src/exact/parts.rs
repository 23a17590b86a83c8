//! Exact sums in binary64.
//!
//! Where a format's values span too many places for that, its codes are split by exponent into
//! parts, whose products span few enough: a sum is that of several binary64 numbers.

use ndarray::ArrayView2;
use quaver_contract::Format;

use super::{Products, even};
use crate::Isa;
use crate::blocked::{Operands, multiply_add};
use crate::decode::{Decoder, table};
use crate::kernel::Packed;

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

/// Sums of parts' products.
pub(super) struct Parts {
    isa: Isa,
    plan: Plan,
    block: (usize, usize),
    /// A plane of the block's size for each pair of parts.
    sums: Vec<f64>,
}

impl Parts {
    pub(super) fn new(isa: Isa, formats: (&Format, &Format), shape: (usize, usize)) -> Self {
        let plan = Plan::new(formats.0, formats.1);
        let most = match plan.pairs.len() {
            1 => BLOCK,
            _ => BLOCK_OF_PARTS,
        };
        Self {
            isa,
            block: even(shape, most, f64::tile(isa)),
            plan,
            sums: Vec::new(),
        }
    }

    /// Numbers that make a sum.
    pub(super) fn count(&self) -> usize {
        self.plan.pairs.len()
    }

    fn plane(&self) -> usize {
        self.block.0 * self.block.1
    }
}

impl Products for Parts {
    fn block(&self) -> (usize, usize) {
        self.block
    }

    fn depth(&self) -> usize {
        1 << self.plan.depth()
    }

    fn multiply(&mut self, a: ArrayView2<'_, u8>, b: ArrayView2<'_, u8>) {
        let plane = self.plane();
        self.sums.clear();
        self.sums.resize(self.count() * plane, 0.0);
        let sums = self.sums.chunks_exact_mut(plane);
        for (pair, sums) in self.plan.pairs.iter().zip(sums) {
            let operands = Operands {
                a,
                b,
                decoder_a: &pair.0.decoder,
                decoder_b: &pair.1.decoder,
            };
            assert!(a.nrows() <= self.block.0 && b.ncols() <= self.block.1);
            // SAFETY: the plane has room for the block; who made this has seen the ISA.
            unsafe { multiply_add::<f64>(self.isa, &operands, sums.as_mut_ptr(), self.block.1) };
        }
        self.plan.uncross(&mut self.sums, plane);
    }

    fn row(&mut self, m: usize, width: usize) -> Vec<&[f64]> {
        let planes = self.sums.chunks_exact(self.block.0 * self.block.1);
        planes
            .map(|sums| &sums[m * self.block.1..][..width])
            .collect()
    }
}
