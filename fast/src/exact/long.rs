//! Exact sums by 52-bit integers (AVX-512 IFMA), eight products in two instructions.
//!
//! A value x of a format, in units of its lowest bit, is packed as the binary64 number x + 1.5 * 2^52, whose
//! fraction field is the integer x + 2^51. The instructions take that field alone: they multiply two of them and
//! add the product's lower 52 bits to one sum of 64 bits, its upper ones to another. With t the sum of a row's
//! and of a column's values, and K terms, both sums together are 2^51 t + 2^102 K more than the sum of products.

use std::arch::x86_64::*;

use ndarray::ArrayView2;
use quaver_contract::Format;

use super::{Products, even};
use crate::Isa;
use crate::aligned::{Aligned, Plain};
use crate::blocked::{Operands, Tile, Tiles, for_each_tile};
use crate::decode::{Decoder, table};
use crate::isa::for_each_isa;
use crate::kernel::{Packed, with_rows};

/// Rows and columns of a tile: 28 sums, two registers of B, and one of A.
const ROWS: usize = 7;
const COLS: usize = 16;
/// Rows and columns of a block, at most.
const BLOCK: (usize, usize) = (336, 512);
/// Lower halves of products that 64 bits add.
const DEPTH: usize = 1 << 12;
/// Bits of two values in units, at most: upper sums are then exact in binary64.
const MOST_BITS: i32 = 90;
/// 1.5 * 2^52.
const BASE: f64 = 6_755_399_441_055_744.0;

/// A binary64 number whose fraction field is an integer and 2^51.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Integer(f64);

// SAFETY: as binary64, which it is.
unsafe impl Plain for Integer {}

impl Packed for Integer {
    fn tile(_: Isa) -> (usize, usize) {
        (ROWS, COLS)
    }

    fn wide(len: usize) -> Aligned<Self> {
        Aligned::any(len)
    }

    fn panels<'a>(isa: Isa, packed: &'a [f32], wide: &'a mut Aligned<Self>) -> &'a [Self] {
        let wide = &mut wide[..packed.len()];
        lift(isa, packed, wide);
        wide
    }
}

for_each_isa! {
    fn lift(packed: &[f32], wide: &mut [Integer]) = lift_loop
}

#[inline(always)]
fn lift_loop(packed: &[f32], wide: &mut [Integer]) {
    for (wide, &value) in wide.iter_mut().zip(packed) {
        *wide = Integer(f64::from(value) + BASE);
    }
}

/// A format's values.
struct Integers {
    /// In units; 0 for what is not finite.
    decoder: Decoder,
    /// Exponent of a unit.
    unit: i32,
    /// Bits of the largest magnitude.
    bits: i32,
}

impl Integers {
    fn new(format: &Format) -> Self {
        let unit = format.lowest_exponent();
        let values = table(format).map(|bits| {
            let value = f64::from(f32::from_bits(bits));
            let units = value * 2f64.powi(-unit);
            if units.is_finite() { units } else { 0.0 }
        });
        let largest = values
            .iter()
            .fold(1.0f64, |largest, value| largest.max(value.abs()));
        Self {
            decoder: Decoder::from_values(values.map(|units| units as f32)),
            unit,
            bits: largest.log2().floor() as i32 + 1,
        }
    }
}

/// Two formats' values, and sums of their products.
pub(super) struct Kernel {
    a: Integers,
    b: Integers,
    block: (usize, usize),
    sums: Sums,
    /// Terms of the sums, and the sums of rows and of columns.
    terms: usize,
    rows: Vec<i64>,
    cols: Vec<i64>,
    /// A row's numbers: bits up to 32, up to 52 and from 52 on.
    numbers: [Vec<f64>; 3],
}

