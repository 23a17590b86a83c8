//! Blocks whose terms add up within the fraction of a binary32 number, as Ada's and Hopper's do: 32 columns
//! of eight rows at once.
//!
//! A sum of terms in units of `2^(M-F)` starts at `1.5 * 2^23` such units, whose last place is one unit, and
//! stays in that binade. A fused multiply-add that rounds down then adds a positive product truncated toward
//! zero, and one that rounds up a negative product, whatever its exponent is: two instructions a product, which
//! take the positive and the negative numbers of B and find zeros for the others. Where A is negative, the
//! sum's sign is turned instead of A's, so that both keep their direction.

use std::arch::x86_64::*;

use ndarray::{ArrayView2, s};
use quaver_contract::accumulator::{Addend, Dot, DotOutput, Groups};

use super::{COLS, Operand, Slab, ZERO, gather, narrow, read, scalar, write};
use crate::Isa;
use crate::aligned::Aligned;
use crate::decode::{self, Decoder};
use crate::scaled::Rows;

/// Rows that are summed at once.
const ROWS: usize = 8;
/// Rows that are packed at a time: B is packed once for so many.
const BLOCK_ROWS: usize = 256;
/// Terms of K that are packed at a time, cut to whole blocks of lanes.
const BLOCK_K: usize = 256;
/// Least sum of two exponents that are not zero's.
const LEAST: i32 = -64;

const DOWN: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
const UP: i32 = _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC;

/// Whether the sums fit: 2^22 units to either side, and exponents of 8 bits.
fn fits(dot: &Dot, slab: &Slab<'_>) -> bool {
    // Products are below 2^(F+2) units, the addend below 2^(F+1).
    let units = (dot.lanes as u64 + 1) << (dot.fraction_bits + 2).min(32);
    let exponents = [slab.table_a, slab.table_b].into_iter().flatten();
    let narrow =
        |operand: &Operand| operand.exponent == ZERO || (-32..=50).contains(&operand.exponent);
    let Dot {
        groups: Groups::One,
        addend: Addend::Early,
        output: DotOutput::Truncate(_),
        flush_subnormals: false,
        ..
    } = dot
    else {
        return false;
    };
    units < 1 << 22 && { exponents }.all(narrow)
}

/// A's block: for each block of lanes and each eight rows, term by term.
struct PackedA {
    magnitudes: Vec<[f32; ROWS]>,
    /// The sign bit where a term's sign is another than the one before had.
    turns: Vec<[u32; ROWS]>,
    /// Exponents of two rows in a word, each four times.
    exponents: Vec<[u64; ROWS / 2]>,
}

/// What a code of A is packed as.
#[derive(Clone, Copy, Default)]
struct CodeOfA {
    magnitude: f32,
    negative: bool,
    exponent: u64,
}

impl PackedA {
    fn new(terms: usize) -> Self {
        let len = BLOCK_ROWS / ROWS * terms;
        Self {
            magnitudes: vec![[0.0; ROWS]; len],
            turns: vec![[0; ROWS]; len],
            exponents: vec![[0; ROWS / 2]; len],
        }
    }

    /// Where the terms of eight rows in a block of lanes begin.
    fn place(groups: usize, depth: usize, (first, lanes): (usize, usize), group: usize) -> usize {
        first * groups + group * lanes.min(depth - first)
    }

    /// Packs rows of codes; rows that eight lack have zeros.
    fn fill(&mut self, table: &[CodeOfA; 256], codes: ArrayView2<'_, u8>, lanes: usize) {
        let (height, depth) = codes.dim();
        let groups = height.div_ceil(ROWS);
        let zero = u64::from(narrow(ZERO).cast_unsigned()) * 0x0101_0101;
        for first in (0..depth).step_by(lanes) {
            let last = depth.min(first + lanes);
            for group in 0..groups {
                let at = Self::place(groups, depth, (first, lanes), group);
                let terms = at..at + last - first;
                let magnitudes = &mut self.magnitudes[terms.clone()];
                let turns = &mut self.turns[terms.clone()];
                let exponents = &mut self.exponents[terms];
                for row in 0..ROWS {
                    let shift = 32 * (row % 2);
                    let m = group * ROWS + row;
                    let mut negative = false;
                    let codes = (m < height).then(|| codes.slice_move(s![m, first..last]));
                    for k in 0..last - first {
                        let code = codes.map_or_else(
                            || CodeOfA {
                                exponent: zero,
                                ..CodeOfA::default()
                            },
                            |codes| table[usize::from(codes[k])],
                        );
                        magnitudes[k][row] = code.magnitude;
                        turns[k][row] = u32::from(code.negative != negative) << 31;
                        negative = code.negative;
                        let word = &mut exponents[k][row / 2];
                        *word = if shift == 0 {
                            code.exponent
                        } else {
                            *word | code.exponent << 32
                        };
                    }
                }
            }
        }
    }
}

