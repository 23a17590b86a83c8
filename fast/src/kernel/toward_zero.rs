//! The chain whose sums are rounded toward zero (numerics.md 4.1, `fp32_rz`).
//!
//! AVX-512 rounds so in the instruction. Elsewhere the nearest sum is moved one place when it went
//! too far, which needs no other rounding mode.

use std::ops::{AddAssign, Mul};

use super::{Element, Packed, portable, with_rows};
use crate::Isa;
use crate::aligned::{Aligned, Plain};

/// A binary32 number whose sums are rounded toward zero.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub(crate) struct TowardZero(f32);

// SAFETY: as binary32, which it is.
unsafe impl Plain for TowardZero {}

impl Mul for TowardZero {
    type Output = Self;

    /// Of two operands, whose product is exact.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl AddAssign for TowardZero {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        let (a, b) = (self.0, other.0);
        let sum = a + b;
        // The error of a binary32 sum is exact (Knuth, TAOCP 2, 4.2.2, theorem B).
        let b_part = sum - a;
        let error = (a - (sum - b_part)) + (b - b_part);
        // NaN where the sum is infinite, and then neither holds.
        let too_far = (error > 0.0 && sum < 0.0) || (error < 0.0 && sum > 0.0);
        let kept = sum.to_bits() - u32::from(too_far);
        let overflowed = sum.is_infinite() && a.is_finite() && b.is_finite();
        self.0 = f32::from_bits(if overflowed { sum.to_bits() - 1 } else { kept });
    }
}

impl Packed for TowardZero {
    fn tile(isa: Isa) -> (usize, usize) {
        match isa {
            Isa::Avx512 => f32::tile(isa),
            _ => (4, portable::COLS),
        }
    }

    fn wide(_: usize) -> Aligned<Self> {
        Aligned::any(0)
    }

    fn panels<'a>(_: Isa, packed: &'a [f32], _: &'a mut Aligned<Self>) -> &'a [Self] {
        // SAFETY: it is a binary32 number, transparently.
        unsafe { std::slice::from_raw_parts(packed.as_ptr().cast(), packed.len()) }
    }
}

impl Element for TowardZero {
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
                tile_toward_zero,
                (k, a.cast(), b.cast(), c.cast(), stride, cols, fresh)
            ),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                with_rows!(rows, [1 2 3 4], vectorised, tile, (k, a, b, c, stride, cols, fresh));
            }
            _ => {
                with_rows!(rows, [1 2 3 4], portable, tile_toward_zero, (k, a, b, c, stride, cols, fresh))
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use super::avx512;

/// The portable tile, compiled for AVX2.
#[cfg(target_arch = "x86_64")]
mod vectorised {
    use super::{TowardZero, portable};

    /// # Safety
    /// As [`super::Element::run`].
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn tile<const ROWS: usize>(
        k: usize,
        a: *const TowardZero,
        b: *const TowardZero,
        c: *mut TowardZero,
        stride: usize,
        cols: usize,
        fresh: bool,
    ) {
        // SAFETY: the caller's promise.
        unsafe { portable::tile_toward_zero::<ROWS>(k, a, b, c, stride, cols, fresh) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_directed_vs_toward_zero() {
        let tiny = f32::from_bits(1);
        for (a, b, expected) in [
            (1.0, f32::EPSILON / 2.0, 1.0),
            (1.0, -f32::EPSILON / 8.0, 1.0 - f32::EPSILON / 2.0),
            (-1.0, f32::EPSILON / 8.0, f32::EPSILON / 2.0 - 1.0),
            (f32::MAX, f32::MAX, f32::MAX),
            (f32::MIN, f32::MIN, f32::MIN),
            (f32::INFINITY, f32::MIN, f32::INFINITY),
            (1.0, -1.0, 0.0),
            (-0.0, -0.0, -0.0),
            (tiny, tiny, f32::from_bits(2)),
        ] {
            let mut sum = TowardZero(a);
            sum += TowardZero(b);
            assert_eq!(sum.0.to_bits(), expected.to_bits(), "{a} + {b}");
        }
    }
}