impl Kernel {
    /// `None` where the machine lacks the instructions, or the formats' values are too long.
    pub(super) fn new(formats: (&Format, &Format), shape: (usize, usize)) -> Option<Self> {
        let available = Isa::Avx512.is_available() && is_x86_feature_detected!("avx512ifma");
        let (a, b) = available.then(|| (Integers::new(formats.0), Integers::new(formats.1)))?;
        let block = even(shape, BLOCK, (ROWS, COLS));
        (a.bits.max(b.bits) <= MOST_BITS / 2).then(|| Self {
            a,
            b,
            block,
            sums: Sums {
                lower: vec![0; block.0 * block.1],
                upper: vec![0; block.0 * block.1],
                stride: block.1,
            },
            terms: 0,
            rows: Vec::new(),
            cols: Vec::new(),
            numbers: std::array::from_fn(|_| vec![0.0; block.1]),
        })
    }
}

impl Products for Kernel {
    fn block(&self) -> (usize, usize) {
        self.block
    }

    fn depth(&self) -> usize {
        DEPTH
    }

    fn multiply(&mut self, a: ArrayView2<'_, u8>, b: ArrayView2<'_, u8>) {
        let (rows, terms) = a.dim();
        let cols = b.ncols();
        assert!(rows <= self.block.0 && cols <= self.block.1 && terms <= DEPTH);
        self.terms = terms;
        self.rows = totals(&self.a.decoder, a);
        self.cols = totals(&self.b.decoder, b.reversed_axes());
        if terms == 0 {
            self.sums.lower.fill(0);
            self.sums.upper.fill(0);
        }
        let operands = Operands {
            a,
            b,
            decoder_a: &self.a.decoder,
            decoder_b: &self.b.decoder,
        };
        // SAFETY: the sums have room for the block's tiles; `new` saw the instructions.
        unsafe { for_each_tile::<Integer>(Isa::Avx512, &operands, &mut self.sums) };
    }

    fn row(&mut self, m: usize, width: usize) -> Vec<&[f64]> {
        let at = m * self.block.1;
        let unit = 2f64.powi(self.a.unit + self.b.unit);
        let [low, middle, high] = &mut self.numbers;
        let terms_and_row = ((self.terms as i64) << 50, self.rows[m]);
        let lower = &self.sums.lower[at..][..width];
        let upper = &self.sums.upper[at..][..width];
        let (low, middle, high) = (&mut low[..width], &mut middle[..width], &mut high[..width]);
        separate(
            Isa::Avx512,
            unit,
            terms_and_row,
            &self.cols,
            (lower, upper),
            (low, middle, high),
        );
        self.numbers
            .iter()
            .map(|numbers| &numbers[..width])
            .collect()
    }
}

for_each_isa! {
    fn separate(
        unit: f64,
        terms_and_row: (i64, i64),
        cols: &[i64],
        sums: (&[u64], &[u64]),
        numbers: (&mut [f64], &mut [f64], &mut [f64])
    ) = separate_loop
}

/// Takes from two sums what they have more than those of products, and makes binary64 numbers of what is left.
/// `terms` is what the upper sum has more for each term, all together; `row` and `cols` are sums of values.
#[inline(always)]
fn separate_loop(
    unit: f64,
    (terms, row): (i64, i64),
    cols: &[i64],
    (lower, upper): (&[u64], &[u64]),
    (low, middle, high): (&mut [f64], &mut [f64], &mut [f64]),
) {
    let (unit_32, unit_52) = (unit * 2f64.powi(32), unit * 2f64.powi(52));
    let numbers = low.iter_mut().zip(middle).zip(high);
    for ((((low, middle), high), (&lower, &upper)), &col) in
        numbers.zip(lower.iter().zip(upper)).zip(cols)
    {
        let t = row + col;
        let upper = upper.cast_signed() - (t >> 1) - terms;
        let of_middle = (lower >> 32).cast_signed() - ((t & 1) << 19);
        *low = (lower & 0xffff_ffff).cast_signed() as f64 * unit;
        *middle = of_middle as f64 * unit_32;
        *high = upper as f64 * unit_52;
    }
}

