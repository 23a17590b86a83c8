//! Operand matrices, each of a class that stresses something else.

use ndarray::{Array2, ArrayViewMut1, Axis};
use quaver_contract::{Encoding, Format};
use quaver_golden::{Number, decode};

use crate::random::Random;

/// What the codes of a job's operands look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeClass {
    /// Every code with the same probability.
    Uniform,
    /// Normal numbers.
    Normal,
    /// Subnormals and zeros of both signs.
    Subnormal,
    /// One code in four is NaN, infinity, zero or an extreme number.
    Special,
    /// One term of the largest magnitude in a sum of small ones.
    HugeTerm,
    /// Every second term is the negated one before it, so that sums cancel.
    Cancellation,
}

impl CodeClass {
    /// Every class.
    pub const ALL: &'static [Self] = &[
        Self::Uniform,
        Self::Normal,
        Self::Subnormal,
        Self::Special,
        Self::HugeTerm,
        Self::Cancellation,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Subnormal => "subnormal",
            Self::Special => "special",
            Self::HugeTerm => "huge term",
            Self::Cancellation => "cancellation",
        }
    }
}

/// The codes of a format, sorted into what they stand for.
#[derive(Clone, Debug)]
pub struct Pools {
    format: &'static Format,
    all: Vec<u8>,
    normal: Vec<u8>,
    subnormal: Vec<u8>,
    special: Vec<u8>,
    small: Vec<u8>,
    largest: u8,
}

impl Pools {
    /// Sorts the codes of an operand format.
    pub fn new(format: &'static Format) -> Self {
        let mut pools = Self {
            format,
            all: (0..=format.code_mask() as u8).collect(),
            normal: Vec::new(),
            subnormal: Vec::new(),
            special: Vec::new(),
            small: Vec::new(),
            largest: format.max_code() as u8,
        };
        // Magnitudes are ordered as codes are; the lower half of them makes sums that a huge term
        // swallows.
        let half = format.max_code() / 2;
        for &code in &pools.all {
            let magnitude = u32::from(code) & format.magnitude_mask();
            let has_field = magnitude >> format.fraction_bits != 0;
            match decode(code.into(), format) {
                Number::Finite { significand, .. } => {
                    let normal = match format.encoding {
                        Encoding::Float => has_field,
                        _ => significand != 0,
                    };
                    if normal {
                        pools.normal.push(code);
                    } else {
                        pools.subnormal.push(code);
                    }
                    if significand == 0 || magnitude == format.max_code() || magnitude == 1 {
                        pools.special.push(code);
                    }
                    if magnitude <= half {
                        pools.small.push(code);
                    }
                }
                _ => pools.special.push(code),
            }
        }
        pools
    }

    /// A matrix of that class. `k` is the axis along which products are added.
    pub fn matrix(
        &self,
        class: CodeClass,
        shape: (usize, usize),
        k: Axis,
        random: &mut Random,
    ) -> Array2<u8> {
        let pool = match class {
            CodeClass::Uniform | CodeClass::Special | CodeClass::Cancellation => &self.all,
            CodeClass::Normal => &self.normal,
            CodeClass::Subnormal => &self.subnormal,
            CodeClass::HugeTerm => &self.small,
        };
        let mut matrix = Array2::from_shape_simple_fn(shape, || {
            if class == CodeClass::Special && random.one_in(4) {
                random.pick(&self.special)
            } else {
                random.pick(pool)
            }
        });
        for mut terms in matrix.lanes_mut(k) {
            match class {
                CodeClass::HugeTerm if !terms.is_empty() => {
                    let position = random.below(terms.len());
                    terms[position] = self.largest;
                }
                CodeClass::Cancellation => self.cancel(&mut terms, k, random),
                _ => {}
            }
        }
        matrix
    }

    /// Along A's rows every second term becomes the negated one before it, and along B's columns
    /// the same one, so that their products cancel. Some pairs are spared.
    fn cancel(&self, terms: &mut ArrayViewMut1<'_, u8>, k: Axis, random: &mut Random) {
        for odd in (1..terms.len()).step_by(2) {
            let before = terms[odd - 1];
            terms[odd] = match k {
                Axis(1) if random.one_in(8) => terms[odd],
                Axis(1) => self.negated(before),
                _ => before,
            };
        }
    }

    fn negated(&self, code: u8) -> u8 {
        match self.format.encoding {
            Encoding::TwosComplement => code.wrapping_neg() & self.format.code_mask() as u8,
            _ => code ^ self.format.sign_mask() as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use quaver_contract::Formats;

    use super::*;

    #[test]
    fn every_operand_format_fills_every_class() {
        let formats = Formats::default();
        let mut cases = 0;
        for format in formats.iter().filter(|f| f.is_operand()) {
            let pools = Pools::new(format);
            let mut random = Random::new(1, format.name);
            for &class in CodeClass::ALL {
                for k in [Axis(0), Axis(1)] {
                    let matrix = pools.matrix(class, (7, 9), k, &mut random);
                    assert!(matrix.iter().all(|&c| u32::from(c) <= format.code_mask()));
                    let empty = pools.matrix(class, (0, 0), k, &mut random);
                    assert!(empty.is_empty());
                    cases += 1;
                }
            }
        }
        assert!(cases > 0);
    }
}
