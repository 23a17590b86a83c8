//! 32 columns of some rows at once, for finite operands.
//!
//! With M the largest exponent of a row and a column, a product in units of `2^(M-F)` is the
//! binary32 number `a * (b * 2^(F-M))`: exact, unless it is far below one unit. Its conversion to an
//! integer truncates toward zero, and 32-bit integers add the terms exactly. [`finish`] makes a
//! binary32 number of the sum.

use std::arch::x86_64::*;

use ndarray::{ArrayView2, s};
use quaver_contract::accumulator::{Addend, Dot, Groups};

use super::finish::{self, Sum};
use super::{COLS, Operand, Slab, ZERO, gather, narrow, read, write};
use crate::Isa;
use crate::aligned::Aligned;
use crate::decode::{self, Decoder};
use crate::scaled::Rows;

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
    /// Whether 32 bits hold all sums, which are then truncated.
    short: bool,
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
            short: dot.lanes <= capacity(dot) && finish::is_short(dot),
            finest: power.max(0) + 127,
        })
    }
}

/// A's block: for each block of lanes, rows of values and of exponents.
struct PackedA {
    values: Vec<f32>,
    /// Each four times.
    exponents: Vec<u32>,
}

impl PackedA {
    /// Packs rows of codes.
    fn fill(&mut self, table: &[(f32, u32); 256], codes: ArrayView2<'_, u8>, lanes: usize) {
        let (height, depth) = codes.dim();
        for first in (0..depth).step_by(lanes) {
            let block = first..depth.min(first + lanes);
            for m in 0..height {
                let at = Self::place(lanes, (height, depth), m, first);
                let values = &mut self.values[at..][..block.len()];
                let exponents = &mut self.exponents[at..][..block.len()];
                let codes = codes.slice(s![m, block.clone()]);
                for ((value, exponent), &code) in values.iter_mut().zip(exponents).zip(codes) {
                    (*value, *exponent) = table[usize::from(code)];
                }
            }
        }
    }

    /// Where term `k` of row `m` is, in a block of that height and depth.
    fn place(lanes: usize, (height, depth): (usize, usize), m: usize, k: usize) -> usize {
        let first = k / lanes * lanes;
        first * height + m * lanes.min(depth - first) + k - first
    }
}

/// B's chunk: for each k, 32 values and 32 exponents.
struct PackedB {
    values: Aligned<f32>,
    exponents: Vec<[u8; COLS]>,
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
    let table_a = slab.table_a.map(|operand| {
        let exponent = u32::from(narrow(operand.exponent).cast_unsigned());
        (operand.value as f32, exponent * 0x0101_0101)
    });
    let decoder_b = Decoder::from_values(slab.table_b.map(|operand| operand.value as f32));
    let exponents_b = slab
        .table_b
        .map(|operand| narrow(operand.exponent).cast_unsigned());
    let mut b = PackedB {
        values: Aligned::any(COLS * dot.lanes),
        exponents: vec![[0; COLS]; dot.lanes],
    };
    let mut codes = Vec::new();
    let mut tile = vec![[0f32; COLS]; BLOCK_ROWS];
    for m0 in (0..rows).step_by(BLOCK_ROWS) {
        let height = BLOCK_ROWS.min(rows - m0);
        for k0 in (0..terms).step_by(block_k) {
            let depth = block_k.min(terms - k0);
            a.fill(
                &table_a,
                slab.a.slice(s![m0..m0 + height, k0..k0 + depth]),
                dot.lanes,
            );
            for n0 in (0..cols).step_by(COLS) {
                let width = COLS.min(cols - n0);
                // SAFETY: inside the slab, and nothing else refers to it meanwhile.
                let columns = unsafe { Rows::new(sums.add(m0 * stride + n0), stride) };
                read(&columns, width, &mut tile[..height]);
                for k1 in (0..depth).step_by(dot.lanes) {
                    let lanes = dot.lanes.min(depth - k1);
                    let terms = k0 + k1..k0 + k1 + lanes;
                    gather(slab.b.slice(s![terms, n0..n0 + width]), &mut codes);
                    decoder_b.chunks(Isa::Avx512, &codes, &mut b.values, COLS);
                    decode::bytes(&exponents_b, &codes, &mut b.exponents);
                    let tile = &mut tile[..height];
                    // SAFETY: the packed block holds the rows' terms; the caller has seen the
                    // instructions.
                    unsafe {
                        let place = (depth, k1, lanes);
                        match (dot.groups, plan.short) {
                            (Groups::One, true) => chunk::<1, true>(&plan, &a, place, &b, tile),
                            (Groups::One, _) => chunk::<1, false>(&plan, &a, place, &b, tile),
                            (Groups::EvenOdd, _) => chunk::<2, false>(&plan, &a, place, &b, tile),
                        }
                    }
                }
                write(&columns, width, &tile[..height]);
            }
        }
    }
    true
}