/// The sum of each row's values, which are integers.
fn totals(decoder: &Decoder, codes: ArrayView2<'_, u8>) -> Vec<i64> {
    let mut totals = vec![0; codes.nrows()];
    let across = codes.strides()[1] != 1 && codes.nrows() > 1;
    let lines = if across { codes.reversed_axes() } else { codes };
    let mut values = vec![0.0; lines.ncols()];
    for (i, line) in lines.rows().into_iter().enumerate() {
        match line.as_slice() {
            Some(line) => decoder.slice(Isa::Avx512, line, &mut values),
            None => {
                for (value, &code) in values.iter_mut().zip(line) {
                    *value = decoder.one(code);
                }
            }
        }
        match across {
            true => add_each(Isa::Avx512, &values, &mut totals),
            false => add_all(Isa::Avx512, &values, &mut totals[i]),
        }
    }
    totals
}

for_each_isa! {
    fn add_each(values: &[f32], totals: &mut [i64]) = add_each_loop
}

#[inline(always)]
fn add_each_loop(values: &[f32], totals: &mut [i64]) {
    for (total, &value) in totals.iter_mut().zip(values) {
        *total += integer(value);
    }
}

for_each_isa! {
    fn add_all(values: &[f32], total: &mut i64) = add_all_loop
}

#[inline(always)]
fn add_all_loop(values: &[f32], total: &mut i64) {
    *total += values.iter().map(|&value| integer(value)).sum::<i64>();
}

#[inline(always)]
fn integer(value: f32) -> i64 {
    // SAFETY: finite, and of few bits.
    unsafe { value.to_int_unchecked() }
}

/// Sums of the lower and of the upper halves of products.
struct Sums {
    lower: Vec<u64>,
    upper: Vec<u64>,
    /// Whole tiles.
    stride: usize,
}

impl Tiles<Integer> for Sums {
    unsafe fn tile(&mut self, part: &Tile<Integer>) {
        let at = part.place.0 * self.stride + part.place.1;
        assert!(self.lower.len() >= at + (part.rows - 1) * self.stride + COLS);
        let sums = [&mut self.lower, &mut self.upper].map(|sums| sums[at..].as_mut_ptr());
        let (a, b) = (part.a.cast(), part.b.cast());
        with_rows!(
            part.rows,
            [1 2 3 4 5 6 7],
            self,
            tile,
            (part.depth, a, b, sums, self.stride, part.first)
        );
    }
}

/// Adds `k` products to a tile of `ROWS` rows and all columns; see [`crate::kernel::Element::run`].
///
/// # Safety
/// The panels are readable and the sums writable for that; the machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx2,fma")]
unsafe fn tile<const ROWS: usize>(
    k: usize,
    mut a: *const i64,
    mut b: *const i64,
    places: [*mut u64; 2],
    stride: usize,
    fresh: bool,
) {
    const LANES: usize = COLS / 2;
    let mut sums = [[[_mm512_setzero_si512(); 2]; 2]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        if !fresh {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (sums, place) in sums.iter_mut().zip(places) {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm512_loadu_si512(place.add(row * stride + j * LANES).cast());
                    }
                }
            }
        }
        for _ in 0..k {
            let columns = [
                _mm512_loadu_si512(b.cast()),
                _mm512_loadu_si512(b.add(LANES).cast()),
            ];
            for (row, [lower, upper]) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_epi64(*a.add(row));
                for ((lower, upper), b) in lower.iter_mut().zip(upper).zip(columns) {
                    *lower = _mm512_madd52lo_epu64(*lower, a, b);
                    *upper = _mm512_madd52hi_epu64(*upper, a, b);
                }
            }
            a = a.add(ROWS);
            b = b.add(COLS);
        }
        for (row, sums) in sums.iter().enumerate() {
            for (sums, place) in sums.iter().zip(places) {
                for (j, &sum) in sums.iter().enumerate() {
                    _mm512_storeu_si512(place.add(row * stride + j * LANES).cast(), sum);
                }
            }
        }
    }
}
