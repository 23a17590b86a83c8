//! Partial sums of the exact accumulator: fixed point, and which infinities were met.
//!
//! A sum is `{-Inf met, +Inf met, sum}`, the sum in two's complement (`quaver_exact_accumulate`), in
//! words of 32 bits, low bits first. NaN has met both infinities.

use quaver_contract::formats::FP32;
use quaver_golden::accumulate::add_rounded;
use quaver_golden::dot::Operand;
use quaver_golden::{Number, decode, multiply};

/// Bits that the model has for a partial sum.
const MOST_BITS: u32 = u128::BITS;

/// The fixed point of a core.
#[derive(Clone, Debug)]
pub(crate) struct FixedPoint {
    /// Exponent of the last place.
    unit: i32,
    /// Bits of the sum, its sign included.
    sum_bits: u32,
}

impl FixedPoint {
    /// The fixed point whose last place is that of the smallest product, 2^`unit`, and which is wide
    /// enough for `terms` of the largest. `None` where the model has no room for it.
    pub(crate) fn new(operands: &[Operand], unit: i32, terms: u32) -> Option<Self> {
        let magnitude = |operand: &Operand| match operand.number {
            Number::Finite {
                significand,
                exponent,
                ..
            } => {
                // An operand's last place is at least half as far down as a product's.
                let place = exponent - unit / 2;
                (significand.ilog2() + 1 + place.unsigned_abs() <= MOST_BITS / 2)
                    .then(|| significand << place)
            }
            _ => Some(0),
        };
        let finite = operands.iter().filter(
            |operand| matches!(operand.number, Number::Finite { significand, .. } if significand > 0),
        );
        let mut largest = 0;
        for operand in finite {
            largest = largest.max(magnitude(operand)?);
        }
        let sum = (largest * largest).checked_mul(terms.into())?;
        let sum_bits = u128::BITS - sum.leading_zeros() + 1;
        (sum_bits + 2 <= MOST_BITS).then_some(Self { unit, sum_bits })
    }

    /// `PSUM_W`.
    pub(crate) const fn psum_bits(&self) -> u32 {
        self.sum_bits + 2
    }

    const fn sum_mask(&self) -> u128 {
        (1 << self.sum_bits) - 1
    }

    /// `psum + a * b`, in place.
    pub(crate) fn accumulate(&self, psum: &mut [u32], a: &Operand, b: &Operand) {
        let bits = unpack(psum);
        let (mut flags, mut sum) = (bits >> self.sum_bits, bits & self.sum_mask());
        match multiply(a.number, b.number) {
            Number::Nan => flags |= 3,
            Number::Infinity { negative } => flags |= if negative { 2 } else { 1 },
            Number::Finite {
                negative,
                significand,
                exponent,
            } => {
                let term = match significand {
                    0 => 0,
                    _ => significand << (exponent - self.unit),
                };
                let total = if negative {
                    sum.wrapping_sub(term)
                } else {
                    sum.wrapping_add(term)
                };
                sum = total & self.sum_mask();
            }
        }
        pack(flags << self.sum_bits | sum, psum);
    }

    /// `RNE32(init + psum)`, one rounding: `quaver_exact_finish`.
    pub(crate) fn finish(&self, psum: &[u32], init: u32) -> u32 {
        let bits = unpack(psum);
        let number = match bits >> self.sum_bits {
            3 => Number::Nan,
            2 => Number::Infinity { negative: true },
            1 => Number::Infinity { negative: false },
            _ => {
                let negative = bits >> (self.sum_bits - 1) & 1 != 0;
                let significand = match negative {
                    true => (1 << self.sum_bits) - bits,
                    false => bits,
                };
                Number::Finite {
                    negative,
                    significand,
                    exponent: self.unit,
                }
            }
        };
        add_rounded(number, decode(init, FP32))
    }
}

fn unpack(words: &[u32]) -> u128 {
    let high_first = words.iter().rev();
    high_first.fold(0, |bits, &word| bits << 32 | u128::from(word))
}

fn pack(bits: u128, words: &mut [u32]) {
    for (i, word) in words.iter_mut().enumerate() {
        *word = (bits >> (32 * i)) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::{Accumulator, Formats};
    use quaver_golden::chain::sum;
    use quaver_golden::dot::operand;

    #[test]
    fn random_sums_vs_golden() {
        let formats = Formats::default();
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut cases = 0;
        for (name, unit) in [("e4m3fn", -18), ("e5m2", -32), ("e4m3fnuz", -20)] {
            let format = formats.get(name).unwrap();
            let operands: Vec<Operand> = (0..256).map(|code| operand(code, format)).collect();
            let fixed = FixedPoint::new(&operands, unit, 1 << 16).unwrap();
            for length in [0, 1, 2, 9, 40] {
                for _ in 0..200 {
                    let mut psum = vec![0; fixed.psum_bits().div_ceil(32) as usize];
                    let mut terms = Vec::new();
                    for _ in 0..length {
                        let pick = |code: u32| operands[code as usize & 0xff];
                        let (a, b) = (pick(next()), pick(next()));
                        fixed.accumulate(&mut psum, &a, &b);
                        terms.push((a, b));
                    }
                    let specials = [0, 0x8000_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 1];
                    let init = match next() % 12 {
                        special @ 0..6 => specials[special as usize],
                        _ => next() << 8 | next() & 0xff,
                    };
                    let expected = sum(&Accumulator::Exact, init, &terms);
                    let found = fixed.finish(&psum, init);
                    assert_eq!(found, expected, "{name}: {length} terms, init {init:08x}");
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 3 * 5 * 200);
    }

    #[test]
    fn widths_directed_vs_documentation() {
        let format = Formats::default().get("e4m3fn").unwrap();
        let operands: Vec<Operand> = (0..256).map(|code| operand(code, format)).collect();
        // 2^16 products of 448 * 448 in units of 2^-18, and the sign.
        let fixed = FixedPoint::new(&operands, -18, 1 << 16).unwrap();
        assert_eq!(fixed.sum_bits, 53);
    }
}