/// B's chunk, for each term: the positive numbers of 32 columns, the negative ones, and exponents, four
/// columns' twice, for two rows.
struct PackedB {
    positive: Aligned<f32>,
    negative: Aligned<f32>,
    exponents: Aligned<i32>,
    /// Of the positive and of the negative numbers.
    decoders: [Decoder; 2],
    /// Each code's exponent.
    table: [u8; 256],
    codes: Vec<[u8; COLS]>,
    bytes: Vec<[u8; COLS]>,
}

/// See [`super::run`]. `false` for what this cannot do, and nothing was done.
///
/// # Safety
/// As [`super::run`]; the machine has AVX-512 F, BW, DQ and VL.
pub(super) unsafe fn run(dot: &Dot, slab: &Slab<'_>, sums: *mut f32, stride: usize) -> bool {
    if !fits(dot, slab) {
        return false;
    }
    let (rows, terms) = slab.a.dim();
    let cols = slab.b.ncols();
    let block_k = (BLOCK_K / dot.lanes).max(1) * dot.lanes;
    let mut a = PackedA::new(block_k.min(terms));
    let table_a = slab.table_a.map(|operand| CodeOfA {
        magnitude: operand.value.abs() as f32,
        negative: operand.value < 0.0,
        exponent: u64::from(narrow(operand.exponent).cast_unsigned()) * 0x0101_0101,
    });
    let mut b = PackedB::new(slab, dot.lanes);
    let mut tile = vec![[0f32; COLS]; BLOCK_ROWS];
    for m0 in (0..rows).step_by(BLOCK_ROWS) {
        let height = BLOCK_ROWS.min(rows - m0);
        let groups = height.div_ceil(ROWS);
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
                    let first = k0 + k1;
                    let codes = slab.b.slice(s![first..first + lanes, n0..n0 + width]);
                    b.fill(codes);
                    for (group, tile) in tile.as_chunks_mut().0.iter_mut().enumerate().take(groups)
                    {
                        let at = PackedA::place(groups, depth, (k1, dot.lanes), group);
                        let block = Block {
                            dot,
                            magnitudes: &a.magnitudes[at..at + lanes],
                            turns: &a.turns[at..at + lanes],
                            exponents: &a.exponents[at..at + lanes],
                            b: &b,
                        };
                        // SAFETY: the caller has seen the instructions.
                        let left = unsafe { block.run(tile) };
                        if left == [0; ROWS] {
                            continue;
                        }
                        for (row, left) in left.into_iter().enumerate() {
                            let m = group * ROWS + row;
                            for col in (0..width).filter(|col| m < height && left >> col & 1 == 1) {
                                let codes = slab.a.row(m0 + m);
                                let codes = codes.iter().zip(slab.b.column(n0 + col));
                                let terms = codes.skip(first).take(lanes).map(|(&a, &b)| {
                                    (slab.table_a[usize::from(a)], slab.table_b[usize::from(b)])
                                });
                                let terms: Vec<_> = terms.collect();
                                tile[row][col] = scalar::block(dot, tile[row][col], &terms);
                            }
                        }
                    }
                }
                write(&columns, width, &tile[..height]);
            }
        }
    }
    true
}

impl PackedB {
    fn new(slab: &Slab<'_>, lanes: usize) -> Self {
        let decoder = |keep: fn(f64) -> bool| {
            // A NaN goes nowhere: nobody keeps its sum.
            let value = |operand: Operand| {
                if keep(operand.value) {
                    operand.value
                } else {
                    0.0
                }
            };
            Decoder::from_values(slab.table_b.map(|operand| value(operand) as f32))
        };
        Self {
            decoders: [decoder(|value| value > 0.0), decoder(|value| value < 0.0)],
            table: slab
                .table_b
                .map(|operand| narrow(operand.exponent).cast_unsigned()),
            codes: Vec::new(),
            bytes: vec![[0; COLS]; lanes],
            positive: Aligned::any(COLS * lanes),
            negative: Aligned::any(COLS * lanes),
            exponents: Aligned::any(COLS / 2 * lanes),
        }
    }

    /// Packs rows of codes.
    fn fill(&mut self, codes: ArrayView2<'_, u8>) {
        gather(codes, &mut self.codes);
        let [positive, negative] = &self.decoders;
        positive.chunks(Isa::Avx512, &self.codes, &mut self.positive, COLS);
        negative.chunks(Isa::Avx512, &self.codes, &mut self.negative, COLS);
        decode::bytes(&self.table, &self.codes, &mut self.bytes);
        let words = self.exponents.as_chunks_mut::<2>().0;
        let bytes = self.bytes[..self.codes.len()].as_flattened();
        for (words, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *words = [i32::from_le_bytes(*bytes); 2];
        }
    }
}

