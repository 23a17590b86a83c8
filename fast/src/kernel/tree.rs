//! The adder tree (numerics.md 4.2): two rows of a tile at a time, whose products meet in pairs in
//! registers. The sum of two products is one fused multiply-add, because a product is exact.

use crate::Isa;

/// Defines `$name`: [`run`] on one instruction set, two registers of columns wide. `$mask`
/// makes of a number of columns what selects the first of them.
macro_rules! tree {
    ($name:ident, $features:literal, $vector:ty, $lanes:literal, $mask:path, $load:ident, $broadcast:ident, $multiply:ident, $multiply_add:ident, $add:ident, $masked_load:path, $masked_store:path) => {
        mod $name {
            use std::arch::x86_64::*;

            /// Two registers of columns for each row.
            type Values<const ROWS: usize> = [[$vector; 2]; ROWS];

            /// The terms of rows that are next to each other: `step` apart in A, a panel's row
            /// apart in B.
            #[derive(Clone, Copy)]
            struct Terms {
                a: *const f32,
                step: usize,
                b: *const f32,
            }

            /// The products of term `k`, added to `sums` if there are any.
            ///
            /// # Safety
            /// Term `k` of all rows is in the panels.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn products<const ROWS: usize>(
                terms: Terms,
                k: usize,
                sums: Option<Values<ROWS>>,
            ) -> Values<ROWS> {
                // SAFETY: the caller's promise.
                let b = unsafe {
                    let b = terms.b.add(k * 2 * $lanes);
                    [$load(b), $load(b.add($lanes))]
                };
                std::array::from_fn(|row| {
                    // SAFETY: the caller's promise.
                    let a = unsafe { $broadcast(*terms.a.add(k * terms.step + row)) };
                    match sums {
                        None => [$multiply(a, b[0]), $multiply(a, b[1])],
                        Some(sums) => [
                            $multiply_add(a, b[0], sums[row][0]),
                            $multiply_add(a, b[1], sums[row][1]),
                        ],
                    }
                })
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn add<const ROWS: usize>(x: Values<ROWS>, y: Values<ROWS>) -> Values<ROWS> {
                std::array::from_fn(|row| [$add(x[row][0], y[row][0]), $add(x[row][1], y[row][1])])
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn full2<const ROWS: usize>(terms: Terms, k: usize) -> Values<ROWS> {
                // SAFETY: the caller's promise.
                unsafe { products(terms, k + 1, Some(products(terms, k, None))) }
            }

            macro_rules! full {
                ($whole:ident, $half:ident, $count:literal) => {
                    #[inline]
                    #[target_feature(enable = $features)]
                    unsafe fn $whole<const ROWS: usize>(terms: Terms, k: usize) -> Values<ROWS> {
                        // SAFETY: the caller's promise.
                        unsafe { add($half(terms, k), $half(terms, k + $count / 2)) }
                    }
                };
            }
            full!(full4, full2, 4);
            full!(full8, full4, 8);
            full!(full16, full8, 16);
            full!(full32, full16, 32);
            full!(full64, full32, 64);

            /// The sum of a power of two of terms from `k` on.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn full<const ROWS: usize>(
                terms: Terms,
                count: usize,
                k: usize,
            ) -> Values<ROWS> {
                // SAFETY: the caller's promise.
                unsafe {
                    match count {
                        1 => products(terms, k, None),
                        2 => full2(terms, k),
                        4 => full4(terms, k),
                        8 => full8(terms, k),
                        16 => full16(terms, k),
                        32 => full32(terms, k),
                        64 => full64(terms, k),
                        _ => unreachable!("a tree of {count} lanes"),
                    }
                }
            }

            /// # Safety
            /// As [`super::run`].
            #[allow(
                clippy::too_many_arguments,
                reason = "the operands of a matrix product"
            )]
            #[target_feature(enable = $features)]
            pub(super) unsafe fn run<const LANES: usize>(
                rows: usize,
                cols: usize,
                k: usize,
                a: *const f32,
                b: *const f32,
                c: *mut f32,
                stride: usize,
            ) {
                let mut row = 0;
                // SAFETY: the caller's promise.
                unsafe {
                    while row < rows {
                        let terms = Terms {
                            a: a.add(row),
                            step: rows,
                            b,
                        };
                        let c = c.add(row * stride);
                        if row + 2 <= rows {
                            some::<2, LANES>(terms, cols, k, c, stride);
                            row += 2;
                        } else {
                            some::<1, LANES>(terms, cols, k, c, stride);
                            row += 1;
                        }
                    }
                }
            }

            /// Some rows of a tile.
            ///
            /// # Safety
            /// As [`super::run`].
            #[target_feature(enable = $features)]
            unsafe fn some<const ROWS: usize, const LANES: usize>(
                terms: Terms,
                cols: usize,
                k: usize,
                c: *mut f32,
                stride: usize,
            ) {
                let (low, high) = $mask(cols);
                // SAFETY: masked columns are not touched; the rest is inside the tile and the
                // panels.
                unsafe {
                    let mut sums: Values<ROWS> = std::array::from_fn(|row| {
                        let c = c.wrapping_add(row * stride);
                        [
                            $masked_load(c, low),
                            $masked_load(c.wrapping_add($lanes), high),
                        ]
                    });
                    let rest = k % LANES;
                    for first in (0..k - rest).step_by(LANES) {
                        sums = add(sums, full(terms, LANES, first));
                    }
                    // A short block is cut into powers of two, the larger ones first; the last of
                    // them moves up until it meets the one before it.
                    let mut short = None;
                    let mut first = k;
                    for power in 0..LANES.ilog2() {
                        let count = 1 << power;
                        if rest & count != 0 {
                            first -= count;
                            let block = full(terms, count, first);
                            short = Some(match short {
                                None => block,
                                Some(later) => add(block, later),
                            });
                        }
                    }
                    if let Some(short) = short {
                        sums = add(sums, short);
                    }
                    for (row, sum) in sums.iter().enumerate() {
                        let c = c.wrapping_add(row * stride);
                        $masked_store(c, low, sum[0]);
                        $masked_store(c.wrapping_add($lanes), high, sum[1]);
                    }
                }
            }
        }
    };
}

tree!(
    avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma",
    __m512,
    16,
    crate::kernel::avx512::mask_16,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    crate::kernel::avx512::masked_load,
    _mm512_mask_storeu_ps
);
tree!(
    avx2,
    "avx2,fma",
    __m256,
    8,
    crate::kernel::avx2::masks_8,
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_maskload_ps,
    _mm256_maskstore_ps
);

/// Adds `k` products to a tile: block by block of `lanes`, of which the last may be short.
///
/// # Panics
/// Where the instruction set has no such kernel.
///
/// # Safety
/// As [`super::Element::run`].
#[allow(
    clippy::too_many_arguments,
    reason = "the operands of a matrix product"
)]
pub(crate) unsafe fn run(
    isa: Isa,
    lanes: usize,
    rows: usize,
    cols: usize,
    k: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
) {
    macro_rules! with_lanes {
        ($module:ident, [$($lanes:literal)*]) => {
            match lanes {
                // SAFETY: the caller's promise.
                $($lanes => unsafe { $module::run::<$lanes>(rows, cols, k, a, b, c, stride) },)*
                _ => unreachable!("a tree of {lanes} lanes"),
            }
        };
    }
    match isa {
        Isa::Avx512 => with_lanes!(avx512, [2 4 8 16 32 64]),
        Isa::Avx2 => with_lanes!(avx2, [2 4 8 16 32 64]),
        Isa::Portable => unreachable!("vector registers"),
    }
}
