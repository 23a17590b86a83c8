//! AVX-512: up to 14 rows of two registers; 28 accumulators, two registers of B, and A broadcast
//! from memory.

use std::arch::asm;
use std::arch::x86_64::*;

/// The products of one term and each row that the tile has.
///
/// A row's value can be broadcast by an instruction of its own, or by each multiply-add as it reads it. The
/// one is one instruction more, the other one load more; where two threads share a core's ports, neither alone
/// is best. One row in three with the first was measured a tenth faster than all. The compiler would make the
/// first of both.
macro_rules! products {
    ([$($row:literal)*] of $rows:ident, $sums:ident += $a:ident * $columns:ident, $broadcast:ident, $multiply_add:ident, $instruction:literal, $size:literal) => {{
        $(if $row < $rows {
            for (sum, values) in $sums[$row].iter_mut().zip($columns) {
                if $row % 3 == 0 {
                    *sum = $multiply_add($broadcast(*$a.add($row)), values, *sum);
                } else {
                    asm!(
                        $instruction,
                        sum = inout(zmm_reg) *sum,
                        values = in(zmm_reg) values,
                        a = in(reg) $a,
                        at = const $row * $size,
                        options(pure, readonly, nostack, preserves_flags),
                    );
                }
            }
        })*
    }};
}

/// Defines the tile of one element type; see [`super::Element::run`]. `ROWS` is at most 14, `cols`
/// at most twice the lanes.
macro_rules! tile {
    ($name:ident, $registers:ident, $float:ty, $lanes:literal, $mask:ty, $zero:ident, $load:ident, $masked_load:ident, $masked_store:ident, |$a:ident, $columns:ident, $sums:ident, $rows:ident| $products:expr) => {
        /// # Safety
        /// As [`super::Element::run`].
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(super) unsafe fn $name<const ROWS: usize>(
            k: usize,
            a: *const $float,
            b: *const $float,
            c: *mut $float,
            stride: usize,
            cols: usize,
            fresh: bool,
        ) {
            let mask = u32::MAX >> (32 - cols);
            let masks = [mask as $mask, (mask >> $lanes) as $mask];
            // SAFETY: the caller's promise.
            unsafe {
                if cols > $lanes {
                    $registers::<ROWS, 2>(k, a, b, c, stride, masks, fresh);
                } else {
                    $registers::<ROWS, 1>(k, a, b, c, stride, [masks[0]], fresh);
                }
            }
        }

        /// The tile's columns that lie in the first `COUNT` registers of two.
        ///
        /// # Safety
        /// As [`super::Element::run`].
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        unsafe fn $registers<const $rows: usize, const COUNT: usize>(
            k: usize,
            mut $a: *const $float,
            mut b: *const $float,
            c: *mut $float,
            stride: usize,
            masks: [$mask; COUNT],
            fresh: bool,
        ) {
            let mut $sums = [[$zero(); COUNT]; $rows];
            // SAFETY: masked lanes are not touched; the rest is inside the tile and the panels.
            unsafe {
                if !fresh {
                    for (row, sum) in $sums.iter_mut().enumerate() {
                        let c = c.add(row * stride);
                        for i in 0..COUNT {
                            sum[i] = $masked_load(masks[i], c.wrapping_add(i * $lanes));
                        }
                    }
                }
                // The tile below is due next.
                for row in $rows..2 * $rows {
                    let c = c.wrapping_add(row * stride);
                    for i in 0..COUNT {
                        _mm_prefetch::<_MM_HINT_T0>(c.wrapping_add(i * $lanes).cast());
                    }
                }
                for _ in 0..k {
                    let mut $columns = [$zero(); COUNT];
                    for (i, values) in $columns.iter_mut().enumerate() {
                        *values = $load(b.add(i * $lanes));
                    }
                    $products;
                    $a = $a.add($rows);
                    b = b.add(2 * $lanes);
                }
                for (row, sum) in $sums.iter().enumerate() {
                    let c = c.add(row * stride);
                    for i in 0..COUNT {
                        $masked_store(c.wrapping_add(i * $lanes), masks[i], sum[i]);
                    }
                }
            }
        }
    };
}

