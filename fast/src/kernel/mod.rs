//! Micro-kernels: a tile of the result in registers, with K sequential, so that in binary32 every
//! element is the contract's own `fp32` chain (numerics.md 4.1); in binary64 it is an exact sum as
//! long as that fits.
//!
//! A fused multiply-add rounds once, as the contract does. The portable kernel multiplies and
//! adds: products of two operands are exact in binary32, so that rounds once too.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
mod toward_zero;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tree;

pub(crate) use toward_zero::TowardZero;

use crate::Isa;
use crate::aligned::{Aligned, Plain};
use crate::isa::for_each_isa;

/// What operands are packed as.
pub(crate) trait Packed: Plain {
    /// Shape of the tile that a kernel holds in registers.
    fn tile(isa: Isa) -> (usize, usize);

    /// Room for `len` packed values, for types that are not packed as they are.
    fn wide(len: usize) -> Aligned<Self>;

    /// Packed binary32 values as this type; `wide` is where they go when that is another one.
    fn panels<'a>(isa: Isa, packed: &'a [f32], wide: &'a mut Aligned<Self>) -> &'a [Self];
}

/// What chains add: binary32 or binary64.
pub(crate) trait Element: Packed {
    /// Adds `k` products to a tile: `c[row][col] += a[k][row] * b[k][col]`, k ascending. A tile
    /// that is `fresh` starts at +0, and what `c` was is not read.
    ///
    /// `a` is packed `k x rows`, `b` is packed `k x COLS`; `c` has `rows` rows of `cols` values
    /// that are `stride` apart, with `rows` and `cols` at most the tile's shape.
    ///
    /// # Safety
    /// `a` and `b` are readable for the packed sizes, `c` is writable for the tile and no other
    /// thread touches it. The machine has `isa`.
    #[allow(
        clippy::too_many_arguments,
        reason = "the operands of a matrix product"
    )]
    unsafe fn run(
        isa: Isa,
        rows: usize,
        cols: usize,
        k: usize,
        a: *const Self,
        b: *const Self,
        c: *mut Self,
        stride: usize,
        fresh: bool,
    );
}

/// One arm for each number of rows: kernels are unrolled for it.
macro_rules! with_rows {
    ($rows:expr, [$($count:literal)*], $module:ident, $tile:ident, $arguments:tt) => {
        match $rows {
            // SAFETY: the promise of the caller of `run`.
            $($count => unsafe { $module::$tile::<$count> $arguments },)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

pub(crate) use with_rows;

/// Scales of a tile's rows and of its columns, and from one block's to the next one's.
#[derive(Clone, Copy)]
pub(crate) struct TileScales {
    pub(crate) a: *const f32,
    pub(crate) b: *const f32,
    pub(crate) strides: (usize, usize),
}

/// Adds a tile's blocks of `length` terms with their scales, each block's factor being the binary32
/// product of its two scales. `false` where there is no such kernel, and nothing was done.
///
/// # Safety
/// As [`Element::run`], and `scales` has values for the whole tile and all blocks.
#[allow(
    clippy::too_many_arguments,
    reason = "the operands of a matrix product"
)]
pub(crate) unsafe fn scaled(
    isa: Isa,
    rows: usize,
    cols: usize,
    (k, length): (usize, usize),
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
    scales: TileScales,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        with_rows!(
            rows,
            [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
            avx512,
            scaled,
            ((k, length), a, b, c, stride, cols, scales)
        );
        return true;
    }
    let _ = (isa, rows, cols, k, length, a, b, c, stride, scales);
    false
}

macro_rules! element {
    ($float:ty, $tile:ident, $avx2_cols:literal, $avx512_cols:literal, $wide:expr, $panels:path) => {
        impl Packed for $float {
            fn wide(len: usize) -> Aligned<Self> {
                Aligned::any($wide(len))
            }

            fn panels<'a>(
                isa: Isa,
                packed: &'a [f32],
                wide: &'a mut Aligned<Self>,
            ) -> &'a [Self] {
                $panels(isa, packed, wide)
            }

            fn tile(isa: Isa) -> (usize, usize) {
                match isa {
                    Isa::Portable => (4, portable::COLS),
                    Isa::Avx2 => (6, $avx2_cols),
                    Isa::Avx512 => (14, $avx512_cols),
                }
            }
        }

        impl Element for $float {
            unsafe fn run(
                isa: Isa,
                rows: usize,
                cols: usize,
                k: usize,
                a: *const Self,
                b: *const Self,
                c: *mut Self,
                stride: usize,
                fresh: bool,
            ) {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => with_rows!(
                        rows,
                        [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
                        avx512,
                        $tile,
                        (k, a, b, c, stride, cols, fresh)
                    ),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => {
                        with_rows!(rows, [1 2 3 4 5 6], avx2, $tile, (k, a, b, c, stride, cols, fresh))
                    }
                    _ => with_rows!(rows, [1 2 3 4], portable, $tile, (k, a, b, c, stride, cols, fresh)),
                }
            }
        }
    };
}

element!(f32, tile_f32, 16, 32, |_| 0, as_they_are);
element!(f64, tile_f64, 8, 16, |len| len, widened);

fn as_they_are<'a>(_: Isa, packed: &'a [f32], _: &'a mut Aligned<f32>) -> &'a [f32] {
    packed
}

fn widened<'a>(isa: Isa, packed: &'a [f32], wide: &'a mut Aligned<f64>) -> &'a [f64] {
    let wide = &mut wide[..packed.len()];
    widen(isa, packed, wide);
    wide
}

for_each_isa! {
    fn widen(packed: &[f32], wide: &mut [f64]) = widen_loop
}

#[inline(always)]
fn widen_loop(packed: &[f32], wide: &mut [f64]) {
    for (wide, &value) in wide.iter_mut().zip(packed) {
        *wide = f64::from(value);
    }
}
