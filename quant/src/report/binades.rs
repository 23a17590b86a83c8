//! Magnitudes counted by their binary exponents.

use serde::Serialize;

/// The exponent of the smallest binary32 subnormal.
const LOWEST: i32 = -149;
/// Exponents of positive binary32 numbers.
const EXPONENTS: usize = 277;

/// How many numbers have a magnitude from 2^e to below 2^(e+1).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binades {
    /// The exponent of the first count; 0 where there is none.
    pub lowest: i32,
    /// Numbers of each exponent, from the lowest to the highest that occur.
    pub counts: Vec<u64>,
    /// Zeros of either sign.
    pub zeros: u64,
    /// Infinities and NaN.
    pub others: u64,
}

impl Binades {
    /// Of numbers.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let mut counts = [0u64; EXPONENTS];
        let (mut zeros, mut others) = (0, 0);
        for value in values {
            let magnitude = value.to_bits() & 0x7fff_ffff;
            match magnitude >> 23 {
                _ if magnitude == 0 => zeros += 1,
                0xff => others += 1,
                // A subnormal is its fraction in units of the smallest.
                0 => counts[magnitude.ilog2() as usize] += 1,
                biased => counts[(biased.cast_signed() - 127 - LOWEST) as usize] += 1,
            }
        }
        let first = counts.iter().position(|&count| count > 0);
        let last = counts.iter().rposition(|&count| count > 0);
        let (lowest, counts) = match (first, last) {
            (Some(first), Some(last)) => (LOWEST + first as i32, counts[first..=last].to_vec()),
            _ => (0, Vec::new()),
        };
        Self {
            lowest,
            counts,
            zeros,
            others,
        }
    }

    /// All numbers.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.zeros + self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_of_numbers() {
        let least = f32::from_bits(1);
        for (values, lowest, counts, zeros, others) in [
            (vec![], 0, vec![], 0, 0),
            (vec![0.0, -0.0], 0, vec![], 2, 0),
            (
                vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY],
                0,
                vec![],
                0,
                3,
            ),
            (vec![1.0, -1.5, 2.0, 8.0, 0.0], 0, vec![2, 1, 0, 1], 1, 0),
            (vec![least, -3.0 * least], -149, vec![1, 1], 0, 0),
            (
                vec![f32::MIN_POSITIVE, 0.75 * f32::MIN_POSITIVE],
                -127,
                vec![1, 1],
                0,
                0,
            ),
            (
                vec![f32::MAX, 0.75],
                -1,
                [vec![1], vec![0; 127], vec![1]].concat(),
                0,
                0,
            ),
        ] {
            let found = Binades::of(&values);
            let expected = Binades {
                lowest,
                counts,
                zeros,
                others,
            };
            assert_eq!(found, expected, "{values:?}");
            assert_eq!(found.total(), values.len() as u64);
        }
    }
}
