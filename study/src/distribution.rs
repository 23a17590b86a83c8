//! Seeded operands.

use ndarray::Array2;
use quaver_contract::{ContractError, Conversion, Overflow};
use quaver_fast::encode::Encoder;

use crate::{Study, StudyError};

/// What operands look like before they are rounded (saturating) to the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Standard normal.
    Normal,
    /// Uniform in [-1, 1).
    Uniform,
    /// Uniform in [0, 1): what follows a ReLU; sums only grow.
    Positive,
    /// Standard normal, one in a hundred 64 times as large: activations with outliers.
    Outliers,
    /// Finite codes with equal probability: magnitudes spread over all binades.
    Codes,
}

impl Distribution {
    /// Every distribution.
    pub const ALL: &'static [Self] = &[
        Self::Normal,
        Self::Uniform,
        Self::Positive,
        Self::Outliers,
        Self::Codes,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Uniform => "uniform",
            Self::Positive => "positive",
            Self::Outliers => "outliers",
            Self::Codes => "codes",
        }
    }

    /// The distribution of that name.
    ///
    /// # Errors
    /// [`StudyError::Distribution`] with the known names.
    pub fn get(name: &str) -> Result<Self, StudyError> {
        Self::ALL
            .iter()
            .copied()
            .find(|d| d.name() == name)
            .ok_or_else(|| StudyError::Distribution {
                name: name.to_owned(),
                known: Self::ALL
                    .iter()
                    .map(|d| d.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    pub(crate) fn operands(self, study: &Study) -> Result<(Array2<u8>, Array2<u8>), StudyError> {
        let format = study.format;
        if !format.is_operand() {
            return Err(ContractError::illegal(
                "format",
                format.name,
                "a signed format of at most 8 bits",
            )
            .into());
        }
        let saturating = Conversion::native(format).with_overflow(Overflow::Saturate)?;
        let encoder = Encoder::new(&saturating)?;
        let mut random = Random(study.seed);
        let mut code = || loop {
            let code = match self {
                Self::Codes => random.bits() as u32 & format.code_mask(),
                _ => encoder.one(self.value(&mut random).to_bits(), 0),
            };
            if f32::from_bits(quaver_fast::decode::decode(format, code)).is_finite() {
                return code as u8;
            }
        };
        let a = Array2::from_shape_simple_fn((study.m, study.k), &mut code);
        let b = Array2::from_shape_simple_fn((study.k, study.n), &mut code);
        Ok((a, b))
    }

    fn value(self, random: &mut Random) -> f32 {
        match self {
            Self::Normal => random.normal(),
            Self::Uniform => 2.0 * random.unit() - 1.0,
            Self::Positive => random.unit(),
            Self::Outliers => {
                let factor = if random.unit() < 0.01 { 64.0 } else { 1.0 };
                factor * random.normal()
            }
            Self::Codes => f32::from_bits(random.bits() as u32),
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// Box and Muller, 1958.
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }
}
