//! 32 columns of some rows at once, for finite operands.
//!
//! With M the largest exponent of a row and a column, a product in units of `2^(M-F)` is the
//! binary32 number `a * (b * 2^(F-M))`: exact, unless it is far below one unit. Its conversion to an
//! integer truncates toward zero, and 32-bit integers add the terms exactly. [`finish`] makes a
//! binary32 number of the sum.

use std::arch::x86_64::*;

use ndarray::s;
use quaver_contract::accumulator::{Addend, Dot, Groups};

use super::finish::{self, Sum};
use super::{Operand, Slab, ZERO, narrow};
use crate::Isa;
use crate::aligned::Aligned;
use crate::decode::Decoder;

/// Columns of a chunk.
const COLS: usize = 32;
/// Rows that are decoded at a time: B is decoded once for so many.
const BLOCK_ROWS: usize = 256;
/// Terms of K that are decoded at a time, cut to whole blocks of lanes.
const BLOCK_K: usize = 512;
/// Least sum of two exponents that are not zero's.
const LEAST: i32 = -64;

/// Products that a 32-bit sum holds, each below `2^(F+2)` units, and the addend below `2^(F+1)`.
fn capacity(dot: &Dot) -> usize {
    let addend = u32::from(dot.addend == Addend::Early) << (dot.fraction_bits + 1);
    (((1 << 31) - addend) >> (dot.fraction_bits + 2)) as usize
}

/// What the kernel knows of a slab's products.
struct Plan<'a> {
    dot: &'a Dot,
    /// Products of a group that are added in 32 bits before the sum moves on.
    capacity: usize,
    /// Exponent field of the most units that a number is, `2^(F-M)`: where there are no products
    /// and M is less, more units could take a value of B beyond binary32.
    finest: i32,
}

impl<'a> Plan<'a> {
    /// `None` for what the kernel cannot do: sums too long for 32 bits in parts, exponents for 8.
    fn new(dot: &'a Dot, slab: &Slab<'_>) -> Option<Self> {
        let exponents = |operands: &[Operand; 256]| {
            let all = || operands.iter().map(|o| o.exponent).filter(|&e| e != ZERO);
            (all().min().unwrap_or(0), all().max().unwrap_or(0))
        };
        let (least_a, largest_a) = exponents(slab.table_a);
        let (least_b, largest_b) = exponents(slab.table_b);
        let (least, largest) = (least_a.min(least_b), largest_a.max(largest_b));
        let fraction_bits = dot.fraction_bits.cast_signed();
        if fraction_bits > 27 || least < -32 || largest > 60 {
            return None;
        }
        let power = fraction_bits - (least_a + least_b);
        // Both groups' sums are added in 32 bits.
        let groups_fit = dot.groups == Groups::One || dot.lanes <= capacity(dot);
        (power.max(power + largest_b) < 126 && groups_fit).then(|| Self {
            dot,
            capacity: capacity(dot),
            finest: power.max(0) + 127,
        })
    }
}

/// A's block: for each block of lanes, rows of values and of exponents.
struct PackedA {
    values: Vec<f32>,
    exponents: Vec<i8>,
}

impl PackedA {
    /// Where term `k` of row `m` is, in a block of that height and depth.
    fn place(lanes: usize, (height, depth): (usize, usize), m: usize, k: usize) -> usize {
        let first = k / lanes * lanes;
        first * height + m * lanes.min(depth - first) + k - first
    }
}

/// B's chunk: for each k, 32 values and 32 exponents.
struct PackedB {
    values: Aligned<f32>,
    exponents: Vec<[i8; COLS]>,
}