/// One block of eight rows and 32 columns.
struct Block<'a> {
    dot: &'a Dot,
    magnitudes: &'a [[f32; ROWS]],
    turns: &'a [[u32; ROWS]],
    exponents: &'a [[u64; ROWS / 2]],
    b: &'a PackedB,
}

impl Block<'_> {
    /// Adds the block to sums. Returns the columns of each row whose sums are left as they were: they are too
    /// large or too small for this.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn run(&self, tile: &mut [[f32; COLS]; ROWS]) -> [u32; ROWS] {
        let lanes = self.magnitudes.len();
        assert!(self.turns.len() == lanes && self.exponents.len() == lanes);
        assert!(
            self.b.positive.len() >= lanes * COLS && self.b.exponents.len() >= lanes * COLS / 2
        );
        let DotOutput::Truncate(bits) = self.dot.output else {
            unreachable!("`fits` saw a truncation");
        };
        let keep = _mm512_set1_epi32(-1 << (23 - bits));

        // The largest exponent of each column: two rows' by turns of four columns, then one's after the other's.
        let mut largest = [_mm512_set1_epi8(i8::MIN); ROWS / 2];
        for (k, of_a) in self.exponents.iter().enumerate() {
            // SAFETY: 16 words a term.
            let of_b =
                unsafe { _mm512_load_si512(self.b.exponents.as_ptr().add(k * COLS / 2).cast()) };
            for (largest, &of_a) in largest.iter_mut().zip(of_a) {
                let sum = _mm512_adds_epi8(_mm512_set1_epi64(of_a.cast_signed()), of_b);
                *largest = _mm512_max_epi8(*largest, sum);
            }
        }
        let apart = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
        let mut exponents = [[0i8; 2 * COLS]; ROWS / 2];
        for (exponents, largest) in exponents.iter_mut().zip(largest) {
            let rows = _mm512_permutexvar_epi32(apart, largest);
            // SAFETY: 64 bytes.
            unsafe { _mm512_storeu_si512(exponents.as_mut_ptr().cast(), rows) };
        }

        let fraction_bits = self.dot.fraction_bits.cast_signed();
        // From the field of 2^M to that of 1.5 * 2^(23+M-F), and half of it.
        let to_base = _mm512_set1_epi32(((23 - fraction_bits) << 23) + (1 << 22));
        // Fields from which on a unit is a normal number, and up to which the base is one.
        let (least, most) = (fraction_bits + 1, 254 - (23 - fraction_bits));
        let magnitude_bits = _mm512_set1_epi32(i32::MAX);
        let mut left = [0u32; ROWS];
        let mut bases = [[_mm512_setzero_ps(); 2]; ROWS];
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        unrolled!(row in [0 1 2 3 4 5 6 7] => {
            unrolled!(j in [0 1] => {
                // SAFETY: 16 sums and 16 exponents.
                let (before, exponent) = unsafe {
                    let of_row = exponents[row / 2].as_ptr().add(COLS * (row % 2) + 16 * j);
                    (
                        _mm512_loadu_ps(tile[row].as_ptr().add(16 * j)),
                        _mm512_cvtepi8_epi32(_mm_loadu_si128(of_row.cast())),
                    )
                };
                let bits = _mm512_castps_si512(before);
                let field = _mm512_srli_epi32::<23>(_mm512_and_si512(bits, magnitude_bits));
                let field = _mm512_max_epi32(field, _mm512_set1_epi32(1));
                let some = _mm512_cmpge_epi32_mask(exponent, _mm512_set1_epi32(LEAST));
                let exponent = _mm512_add_epi32(exponent, _mm512_set1_epi32(127));
                let field = _mm512_mask_max_epi32(field, some, field, exponent);
                // A sum of zeros has no exponent that matters.
                let number = _mm512_test_epi32_mask(bits, magnitude_bits);
                let above = _mm512_sub_epi32(field, _mm512_set1_epi32(least));
                let beyond = _mm512_set1_epi32(most - least);
                let far = _mm512_mask_cmpgt_epu32_mask(number, above, beyond);
                left[row] |= u32::from(far) << (16 * j);
                let base = _mm512_add_epi32(_mm512_slli_epi32::<23>(field), to_base);
                let base = _mm512_castsi512_ps(base);
                let negative = _mm512_movepi32_mask(bits);
                let sum = _mm512_add_round_ps::<DOWN>(base, before);
                sums[row][j] = _mm512_mask_add_round_ps::<UP>(sum, negative, base, before);
                bases[row][j] = base;
            });
        });

        for (k, (magnitudes, turns)) in self.magnitudes.iter().zip(self.turns).enumerate() {
            // SAFETY: 32 values a term.
            let (positive, negative) = unsafe {
                let positive = self.b.positive.as_ptr().add(k * COLS);
                let negative = self.b.negative.as_ptr().add(k * COLS);
                (
                    [_mm512_load_ps(positive), _mm512_load_ps(positive.add(16))],
                    [_mm512_load_ps(negative), _mm512_load_ps(negative.add(16))],
                )
            };
            unrolled!(row in [0 1 2 3 4 5 6 7] => {
                let turn = _mm512_castsi512_ps(_mm512_set1_epi32(turns[row].cast_signed()));
                let of_a = _mm512_set1_ps(magnitudes[row]);
                unrolled!(j in [0 1] => {
                    let sum = _mm512_xor_ps(sums[row][j], turn);
                    let sum = _mm512_fmadd_round_ps::<DOWN>(of_a, positive[j], sum);
                    sums[row][j] = _mm512_fmadd_round_ps::<UP>(of_a, negative[j], sum);
                });
            });
        }

        unrolled!(row in [0 1 2 3 4 5 6 7] => {
            unrolled!(j in [0 1] => {
                // Exact; a sum of no units is +0.
                let sum = _mm512_sub_ps(_mm512_abs_ps(sums[row][j]), bases[row][j]);
                let kept = _mm512_and_si512(_mm512_castps_si512(sum), keep);
                let done = !(left[row] >> (16 * j)) as u16;
                // SAFETY: 16 sums.
                unsafe {
                    let to = tile[row].as_mut_ptr().add(16 * j);
                    _mm512_mask_storeu_ps(to, done, _mm512_castsi512_ps(kept));
                }
            });
        });
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use quaver_contract::Accumulator;
    use quaver_contract::accumulator::TABLE;

    /// Zero, and numbers of both signs at the ends of the exponents from -32 up to the largest.
    fn table(largest: i32) -> [Operand; 256] {
        std::array::from_fn(|code| {
            let (value, exponent) = match code % 6 {
                1 => (1.0, largest),
                2 => (-1.875, largest),
                3 => (1.5, -32),
                4 => (-1.0, -32),
                5 => (1.25, (largest - 32) / 2),
                _ => {
                    return Operand {
                        value: 0.0,
                        exponent: ZERO,
                    };
                }
            };
            Operand {
                value: value * 2f64.powi(exponent),
                exponent,
            }
        })
    }

    #[test]
    fn sums_at_the_ends_of_the_exponents_vs_scalar() {
        if !Isa::Avx512.is_available() {
            return;
        }
        let mut units = 0;
        for row in TABLE {
            let Accumulator::Dot(dot) = row.accumulator else {
                continue;
            };
            let (m, n, k) = (11, 37, 2 * dot.lanes + 3);
            let a = Array2::from_shape_fn((m, k), |(m, k)| ((7 * m + 5 * k + m * k) % 251) as u8);
            let b = Array2::from_shape_fn((k, n), |(k, n)| ((3 * n + 11 * k + n * k) % 253) as u8);
            let slab = |table| Slab {
                a: a.view(),
                b: b.view(),
                table_a: table,
                table_b: table,
            };
            let inits = [
                0.0,
                -0.0,
                1.0,
                -1e38,
                f32::from_bits(1),
                3e-39,
                f32::INFINITY,
                1e9,
            ];
            let before = Array2::from_shape_fn((m, n), |(m, n)| inits[(m + 3 * n) % inits.len()]);
            let [fitting, beyond] = [50, 51].map(table);
            let mut sums = before.clone();
            // SAFETY: sums of the slab's shape; the instructions were just seen.
            unsafe {
                assert!(!run(&dot, &slab(&beyond), sums.as_mut_ptr(), n));
                if !run(&dot, &slab(&fitting), sums.as_mut_ptr(), n) {
                    continue;
                }
            }
            units += 1;
            for ((m, n), &sum) in sums.indexed_iter() {
                let terms = a.row(m).into_iter().zip(b.column(n));
                let terms =
                    terms.map(|(&a, &b)| (fitting[usize::from(a)], fitting[usize::from(b)]));
                let terms: Vec<_> = terms.collect();
                let blocks = terms.chunks(dot.lanes);
                let expected =
                    blocks.fold(before[(m, n)], |sum, block| scalar::block(&dot, sum, block));
                let what = format!("{} at {m}, {n}: {sum:e}, not {expected:e}", row.name);
                assert_eq!(sum.to_bits(), expected.to_bits(), "{what}");
            }
        }
        assert!(units > 0, "no accumulator of the table is one of these");
    }
}
