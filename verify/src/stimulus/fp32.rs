//! Binary32 codes by class: initial values, scales, biases, and what units are fed.

use crate::random::Random;

/// What a binary32 value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fp32Class {
    /// Every code with the same probability.
    Uniform,
    /// Exponents near 0, where operands and their sums are.
    Ordinary,
    /// Subnormals.
    Subnormal,
    /// Zeros, infinities, NaN, and the ends of each range.
    Special,
    /// Powers of two.
    PowerOfTwo,
    /// The largest exponents: sums and products overflow.
    Huge,
}

const SPECIAL: &[u32] = &[
    0x0000_0000, // 0
    0x0000_0001, // the smallest subnormal
    0x007f_ffff, // the largest subnormal
    0x0080_0000, // the smallest normal number
    0x0080_0001,
    0x3f7f_ffff, // just below 1
    0x3f80_0000, // 1
    0x3f80_0001, // just above 1
    0x7f7f_fffe,
    0x7f7f_ffff, // the largest number
    0x7f80_0000, // infinity
    0x7f80_0001, // a signalling NaN
    0x7fc0_0000, // the canonical NaN
    0x7fff_ffff,
];

const SIGN: u32 = 1 << 31;

impl Fp32Class {
    /// Every class.
    pub const ALL: &'static [Self] = &[
        Self::Uniform,
        Self::Ordinary,
        Self::Subnormal,
        Self::Special,
        Self::PowerOfTwo,
        Self::Huge,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Ordinary => "ordinary",
            Self::Subnormal => "subnormal",
            Self::Special => "special",
            Self::PowerOfTwo => "power of two",
            Self::Huge => "huge",
        }
    }

    /// A value of the class, of either sign.
    pub fn value(self, random: &mut Random) -> u32 {
        let bits = random.bits32();
        let with_exponent = |exponent: i32| ((exponent + 127) as u32) << 23;
        match self {
            Self::Uniform => bits,
            Self::Ordinary => (bits & (SIGN | 0x7f_ffff)) | with_exponent(random.between(-20, 20)),
            Self::Subnormal => bits & (SIGN | (0x7f_ffff >> random.below(23))),
            Self::Special => (bits & SIGN) | random.pick(SPECIAL),
            Self::PowerOfTwo => (bits & SIGN) | with_exponent(random.between(-126, 127)),
            Self::Huge => (bits & (SIGN | 0x7f_ffff)) | with_exponent(random.between(120, 127)),
        }
    }

    /// A value of any class.
    pub fn any(random: &mut Random) -> u32 {
        random.pick(Self::ALL).value(random)
    }
}

/// Fractions at which roundings change: runs of ones or zeros from either end, one bit alone, all
/// but one, and their neighbours.
pub fn edge_fractions() -> Vec<u32> {
    let mut fractions: Vec<u32> = (0..=23)
        .flat_map(|n| {
            let low_ones = (1u32 << n) - 1;
            let bit = 1u32 << n.min(22);
            [low_ones, !low_ones, bit, !bit, bit + 1, bit.wrapping_sub(1)]
        })
        .map(|fraction| fraction & 0x7f_ffff)
        .collect();
    fractions.sort_unstable();
    fractions.dedup();
    fractions
}
