//! The one carrier of values between decoding and rounding: exact, in integers.

/// A real number with a sign of zero, an infinity, or the one NaN.
///
/// `M` is the integer that holds the significand: `u128` nearly everywhere, [`crate::wide::Wide`]
/// where a sum spans more bits. A significand is not normalised; a value has many
/// representations, and nothing may depend on which one it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number<M = u128> {
    /// Not a number; payload and sign are not kept (numerics.md, 2.4).
    Nan,
    /// Infinity of either sign.
    Infinity {
        /// Whether it is -Inf.
        negative: bool,
    },
    /// `(-1)^negative * significand * 2^exponent`, exactly.
    Finite {
        /// The sign, of zero too.
        negative: bool,
        /// Magnitude in units of `2^exponent`.
        significand: M,
        /// Exponent of the significand's lowest bit.
        exponent: i32,
    },
}

impl Number {
    /// Zero of that sign.
    pub const fn zero(negative: bool) -> Self {
        Self::Finite {
            negative,
            significand: 0,
            exponent: 0,
        }
    }

    /// Whether it is a zero of either sign.
    pub const fn is_zero(&self) -> bool {
        matches!(self, Self::Finite { significand: 0, .. })
    }
}

/// What the rounder needs to know of a significand's integer.
pub trait Magnitude: Copy {
    /// Position of the highest set bit plus 1; 0 for zero.
    fn bit_length(&self) -> u32;

    /// `floor(self * 2^left)`, and whether bits were lost to the floor. The result must have at
    /// most 64 bits; more is a defect of the caller and panics.
    fn shifted(&self, left: i32) -> (u64, bool);
}

impl Magnitude for u128 {
    fn bit_length(&self) -> u32 {
        Self::BITS - self.leading_zeros()
    }

    fn shifted(&self, left: i32) -> (u64, bool) {
        let (value, lost) = if left >= 0 {
            let left = left.unsigned_abs();
            assert!(
                *self == 0 || self.bit_length() + left <= 64,
                "{self} << {left} has more than 64 bits"
            );
            (self.checked_shl(left).unwrap_or(0), false)
        } else {
            // A shift by 128 or more leaves nothing.
            let right = left.unsigned_abs();
            let value = self.checked_shr(right).unwrap_or(0);
            (value, self.trailing_zeros() < right && *self != 0)
        };
        (
            u64::try_from(value).expect("shifted: the result has at most 64 bits"),
            lost,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Magnitude;

    #[test]
    fn shifted_directed_vs_arithmetic() {
        for (value, left, expected) in [
            (0u128, 200, (0, false)),
            (0, -200, (0, false)),
            (5, 61, (5 << 61, false)),
            (5, 0, (5, false)),
            (5, -1, (2, true)),
            (4, -2, (1, false)),
            (u128::MAX, -64, (u64::MAX, true)),
            (1 << 127, -127, (1, false)),
            (1 << 127, -128, (0, true)),
            (1, -4000, (0, true)),
        ] {
            assert_eq!(value.shifted(left), expected, "{value} << {left}");
        }
    }
}