/// One block of all rows.
///
/// # Safety
/// `a` holds the block of as many rows. The machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn chunk<const GROUPS: usize, const SHORT: bool>(
    plan: &Plan<'_>,
    a: &PackedA,
    (depth, first, lanes): (usize, usize, usize),
    b: &PackedB,
    tile: &mut [[f32; COLS]],
) {
    let height = tile.len();
    let row = |m: usize| {
        let at = PackedA::place(plan.dot.lanes, (height, depth), m, first);
        Row {
            values: &a.values[at..at + lanes],
            exponents: &a.exponents[at..at + lanes],
        }
    };
    let mut m = 0;
    // As many rows as the registers hold.
    let mut rest = tile;
    if GROUPS == 1 {
        let (tiles, left) = rest.as_chunks_mut();
        for tile in tiles {
            block::<4, GROUPS, SHORT>(plan, [row(m), row(m + 1), row(m + 2), row(m + 3)], b, tile);
            m += 4;
        }
        rest = left;
    }
    let (tiles, rest) = rest.as_chunks_mut();
    for tile in tiles {
        block::<2, GROUPS, SHORT>(plan, [row(m), row(m + 1)], b, tile);
        m += 2;
    }
    for tile in rest.as_chunks_mut().0 {
        block::<1, GROUPS, SHORT>(plan, [row(m)], b, tile);
        m += 1;
    }
}

/// A row's terms of one block.
#[derive(Clone, Copy)]
struct Row<'a> {
    values: &'a [f32],
    exponents: &'a [u32],
}

/// One block of some rows, added to their sums. `SHORT`: see [`Plan::short`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn block<const ROWS: usize, const GROUPS: usize, const SHORT: bool>(
    plan: &Plan<'_>,
    rows: [Row<'_>; ROWS],
    b: &PackedB,
    tile: &mut [[f32; COLS]; ROWS],
) {
    let dot = plan.dot;
    let lanes = rows[0].values.len();
    let early = dot.addend == Addend::Early;

    // The largest exponent of each column.
    let mut largest = [[_mm256_set1_epi8(i8::MIN); GROUPS]; ROWS];
    let exponents_b = &b.exponents[..lanes];
    let mut see = |k: usize, group: usize| {
        // SAFETY: a row is 32 bytes, and there are as many as lanes.
        let of_b = unsafe { _mm256_loadu_si256(exponents_b.as_ptr().add(k).cast()) };
        for (row, largest) in rows.iter().zip(&mut largest) {
            // SAFETY: a row has as many exponents as lanes.
            let of_a = unsafe { *row.exponents.as_ptr().add(k) };
            let of_a = _mm256_set1_epi32(of_a.cast_signed());
            let sum = _mm256_adds_epi8(of_a, of_b);
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
    unrolled!(row in [0 1 2 3] => if row < ROWS {
        unrolled!(j in [0 1] => {
            // SAFETY: 16 sums.
            let sum = unsafe { _mm512_loadu_ps(tile[row].as_ptr().add(16 * j)) };
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
        });
    });

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
            unrolled!(row in [0 1 2 3] => if row < ROWS {
                // SAFETY: a row has as many values as lanes.
                let of_a = _mm512_set1_ps(unsafe { *rows[row].values.as_ptr().add(k) });
                unrolled!(j in [0 1] => {
                    let scaled = _mm512_mul_ps(of_b[j], scales[row][group][j]);
                    let term = _mm512_cvttps_epi32(_mm512_mul_ps(of_a, scaled));
                    units[row][group][j] = _mm512_add_epi32(units[row][group][j], term);
                });
            });
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
        if SHORT || first >= lanes {
            break;
        }
        for row in 0..ROWS {
            for j in 0..2 {
                totals[row][j].add(units[row][0][j]);
                units[row][0][j] = _mm512_setzero_si512();
            }
        }
    }

    unrolled!(row in [0 1 2 3] => if row < ROWS {
        unrolled!(j in [0 1] => {
            let before = before[row][j];
            let (units, exponent) = match GROUPS {
                1 => (units[row][0][j], exponents[row][0][j]),
                _ => finish::floored_sum(
                    (units[row][0][j], exponents[row][0][j]),
                    (units[row][GROUPS - 1][j], exponents[row][GROUPS - 1][j]),
                ),
            };
            let result = if SHORT {
                finish::short(dot, units, exponent, before)
            } else {
                let mut sum = totals[row][j];
                sum.add(units);
                finish::wide(dot, &sum, exponent, before)
            };
            // SAFETY: 16 sums.
            unsafe { _mm512_storeu_ps(tile[row].as_mut_ptr().add(16 * j), result) };
        });
    });
}
