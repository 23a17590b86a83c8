//! Exact sums by 16-bit integers (AVX-512 VNNI and VBMI), two products an instruction and a column.
//!
//! Values are integers in units of a format's lowest bit, cut by size into a low part and a high one
//! of `2^SHIFT` units. Three sums stand for four (Karatsuba and Ofman, 1962): those of the low
//! parts, of low + high, and of the high parts; the middle one less the two others is what the
//! mixed products come to.

use std::arch::x86_64::*;

use ndarray::ArrayView2;
use quaver_contract::Format;

use super::{Products, even};
use crate::aligned::Aligned;
use crate::decode::table;
use crate::decode_vbmi;

const SHIFT: i32 = 8;
/// Rows and columns whose binary64 sums are held at a time, at most.
const BLOCK: (usize, usize) = (672, 1024);
/// Values are below this many units.
const MOST_UNITS: i64 = 1 << 24;
/// Rows and columns of a tile, and rows that share a pass over B.
const ROWS: usize = 14;
const COLS: usize = 32;
const BLOCK_M: usize = 12 * ROWS;
/// Terms between two emptyings of the 32-bit sums; fewer are not worth the packing.
const MOST_TERMS: usize = 512;
const LEAST_TERMS: usize = 256;
/// Low, low + high, high.
const PLANES: usize = 3;

/// A format's values as integers.
struct Integers {
    /// Of each code its low part, its only part, and its high part; 0 for what is not finite.
    planes: [[i16; 256]; PLANES],
    /// Exponent of a unit.
    unit: i32,
    /// Largest magnitudes of the low and of the high part, and of the values.
    largest: (i64, i64, i64),
}

impl Integers {
    /// `None` for formats whose values are too many units.
    fn new(format: &Format) -> Option<Self> {
        let values = table(format).map(|bits| f64::from(f32::from_bits(bits)));
        let values = values.map(|value| if value.is_finite() { value } else { 0.0 });
        let unit = format.lowest_exponent();
        let mut planes = [[0; 256]; PLANES];
        let mut largest = (0, 0, 1);
        for (code, value) in values.into_iter().enumerate() {
            let units = value * 2f64.powi(-unit);
            if units.abs() >= MOST_UNITS as f64 {
                return None;
            }
            let units = units as i64;
            // Whole units of the high part, where the low one would be long.
            let (low, high) = if units.abs() < 1 << 11 || units % (1 << SHIFT) != 0 {
                (units, 0)
            } else {
                (0, units >> SHIFT)
            };
            largest.0 = low.abs().max(largest.0);
            largest.1 = high.abs().max(largest.1);
            largest.2 = units.abs().max(largest.2);
            for (plane, part) in planes.iter_mut().zip([low, low + high, high]) {
                plane[code] = i16::try_from(part).ok()?;
            }
        }
        Some(Self {
            planes,
            unit,
            largest,
        })
    }
}

/// Two formats' values, and sums of their products.
pub(super) struct Kernel {
    a: Integers,
    b: Integers,
    /// How many products 32 bits add.
    terms: usize,
    block: (usize, usize),
    sums: Vec<f64>,
}

impl Kernel {
    /// `None` where the machine lacks the instructions, or the formats' products are too long.
    pub(super) fn new(formats: (&Format, &Format), shape: (usize, usize)) -> Option<Self> {
        let available = crate::Isa::Avx512.is_available()
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vnni");
        let (a, b) = available.then(|| (Integers::new(formats.0), Integers::new(formats.1)))?;
        let (a, b) = (a?, b?);
        // The middle sum may wrap, as long as what is left of it does not.
        let low = a.largest.0 * b.largest.0;
        let mixed = a.largest.0 * b.largest.1 + a.largest.1 * b.largest.0;
        let high = a.largest.1 * b.largest.1;
        let terms = i64::from(i32::MAX) / low.max(mixed).max(high).max(1);
        let terms = (terms as usize).min(MOST_TERMS) / 2 * 2;
        let block = even(shape, BLOCK, (ROWS, COLS));
        (terms >= LEAST_TERMS).then(|| Self {
            a,
            b,
            terms,
            block,
            sums: vec![0.0; block.0 * block.1],
        })
    }