/// See [`super::run`]. `false` for what the kernel cannot do, and nothing was done.
///
/// # Safety
/// As [`super::run`]; the machine has AVX-512 F, BW, DQ and VL.
pub(super) unsafe fn run(dot: &Dot, slab: &Slab<'_>, sums: *mut f32, stride: usize) -> bool {
    let Some(plan) = Plan::new(dot, slab) else {
        return false;
    };
    let (rows, terms) = slab.a.dim();
    let cols = slab.b.ncols();
    let block_k = BLOCK_K / dot.lanes * dot.lanes;
    let depth_limit = block_k.min(terms);
    let mut a = PackedA {
        values: vec![0.0; BLOCK_ROWS * depth_limit],
        exponents: vec![0; BLOCK_ROWS * depth_limit],
    };
    let decoder_b = Decoder::from_values(slab.table_b.map(|operand| operand.value as f32));
    let exponents_b = slab.table_b.map(|operand| narrow(operand.exponent));
    let mut b = PackedB {
        values: Aligned::any(COLS * dot.lanes),
        exponents: vec![[0; COLS]; dot.lanes],
    };
    for m0 in (0..rows).step_by(BLOCK_ROWS) {
        let height = BLOCK_ROWS.min(rows - m0);
        for k0 in (0..terms).step_by(block_k) {
            let depth = block_k.min(terms - k0);
            for m in 0..height {
                let codes = slab.a.slice(s![m0 + m, k0..k0 + depth]);
                for (k, &code) in codes.iter().enumerate() {
                    let operand = slab.table_a[usize::from(code)];
                    let at = PackedA::place(dot.lanes, (height, depth), m, k);
                    a.values[at] = operand.value as f32;
                    a.exponents[at] = narrow(operand.exponent);
                }
            }
            for n0 in (0..cols).step_by(COLS) {
                let width = COLS.min(cols - n0);
                for k1 in (0..depth).step_by(dot.lanes) {
                    let lanes = dot.lanes.min(depth - k1);
                    for k in 0..lanes {
                        // Unused columns hold code 0; their sums are never stored.
                        let mut codes = [0; COLS];
                        let row = slab.b.slice(s![k0 + k1 + k, n0..n0 + width]);
                        match row.as_slice() {
                            Some(row) => codes[..width].copy_from_slice(row),
                            None => {
                                for (code, &b) in codes.iter_mut().zip(row) {
                                    *code = b;
                                }
                            }
                        }
                        let values = &mut b.values[k * COLS..][..COLS];
                        decoder_b.chunks(Isa::Avx512, &[codes], values, COLS);
                        for (exponent, code) in b.exponents[k].iter_mut().zip(codes) {
                            *exponent = exponents_b[usize::from(code)];
                        }
                    }
                    let place = Place {
                        // SAFETY: inside the slab.
                        sums: unsafe { sums.add(m0 * stride + n0) },
                        stride,
                        mask: u32::MAX >> (COLS - width),
                    };
                    // SAFETY: the packed block holds the rows' terms; the sums are inside the slab
                    // and masked to its width.
                    unsafe {
                        match dot.groups {
                            Groups::One => {
                                chunk::<1>(&plan, &a, (depth, k1, lanes), height, &b, &place)
                            }
                            Groups::EvenOdd => {
                                chunk::<2>(&plan, &a, (depth, k1, lanes), height, &b, &place);
                            }
                        }
                    }
                }
            }
        }
    }
    true
}

/// Where a chunk's sums are.
struct Place {
    sums: *mut f32,
    stride: usize,
    /// The columns that there are.
    mask: u32,
}

/// One block of all rows.
///
/// # Safety
/// `place` is valid for `height` rows. The machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn chunk<const GROUPS: usize>(
    plan: &Plan<'_>,
    a: &PackedA,
    (depth, first, lanes): (usize, usize, usize),
    height: usize,
    b: &PackedB,
    place: &Place,
) {
    let row = |m: usize| {
        let at = PackedA::place(plan.dot.lanes, (height, depth), m, first);
        Row {
            values: &a.values[at..at + lanes],
            exponents: &a.exponents[at..at + lanes],
            // SAFETY: inside the chunk.
            sums: unsafe { place.sums.add(m * place.stride) },
        }
    };
    let mut m = 0;
    // SAFETY: the caller's promise.
    unsafe {
        // As many rows as the registers hold.
        if GROUPS == 1 {
            while m + 4 <= height {
                let rows = [row(m), row(m + 1), row(m + 2), row(m + 3)];
                block::<4, GROUPS>(plan, rows, b, place.mask);
                m += 4;
            }
        }
        while m + 2 <= height {
            block::<2, GROUPS>(plan, [row(m), row(m + 1)], b, place.mask);
            m += 2;
        }
        if m < height {
            block::<1, GROUPS>(plan, [row(m)], b, place.mask);
        }
    }
}

/// A row's terms of one block, and its sums.
#[derive(Clone, Copy)]
struct Row<'a> {
    values: &'a [f32],
    exponents: &'a [i8],
    sums: *mut f32,
}

