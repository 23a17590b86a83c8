//! Unsigned integers of 512 bits: enough for any sum of two numbers that the contract admits.
//!
//! binary32 reaches from 2^-149 to below 2^128, and so do all formats and all products
//! (`Format::validate`, `Format::products_fit_fp32`): a sum needs 278 bits. The rest is margin.

use crate::number::Magnitude;

const WORDS: usize = 8;

/// An unsigned integer of 512 bits, least significant word first. Overflow panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide([u64; WORDS]);

impl Wide {
    /// `value * 2^left`.
    pub fn new(value: u128, left: u32) -> Self {
        assert!(
            value == 0 || value.bit_length() + left <= 64 * WORDS as u32,
            "{value} << {left} has more than {} bits",
            64 * WORDS
        );
        let mut words = [0; WORDS];
        for bit in (0..u128::BITS).filter(|bit| value >> bit & 1 == 1) {
            let position = bit + left;
            words[(position / 64) as usize] |= 1 << (position % 64);
        }
        Self(words)
    }

    /// `self + other`.
    pub fn plus(self, other: Self) -> Self {
        let mut carry = 0;
        let sum = std::array::from_fn(|i| {
            let column = u128::from(self.0[i]) + u128::from(other.0[i]) + carry;
            carry = column >> 64;
            column as u64
        });
        assert_eq!(carry, 0, "sum of more than {} bits", 64 * WORDS);
        Self(sum)
    }

    /// `self - other`, which must not be negative.
    pub fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        let difference = std::array::from_fn(|i| {
            let (without, below) = self.0[i].overflowing_sub(other.0[i]);
            let (with, further) = without.overflowing_sub(u64::from(borrow));
            borrow = below || further;
            with
        });
        assert!(!borrow, "negative difference");
        Self(difference)
    }

    fn bit(&self, position: u32) -> bool {
        (position as usize) < 64 * WORDS
            && self.0[(position / 64) as usize] >> (position % 64) & 1 == 1
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Magnitude for Wide {
    fn bit_length(&self) -> u32 {
        (0..64 * WORDS as u32)
            .rev()
            .find(|&position| self.bit(position))
            .map_or(0, |position| position + 1)
    }

    fn shifted(&self, left: i32) -> (u64, bool) {
        let length = self.bit_length();
        assert!(
            length == 0 || length.cast_signed() + left <= 64,
            "{length} bits << {left} have more than 64 bits"
        );
        let mut value = 0;
        let mut lost = false;
        for position in (0..length).filter(|&position| self.bit(position)) {
            match u32::try_from(position.cast_signed() + left) {
                Ok(kept) => value |= 1 << kept,
                Err(_) => lost = true,
            }
        }
        (value, lost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wide_random_vs_u128(a in 0..1u128 << 63, b in 0..1u128 << 63, left in 0u32..64, up in 0u32..380) {
            // The same values, once low in 128 bits and once `up` bits higher.
            let (low_a, low_b) = (a << left, b);
            let (a, b) = (Wide::new(a, left + up), Wide::new(b, up));
            prop_assert_eq!(a.cmp(&b), low_a.cmp(&low_b));
            prop_assert_eq!(a.plus(b), Wide::new(low_a + low_b, up));
            let (large, small) = if a >= b { (a, b) } else { (b, a) };
            prop_assert_eq!(large.minus(small), Wide::new(low_a.abs_diff(low_b), up));
            if low_a != 0 {
                prop_assert_eq!(a.bit_length(), low_a.bit_length() + up);
                let left = 40 - low_a.bit_length().cast_signed();
                prop_assert_eq!(a.shifted(left - up.cast_signed()), low_a.shifted(left));
            }
        }
    }
}