tile!(
    tile_f32,
    registers_f32,
    f32,
    16,
    u16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    |a, columns, sums, ROWS| {
        products!(
            [0 1 2 3 4 5 6 7 8 9 10 11 12 13] of ROWS,
            sums += a * columns,
            _mm512_set1_ps,
            _mm512_fmadd_ps,
            "vfmadd231ps {sum}, {values}, dword ptr [{a} + {at}]{{1to16}}",
            4
        )
    }
);
tile!(
    tile_f64,
    registers_f64,
    f64,
    8,
    u8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    |a, columns, sums, ROWS| {
        products!(
            [0 1 2 3 4 5 6 7 8 9 10 11 12 13] of ROWS,
            sums += a * columns,
            _mm512_set1_pd,
            _mm512_fmadd_pd,
            "vfmadd231pd {sum}, {values}, qword ptr [{a} + {at}]{{1to8}}",
            8
        )
    }
);
// An instruction that names its rounding cannot read memory.
tile!(
    tile_toward_zero,
    registers_toward_zero,
    f32,
    16,
    u16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    |a, columns, sums, ROWS| {
        for (row, sum) in sums.iter_mut().enumerate() {
            let a = _mm512_set1_ps(*a.add(row));
            for (sum, values) in sum.iter_mut().zip(columns) {
                *sum = multiply_add_toward_zero(a, values, *sum);
            }
        }
    }
);

/// Masks of the first `cols` columns of two registers.
pub(super) fn mask_16(cols: usize) -> (u16, u16) {
    let mask = u32::MAX >> (32 - cols);
    (mask as u16, (mask >> 16) as u16)
}

/// The values where `mask` is set, 0 elsewhere.
///
/// # Safety
/// They are readable.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn masked_load(values: *const f32, mask: u16) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe { _mm512_maskz_loadu_ps(mask, values) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn multiply_add_toward_zero(a: __m512, b: __m512, c: __m512) -> __m512 {
    _mm512_fmadd_round_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(a, b, c)
}

/// Sums of blocks with scales, added to a tile: `c += (scales_a * scales_b) * sum`, rounded at each
/// of the three steps, block by block. `cols` is at most 32.
///
/// # Safety
/// As [`super::Element::run`], and `scales` has values for the tile in all blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn scaled<const ROWS: usize>(
    (k, length): (usize, usize),
    mut a: *const f32,
    mut b: *const f32,
    c: *mut f32,
    stride: usize,
    cols: usize,
    scales: super::TileScales,
) {
    let (low, high) = mask_16(cols);
    let super::TileScales {
        a: mut scales_a,
        b: mut scales_b,
        strides,
    } = scales;
    let mut left = k;
    while left > 0 {
        let depth = length.min(left);
        left -= depth;
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        // SAFETY: masked lanes are not touched; the rest is inside the tile, the panels and the
        // scales.
        unsafe {
            for _ in 0..depth {
                let b0 = _mm512_loadu_ps(b);
                let b1 = _mm512_loadu_ps(b.add(16));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*a.add(row));
                    sum[0] = _mm512_fmadd_ps(a, b0, sum[0]);
                    sum[1] = _mm512_fmadd_ps(a, b1, sum[1]);
                }
                a = a.add(ROWS);
                b = b.add(32);
            }
            let b0 = _mm512_loadu_ps(scales_b);
            let b1 = _mm512_loadu_ps(scales_b.add(16));
            for (row, sum) in sums.iter().enumerate() {
                let c = c.add(row * stride);
                let a = _mm512_set1_ps(*scales_a.add(row));
                let before = _mm512_maskz_loadu_ps(low, c);
                let scaled = _mm512_mul_ps(_mm512_mul_ps(a, b0), sum[0]);
                _mm512_mask_storeu_ps(c, low, _mm512_add_ps(before, scaled));
                let c = c.wrapping_add(16);
                let before = _mm512_maskz_loadu_ps(high, c);
                let scaled = _mm512_mul_ps(_mm512_mul_ps(a, b1), sum[1]);
                _mm512_mask_storeu_ps(c, high, _mm512_add_ps(before, scaled));
            }
            scales_a = scales_a.add(strides.0);
            scales_b = scales_b.add(strides.1);
        }
    }
}
