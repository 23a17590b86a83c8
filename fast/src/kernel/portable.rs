//! Plain Rust that the compiler vectorises for whatever the target has: 4 rows of 8 columns.

use std::ops::{AddAssign, Mul};

/// Columns of the tile.
pub(super) const COLS: usize = 8;

/// See [`super::Element::run`]; `ROWS` at most 4, `cols` at most 8.
///
/// # Safety
/// As [`super::Element::run`].
#[inline(always)]
unsafe fn tile<const ROWS: usize, T>(
    k: usize,
    a: *const T,
    b: *const T,
    c: *mut T,
    stride: usize,
    cols: usize,
    fresh: bool,
) where
    T: Copy + Default + AddAssign + Mul<Output = T>,
{
    // SAFETY: the caller's promise, for the packed panels.
    let (a, b) = unsafe {
        (
            std::slice::from_raw_parts(a, k * ROWS),
            std::slice::from_raw_parts(b, k * COLS),
        )
    };
    let mut sums = [[T::default(); COLS]; ROWS];
    for (row, sum) in sums
        .iter_mut()
        .enumerate()
        .take(if fresh { 0 } else { ROWS })
    {
        for (col, sum) in sum.iter_mut().enumerate().take(cols) {
            // SAFETY: inside the caller's tile.
            *sum = unsafe { *c.add(row * stride + col) };
        }
    }
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(COLS)) {
        for (sum, &a) in sums.iter_mut().zip(a) {
            for (sum, &b) in sum.iter_mut().zip(b) {
                // The product is exact, so this rounds once.
                *sum += a * b;
            }
        }
    }
    for (row, sum) in sums.iter().enumerate() {
        for (col, &sum) in sum.iter().enumerate().take(cols) {
            // SAFETY: inside the caller's tile.
            unsafe { *c.add(row * stride + col) = sum };
        }
    }
}

/// Defines the tile of one element type.
macro_rules! tile {
    ($name:ident, $float:ty) => {
        /// # Safety
        /// As [`super::Element::run`].
        #[inline(always)]
        pub(super) unsafe fn $name<const ROWS: usize>(
            k: usize,
            a: *const $float,
            b: *const $float,
            c: *mut $float,
            stride: usize,
            cols: usize,
            fresh: bool,
        ) {
            // SAFETY: the caller's promise.
            unsafe { tile::<ROWS, $float>(k, a, b, c, stride, cols, fresh) }
        }
    };
}

tile!(tile_f32, f32);
tile!(tile_f64, f64);
tile!(tile_toward_zero, super::TowardZero);
