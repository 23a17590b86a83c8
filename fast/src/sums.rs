//! The sums of a slab under any accumulator (numerics.md, section 4), and of blocks with scales.

use std::ops::Range;

use ndarray::{ArrayView2, s};
use quaver_contract::{Accumulator, Format};

use crate::Isa;
use crate::blocked::{self, BLOCK_K, Operands, for_each_tile};
use crate::decode::Decoder;
use crate::dot;
use crate::exact;
#[cfg(target_arch = "x86_64")]
use crate::few_rows;
use crate::kernel::{Element, TowardZero};
use crate::scaled::{self, Factors, Partial, Rows};
use crate::tree;

/// Rows and columns that are summed at a time where a sum is made of others.
const PIECE_ROWS: usize = 126;
const PIECE_COLS: usize = 256;

/// Where sums go, in memory of any value, and what becomes of them.
pub(crate) struct Place<'a> {
    /// Initial values; `None`: +0.
    pub(crate) init: Option<ArrayView2<'a, u32>>,
    pub(crate) sums: *mut f32,
    /// Values from one row to the next.
    pub(crate) stride: usize,
    /// What happens to rows and columns of complete sums; it touches no others.
    pub(crate) finish: &'a dyn Fn(Range<usize>, Range<usize>),
}

impl Place<'_> {
    /// Writes the initial values.
    ///
    /// # Safety
    /// The sums are valid for the shape and nothing else touches them.
    unsafe fn begin(&self, (rows, cols): (usize, usize)) {
        for row in 0..rows {
            // SAFETY: a row of the sums.
            unsafe {
                let values = self.sums.add(row * self.stride);
                match self.init {
                    None => values.write_bytes(0, cols),
                    Some(init) => {
                        for (col, &init) in init.row(row).iter().enumerate() {
                            values.add(col).write(f32::from_bits(init));
                        }
                    }
                }
            }
        }
    }
}

/// How a slab's products are decoded and added up.
pub(crate) struct Sums {
    isa: Isa,
    formats: (&'static Format, &'static Format),
    decoders: (Decoder, Decoder),
}

impl Sums {
    pub(crate) fn new(isa: Isa, format_a: &'static Format, format_b: &'static Format) -> Self {
        Self {
            isa,
            formats: (format_a, format_b),
            decoders: (Decoder::new(format_a), Decoder::new(format_b)),
        }
    }