/// One block of some rows.
///
/// # Safety
/// The rows' sums are valid where `mask` is set. The machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn block<const ROWS: usize, const GROUPS: usize>(
    plan: &Plan<'_>,
    rows: [Row<'_>; ROWS],
    b: &PackedB,
    mask: u32,
) {
    let dot = plan.dot;
    let lanes = rows[0].values.len();
    let early = dot.addend == Addend::Early;
    let halves = [mask as u16, (mask >> 16) as u16];

    // The largest exponent of each column.
    let mut largest = [[_mm256_set1_epi8(i8::MIN); GROUPS]; ROWS];
    let exponents_b = &b.exponents[..lanes];
    let mut see = |k: usize, group: usize| {
        // SAFETY: a row is 32 bytes, and there are as many as lanes.
        let of_b = unsafe { _mm256_loadu_si256(exponents_b.as_ptr().add(k).cast()) };
        for (row, largest) in rows.iter().zip(&mut largest) {
            // SAFETY: a row has as many exponents as lanes.
            let of_a = unsafe { *row.exponents.as_ptr().add(k) };
            let sum = _mm256_adds_epi8(_mm256_set1_epi8(of_a), of_b);
            largest[group] = _mm256_max_epi8(largest[group], sum);
        }
    };
    for k in (0..lanes - lanes % GROUPS).step_by(GROUPS) {
        for group in 0..GROUPS {
            see(k + group, group);
        }
    }
    if lanes % GROUPS == 1 {
        see(lanes - 1, 0);
    }

    let floor = _mm512_set1_epi32(dot.exponent_floor);
    let finest = _mm512_set1_epi32(plan.finest);
    let to_power = _mm512_set1_epi32(dot.fraction_bits.cast_signed());
    let mut before = [[_mm512_setzero_ps(); 2]; ROWS];
    let mut exponents = [[[floor; 2]; GROUPS]; ROWS];
    let mut scales = [[[_mm512_setzero_ps(); 2]; GROUPS]; ROWS];
    let mut units = [[[_mm512_setzero_si512(); 2]; GROUPS]; ROWS];
    for row in 0..ROWS {
        for j in 0..2 {
            // SAFETY: masked.
            let sum =
                unsafe { _mm512_maskz_loadu_ps(halves[j], rows[row].sums.wrapping_add(16 * j)) };
            let sum = if dot.flush_subnormals {
                finish::flush(sum)
            } else {
                sum
            };
            before[row][j] = sum;
            for group in 0..GROUPS {
                let narrow = largest[row][group];
                let narrow = match j {
                    0 => _mm256_castsi256_si128(narrow),
                    _ => _mm256_extracti128_si256::<1>(narrow),
                };
                let exponent = _mm512_cvtepi8_epi32(narrow);
                let some = _mm512_cmpge_epi32_mask(exponent, _mm512_set1_epi32(LEAST));
                let mut exponent = _mm512_mask_max_epi32(floor, some, exponent, floor);
                if early {
                    // Where it is +0, and its field's exponent is the largest, all terms are zeros.
                    exponent = _mm512_max_epi32(exponent, finish::exponent(sum));
                }
                exponents[row][group][j] = exponent;
                // 2^(F-M).
                let power = _mm512_sub_epi32(to_power, exponent);
                let field = _mm512_add_epi32(power, _mm512_set1_epi32(127));
                let field = _mm512_min_epi32(field, finest);
                scales[row][group][j] = _mm512_castsi512_ps(_mm512_slli_epi32::<23>(field));
                if early {
                    let term = _mm512_scalef_ps(sum, _mm512_cvtepi32_ps(power));
                    units[row][group][j] = _mm512_cvttps_epi32(term);
                }
            }
        }
    }

    let capacity = plan.capacity;
    let mut totals = [[Sum::zero(); 2]; ROWS];
    let mut first = 0;
    loop {
        let last = lanes.min(first + capacity);
        let mut add = |k: usize, group: usize| {
            // SAFETY: there are 32 values for each of the lanes.
            let of_b = unsafe {
                let values = b.values.as_ptr().add(k * COLS);
                [_mm512_loadu_ps(values), _mm512_loadu_ps(values.add(16))]
            };
            for row in 0..ROWS {
                // SAFETY: a row has as many values as lanes.
                let of_a = _mm512_set1_ps(unsafe { *rows[row].values.as_ptr().add(k) });
                for j in 0..2 {
                    let scaled = _mm512_mul_ps(of_b[j], scales[row][group][j]);
                    let term = _mm512_cvttps_epi32(_mm512_mul_ps(of_a, scaled));
                    units[row][group][j] = _mm512_add_epi32(units[row][group][j], term);
                }
            }
        };
        let odd = (last - first) % GROUPS;
        for k in (first..last - odd).step_by(GROUPS) {
            for group in 0..GROUPS {
                add(k + group, group);
            }
        }
        if odd == 1 {
            add(last - 1, 0);
        }
        first = last;
        if first >= lanes {
            break;
        }
        for row in 0..ROWS {
            for j in 0..2 {
                totals[row][j].add(units[row][0][j]);
                units[row][0][j] = _mm512_setzero_si512();
            }
        }
    }

    let short = lanes <= capacity && finish::is_short(dot);
    for row in 0..ROWS {
        for j in 0..2 {
            let before = before[row][j];
            let (units, exponent) = match GROUPS {
                1 => (units[row][0][j], exponents[row][0][j]),
                _ => finish::floored_sum(
                    (units[row][0][j], exponents[row][0][j]),
                    (units[row][GROUPS - 1][j], exponents[row][GROUPS - 1][j]),
                ),
            };
            let result = if short {
                finish::short(dot, units, exponent, before)
            } else {
                let mut sum = totals[row][j];
                sum.add(units);
                finish::wide(dot, &sum, exponent, before)
            };
            // SAFETY: masked.
            unsafe {
                let sums = rows[row].sums.wrapping_add(16 * j);
                _mm512_mask_storeu_ps(sums, halves[j], result);
            }
        }
    }
}
