//! Micro-kernels of the `fp32` accumulator: a tile of the result, `ROWS x COLS`, in registers,
//! with K sequential, so that every element is the contract's own chain (numerics.md 4.1).
//!
//! A fused multiply-add rounds once, as the contract does. The portable kernel multiplies and
//! adds: products of two operands are exact in binary32, so that rounds once too.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::Isa;

/// Most rows of any kernel's tile.
pub(crate) const MAX_ROWS: usize = 14;

/// Shape of the tile that a kernel holds in registers.
pub(crate) const fn tile(isa: Isa) -> (usize, usize) {
    match isa {
        Isa::Portable => (4, 8),
        Isa::Avx2 => (6, 16),
        Isa::Avx512 => (MAX_ROWS, 32),
    }
}

/// Adds `k` products to a tile: `c[row][col] += a[k][row] * b[k][col]`, k ascending.
///
/// `a` is packed `k x rows`, `b` is packed `k x COLS`; `c` has `rows` rows of `cols` values that
/// are `stride` apart, with `rows` and `cols` at most the tile's shape.
///
/// # Safety
/// `a` and `b` are readable for the packed sizes, `c` is writable for the tile and no other thread
/// touches it. The machine has `isa`.
#[inline(always)]
#[allow(
    clippy::too_many_arguments,
    reason = "the operands of a matrix product"
)]
pub(crate) unsafe fn run(
    isa: Isa,
    rows: usize,
    cols: usize,
    k: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
) {
    macro_rules! with_rows {
        ($module:ident, $($rows:literal)*) => {
            match rows {
                // SAFETY: the caller's promise.
                $($rows => unsafe { $module::tile::<$rows>(k, a, b, c, stride, cols) },)*
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => with_rows!(avx512, 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => with_rows!(avx2, 1 2 3 4 5 6),
        _ => with_rows!(portable, 1 2 3 4),
    }
}