    /// The finite values' products in `sums`, of any value before, exactly as long as binary64 holds
    /// their sums. Rows of `sums` are `stride` apart.
    ///
    /// # Safety
    /// `sums` is valid for the product's shape and nothing else touches it.
    unsafe fn products(
        &self,
        a: ArrayView2<'_, u8>,
        b: ArrayView2<'_, u8>,
        sums: *mut f64,
        stride: usize,
    ) {
        let (rows, terms) = a.dim();
        let cols = b.ncols();
        let pairs = self.terms.min(terms).div_ceil(2);
        let panels = cols.div_ceil(COLS);
        let plane_a = BLOCK_M * pairs;
        let plane_b = panels * COLS * pairs;
        let mut tile = [[0i32; ROWS * COLS]; PLANES];
        let mut packed_a = vec![0i32; PLANES * plane_a];
        let mut packed_b = Aligned::<i32>::any(PLANES * plane_b);
        for k0 in (0..terms).step_by(self.terms) {
            let depth = self.terms.min(terms - k0);
            let pairs = depth.div_ceil(2);
            for (plane, out) in packed_b.chunks_exact_mut(plane_b).enumerate() {
                let codes = b.slice(ndarray::s![k0..k0 + depth, ..]);
                // SAFETY: `new` saw the instructions.
                unsafe { pack_b(&self.b.planes[plane], codes, out) };
            }
            for m0 in (0..rows).step_by(BLOCK_M) {
                let height = BLOCK_M.min(rows - m0);
                let codes = a.slice(ndarray::s![m0..m0 + height, k0..k0 + depth]);
                pack_a(&self.a.planes, codes, &mut packed_a);
                for panel in 0..panels {
                    let width = COLS.min(cols - panel * COLS);
                    for m1 in (0..height).step_by(ROWS) {
                        let tile_rows = ROWS.min(height - m1);
                        for (plane, tile) in tile.iter_mut().enumerate() {
                            let a = &packed_a[plane * plane_a + m1 * pairs..][..tile_rows * pairs];
                            let b =
                                &packed_b[plane * plane_b + panel * COLS * pairs..][..COLS * pairs];
                            // SAFETY: `new` saw the instructions.
                            unsafe { run(tile_rows, a, b, tile) };
                        }
                        for row in 0..tile_rows {
                            // SAFETY: inside the product.
                            let sums = unsafe {
                                let at = (m0 + m1 + row) * stride + panel * COLS;
                                std::slice::from_raw_parts_mut(sums.add(at), width)
                            };
                            let of = |plane: usize| &tile[plane][row * COLS..][..width];
                            // SAFETY: `new` saw the instructions.
                            unsafe { self.empty(of(0), of(1), of(2), sums, k0 == 0) };
                        }
                    }
                }
            }
        }
    }

    /// Adds 32-bit sums to those in binary64, or puts the first ones there.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn empty(&self, low: &[i32], both: &[i32], high: &[i32], sums: &mut [f64], first: bool) {
        let unit = 2f64.powi(self.a.unit + self.b.unit);
        let (up, twice) = (unit * 2f64.powi(SHIFT), unit * 2f64.powi(2 * SHIFT));
        for (((sum, &low), &both), &high) in sums.iter_mut().zip(low).zip(both).zip(high) {
            let mixed = both.wrapping_sub(low).wrapping_sub(high);
            let before = if first { 0.0 } else { *sum };
            let own = f64::from(low) * unit + f64::from(mixed) * up + f64::from(high) * twice;
            *sum = before + own;
        }
    }
}

impl Products for Kernel {
    fn block(&self) -> (usize, usize) {
        self.block
    }

    fn depth(&self) -> usize {
        // Each is less than 2^48 units.
        const ALL: i64 = 1 << f64::MANTISSA_DIGITS;
        (ALL / (self.a.largest.2 * self.b.largest.2)) as usize
    }

    fn multiply(&mut self, a: ArrayView2<'_, u8>, b: ArrayView2<'_, u8>) {
        let mut sums = std::mem::take(&mut self.sums);
        if a.ncols() == 0 {
            sums.fill(0.0);
        }
        assert!(a.nrows() <= self.block.0 && b.ncols() <= self.block.1);
        // SAFETY: room for the block.
        unsafe { self.products(a, b, sums.as_mut_ptr(), self.block.1) };
        self.sums = sums;
    }

    fn row(&mut self, m: usize, width: usize) -> Vec<&[f64]> {
        vec![&self.sums[m * self.block.1..][..width]]
    }
}

/// Panels of rows: for each plane, for each panel, for each two terms, its rows' pairs next to each other.
fn pack_a(planes: &[[i16; 256]; PLANES], codes: ArrayView2<'_, u8>, out: &mut [i32]) {
    let (rows, depth) = codes.dim();
    let pairs = depth.div_ceil(2);
    let values: [[i16; PLANES]; 256] = std::array::from_fn(|code| planes.map(|plane| plane[code]));
    let plane = out.len() / PLANES;
    let (low, rest) = out.split_at_mut(plane);
    let (both, high) = rest.split_at_mut(plane);
    for (m, row) in codes.rows().into_iter().enumerate() {
        let first = m / ROWS * ROWS;
        let height = ROWS.min(rows - first);
        let panel = |plane| -> &mut [i32] {
            let plane: &mut [i32] = plane;
            &mut plane[first * pairs..][..height * pairs]
        };
        let panels = [&mut *low, &mut *both, &mut *high].map(panel);
        let [low, both, high] = panels.map(|panel| panel.chunks_exact_mut(height));
        let mut row = row.iter().map(|&code| values[usize::from(code)]);
        for ((low, both), high) in low.zip(both).zip(high) {
            let even = row.next().unwrap_or_default();
            let odd = row.next().unwrap_or_default();
            low[m - first] = join(even[0], odd[0]);
            both[m - first] = join(even[1], odd[1]);
            high[m - first] = join(even[2], odd[2]);
        }
    }
}

