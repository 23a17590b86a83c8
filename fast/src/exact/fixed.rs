//! A fixed-point number wide enough for any exact sum of the contract, and its one rounding.

/// Exponent of the lowest bit: products reach down to 2^-126 times a fraction, binary32 to 2^-149.
const UNIT: i32 = -160;
/// 384 bits reach to 2^223, beyond 2^128 times any number of terms.
const WORDS: usize = 6;

/// A two's complement integer of 384 bits in units of `2^UNIT`, lowest word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed([u64; WORDS]);

impl Fixed {
    pub(crate) const ZERO: Self = Self([0; WORDS]);

    /// Adds a finite binary64 number that is a multiple of `2^UNIT` and below 2^180.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let field = (bits >> 52 & 0x7ff) as i32;
        if field == 0 {
            // Zero: binary64's subnormals are no multiples of the unit.
            return;
        }
        let mut significand = bits & ((1 << 52) - 1) | 1 << 52;
        let mut position = field - 1023 - 52 - UNIT;
        if position < 0 {
            // The low bits are zeros.
            significand >>= -position;
            position = 0;
        }
        let (word, shift) = (position as usize / 64, position as u32 % 64);
        let wide = u128::from(significand) << shift;
        let parts = [wide as u64, (wide >> 64) as u64];
        if value > 0.0 {
            let mut carry = false;
            for (i, word) in self.0[word..].iter_mut().enumerate() {
                let part = parts.get(i).copied().unwrap_or(0);
                if i >= 2 && !carry {
                    break;
                }
                (*word, carry) = word.carrying_add_stable(part, carry);
            }
        } else {
            let mut borrow = false;
            for (i, word) in self.0[word..].iter_mut().enumerate() {
                let part = parts.get(i).copied().unwrap_or(0);
                if i >= 2 && !borrow {
                    break;
                }
                (*word, borrow) = word.borrowing_sub_stable(part, borrow);
            }
        }
    }

    /// RNE32; zero is +0.
    #[inline]
    pub(crate) fn round(&self) -> f32 {
        let negative = self.0[WORDS - 1] >> 63 == 1;
        let mut magnitude = self.0;
        if negative {
            let mut carry = true;
            for word in &mut magnitude {
                (*word, carry) = (!*word).overflowing_add(u64::from(carry));
            }
        }
        let Some(top) = magnitude.iter().rposition(|&word| word != 0) else {
            return 0.0;
        };
        // The highest 64 bits, with everything below gathered into the last of them: more than
        // binary32 and its subnormals need to round right.
        let zeros = magnitude[top].leading_zeros();
        let below = if top > 0 { magnitude[top - 1] } else { 0 };
        let joined = (u128::from(magnitude[top]) << 64 | u128::from(below)) << zeros;
        let sticky = joined as u64 != 0
            || magnitude[..top.saturating_sub(1)]
                .iter()
                .any(|&word| word != 0);
        let significand = (joined >> 64) as u64 | u64::from(sticky);
        // To odd in binary64 first, so that the second rounding makes no tie.
        let kept = significand >> 11 | u64::from(significand & 0x7ff != 0);
        let exponent = UNIT + top as i32 * 64 - zeros as i32 + 11;
        let scale = f64::from_bits(((exponent + 1023) as u64) << 52);
        let rounded = (kept as f64 * scale) as f32;
        if negative { -rounded } else { rounded }
    }
}

/// `u64::carrying_add` and its like, until they are stable.
trait Carry {
    fn carrying_add_stable(self, other: u64, carry: bool) -> (u64, bool);
    fn borrowing_sub_stable(self, other: u64, borrow: bool) -> (u64, bool);
}

impl Carry for u64 {
    #[inline(always)]
    fn carrying_add_stable(self, other: u64, carry: bool) -> (u64, bool) {
        let (sum, first) = self.overflowing_add(other);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        (sum, first || second)
    }

    #[inline(always)]
    fn borrowing_sub_stable(self, other: u64, borrow: bool) -> (u64, bool) {
        let (difference, first) = self.overflowing_sub(other);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        (difference, first || second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_directed_vs_binary64() {
        for (terms, expected) in [
            (&[1.0, 2f64.powi(-24)][..], 1.0f32),
            (&[1.0, 2f64.powi(-24), 2f64.powi(-150)], 1.0 + f32::EPSILON),
            (&[-1.0, -(2f64.powi(-24)), 2f64.powi(-150)], -1.0),
            (&[2f64.powi(127), 1.0, -(2f64.powi(127))], 1.0),
            (&[2f64.powi(127), 2f64.powi(127)], f32::INFINITY),
            (&[2f64.powi(-149)], f32::from_bits(1)),
            (&[2f64.powi(-150)], 0.0),
            (&[2f64.powi(-150), 2f64.powi(-160)], f32::from_bits(1)),
            (&[5.0, -5.0], 0.0),
            (&[-0.0], 0.0),
        ] {
            let mut sum = Fixed::ZERO;
            for &term in terms {
                sum.add(term);
            }
            assert_eq!(sum.round().to_bits(), expected.to_bits(), "{terms:?}");
        }
    }
}