    /// The sums of section 4 of the contract.
    ///
    /// # Safety
    /// The place is valid for the product's shape, and nothing else touches it meanwhile.
    pub(crate) unsafe fn run(
        &self,
        accumulator: &Accumulator,
        a: ArrayView2<'_, u8>,
        b: ArrayView2<'_, u8>,
        place: &Place<'_>,
    ) {
        let (rows, cols) = (a.nrows(), b.ncols());
        let &Place { sums, stride, .. } = place;
        let chain = matches!(accumulator, Accumulator::Fp32 | Accumulator::Fp32TowardZero);
        // Kernels of chains start at +0 themselves.
        let fresh = chain && place.init.is_none() && a.ncols() > 0;
        if !fresh {
            // SAFETY: the caller's promise.
            unsafe { place.begin((rows, cols)) };
        }
        match accumulator {
            Accumulator::Fp32 => {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the caller's promise.
                if self.isa == Isa::Avx512
                    && unsafe { few_rows::multiply_add(&self.operands(a, b), sums, stride, fresh) }
                {
                    return (place.finish)(0..rows, 0..cols);
                }
                // SAFETY: the caller's promise.
                return unsafe { self.chains(a, b, sums, place, fresh) };
            }
            Accumulator::Fp32TowardZero => {
                let sums = sums.cast::<TowardZero>();
                // SAFETY: the caller's promise.
                return unsafe { self.chains(a, b, sums, place, fresh) };
            }
            Accumulator::Tree { lanes } => {
                // SAFETY: the caller's promise.
                unsafe { tree::run(self.isa, *lanes, &self.operands(a, b), sums, stride) };
            }
            Accumulator::Dot(dot) => {
                let slab = dot::Slab {
                    a,
                    b,
                    table_a: &dot::operands(self.formats.0, dot.exponent),
                    table_b: &dot::operands(self.formats.1, dot.exponent),
                };
                // SAFETY: the caller's promise.
                unsafe { dot::run(self.isa, dot, &slab, sums, stride) };
            }
            Accumulator::Exact => {
                // SAFETY: the caller's promise.
                unsafe { exact::run(self.isa, a, b, self.formats, sums, stride) };
            }
            Accumulator::Chunked { inner, every } => {
                let promote = |_, partial: &Partial<'_>, sums: &Rows| {
                    partial.rows().enumerate().for_each(|(m, row)| {
                        for (sum, partial) in sums.row(m, row.len()).iter_mut().zip(row) {
                            *sum += partial;
                        }
                    });
                };
                // SAFETY: the caller's promise.
                unsafe { self.pieces(inner, *every, (a, b), sums, stride, promote) };
            }
        }
        (place.finish)(0..rows, 0..cols);
    }

    /// Chains, finished block by block while those are in the caches.
    ///
    /// # Safety
    /// As [`Sums::run`]; `sums` is that of the place.
    unsafe fn chains<T: Element>(
        &self,
        a: ArrayView2<'_, u8>,
        b: ArrayView2<'_, u8>,
        sums: *mut T,
        place: &Place<'_>,
        fresh: bool,
    ) {
        let mut tiles = blocked::Sums {
            isa: self.isa,
            c: sums,
            stride: place.stride,
            fresh,
            finish: place.finish,
        };
        // SAFETY: the caller's promise.
        unsafe { for_each_tile(self.isa, &self.operands(a, b), &mut tiles) };
    }

    /// The same under rule 7.8, for operands with scales of blocks.
    ///
    /// # Safety
    /// As [`Sums::run`].
    pub(crate) unsafe fn scaled(
        &self,
        factors: &Factors<'_>,
        accumulator: &Accumulator,
        a: ArrayView2<'_, u8>,
        b: ArrayView2<'_, u8>,
        place: &Place<'_>,
    ) {
        let &Place { sums, stride, .. } = place;
        let shape = (a.nrows(), b.ncols());
        // SAFETY: the caller's promise.
        unsafe { place.begin(shape) };
        if *accumulator == Accumulator::Fp32 && factors.length() <= BLOCK_K {
            let operands = self.operands(a, b);
            // SAFETY: the caller's promise.
            unsafe { scaled::multiply_add(self.isa, factors, &operands, sums, stride) };
            return (place.finish)(0..shape.0, 0..shape.1);
        }
        let add = |(block, m, n): (usize, usize, usize), partial: &Partial<'_>, sums: &Rows| {
            let mut of_rows = vec![0.0; partial.height()];
            let mut of_cols = vec![0.0; partial.width];
            factors.of_rows(block, m, &mut of_rows);
            factors.of_cols(block, n, &mut of_cols);
            scaled::add(self.isa, factors, &of_rows, &of_cols, partial, sums);
        };
        // SAFETY: the caller's promise.
        unsafe { self.pieces(accumulator, factors.length(), (a, b), sums, stride, add) };
        (place.finish)(0..shape.0, 0..shape.1);
    }

    fn operands<'a>(&'a self, a: ArrayView2<'a, u8>, b: ArrayView2<'a, u8>) -> Operands<'a> {
        Operands {
            a,
            b,
            decoder_a: &self.decoders.0,
            decoder_b: &self.decoders.1,
        }
    }

    /// Sums every `length` terms from +0 and hands each part of them to `add`, with its number, its
    /// first row and first column, and the place of its sums; numbers come in ascending order.
    ///
    /// # Safety
    /// As [`Sums::run`].
    unsafe fn pieces(
        &self,
        accumulator: &Accumulator,
        length: usize,
        (a, b): (ArrayView2<'_, u8>, ArrayView2<'_, u8>),
        sums: *mut f32,
        stride: usize,
        add: impl Fn((usize, usize, usize), &Partial<'_>, &Rows),
    ) {
        let (rows, terms) = a.dim();
        let cols = b.ncols();
        for m in (0..rows).step_by(PIECE_ROWS) {
            for n in (0..cols).step_by(PIECE_COLS) {
                let (height, width) = (PIECE_ROWS.min(rows - m), PIECE_COLS.min(cols - n));
                let mut sums_of_piece = vec![0f32; height * width];
                for (index, k) in (0..terms).step_by(length).enumerate() {
                    let end = terms.min(k + length);
                    let a = a.slice(s![m..m + height, k..end]);
                    let b = b.slice(s![k..end, n..n + width]);
                    let piece = Place {
                        init: None,
                        sums: sums_of_piece.as_mut_ptr(),
                        stride: width,
                        finish: &|_, _| {},
                    };
                    // SAFETY: the piece has the shape; the slab's part is the caller's.
                    let place = unsafe {
                        self.run(accumulator, a, b, &piece);
                        Rows::new(sums.add(m * stride + n), stride)
                    };
                    let partial = Partial {
                        values: &sums_of_piece,
                        width,
                        stride: width,
                    };
                    add((index, m, n), &partial, &place);
                }
            }
        }
    }
}