fn join(even: i16, odd: i16) -> i32 {
    i32::from(odd) << 16 | i32::from(even.cast_unsigned())
}

/// Panels of columns: for each panel, for each two terms, its columns' pairs next to each other.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
fn pack_b(values: &[i16; 256], codes: ArrayView2<'_, u8>, out: &mut [i32]) {
    let (depth, cols) = codes.dim();
    let pairs = depth.div_ceil(2);
    let contiguous = cols == 1 || codes.strides()[1] == 1;
    let (start, row_stride) = (codes.as_ptr(), codes.strides()[0]);
    let lower = decode_vbmi::quarters(&values.map(|value| value as u8));
    let upper = decode_vbmi::quarters(&values.map(|value| (value >> 8) as u8));
    // A column's pair is its lower and upper byte of the even term, then of the odd one.
    let places = [0, 16].map(|first: u8| {
        let bytes: [u8; 64] =
            std::array::from_fn(|i| first + (i / 4) as u8 + [0, 64, 32, 96][i % 4]);
        // SAFETY: 64 bytes.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    });
    for (panel, out) in out
        .chunks_exact_mut(COLS * pairs)
        .enumerate()
        .take(cols.div_ceil(COLS))
    {
        let first = panel * COLS;
        let width = COLS.min(cols - first);
        for (pair, out) in out.chunks_exact_mut(COLS).enumerate() {
            // Columns that are not there hold code 0; their sums are never stored.
            let half = |term: usize| {
                if term >= depth {
                    return _mm256_setzero_si256();
                }
                if contiguous {
                    let mask = u32::MAX >> (COLS - width);
                    // SAFETY: masked to the row's columns.
                    return unsafe {
                        let row = start.offset(row_stride * term as isize).add(first);
                        _mm256_maskz_loadu_epi8(mask, row.cast())
                    };
                }
                let mut row = [0u8; COLS];
                for (to, &code) in row.iter_mut().zip(codes.row(term).iter().skip(first)) {
                    *to = code;
                }
                // SAFETY: 32 codes.
                unsafe { _mm256_loadu_si256(row.as_ptr().cast()) }
            };
            let even = _mm512_castsi256_si512(half(2 * pair));
            let both = _mm512_inserti64x4::<1>(even, half(2 * pair + 1));
            // The odd term that an odd depth lacks is 0, which a code need not be.
            let there = if 2 * pair + 1 < depth {
                u64::MAX
            } else {
                u64::MAX >> COLS
            };
            let [lower, upper] = [&lower, &upper]
                .map(|table| _mm512_maskz_mov_epi8(there, decode_vbmi::look_up(table, both)));
            for (i, &places) in places.iter().enumerate() {
                let values = _mm512_permutex2var_epi8(lower, places, upper);
                // SAFETY: half of 32 pairs.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(16 * i).cast(), values) };
            }
        }
    }
}

/// The sums of a tile's pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn run(rows: usize, a: &[i32], b: &[i32], sums: &mut [i32; ROWS * COLS]) {
    match rows {
        1 => tile::<1>(a, b, sums),
        2 => tile::<2>(a, b, sums),
        3 => tile::<3>(a, b, sums),
        4 => tile::<4>(a, b, sums),
        5 => tile::<5>(a, b, sums),
        6 => tile::<6>(a, b, sums),
        7 => tile::<7>(a, b, sums),
        8 => tile::<8>(a, b, sums),
        9 => tile::<9>(a, b, sums),
        10 => tile::<10>(a, b, sums),
        11 => tile::<11>(a, b, sums),
        12 => tile::<12>(a, b, sums),
        13 => tile::<13>(a, b, sums),
        14 => tile::<14>(a, b, sums),
        rows => unreachable!("a tile of {rows} rows"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn tile<const COUNT: usize>(a: &[i32], b: &[i32], sums: &mut [i32; ROWS * COLS]) {
    let mut registers = [[_mm512_setzero_si512(); 2]; COUNT];
    for (a, b) in a.as_chunks::<COUNT>().0.iter().zip(b.as_chunks::<COLS>().0) {
        // SAFETY: 32 pairs.
        let b = unsafe {
            [
                _mm512_loadu_si512(b.as_ptr().cast()),
                _mm512_loadu_si512(b.as_ptr().add(16).cast()),
            ]
        };
        for (registers, &a) in registers.iter_mut().zip(a) {
            let a = _mm512_set1_epi32(a);
            for (register, b) in registers.iter_mut().zip(b) {
                *register = _mm512_dpwssd_epi32(*register, a, b);
            }
        }
    }
    for (registers, sums) in registers.iter().zip(sums.as_chunks_mut::<COLS>().0) {
        for (register, sums) in registers.iter().zip(sums.as_chunks_mut::<16>().0) {
            // SAFETY: 16 sums.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *register) };
        }
    }
}
