//! How a chain of products is added up: data, order of addition included (numerics.md, section 4).

use crate::ContractError;

/// The adder of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accumulator {
    /// `acc = init; for k in 0..K: acc = RNE32(acc + a_k * b_k)`: an FP32 fused multiply-add
    /// chain in ascending k, rounded to nearest even at every step.
    Fp32,
}

/// One row of the accumulator table.
#[derive(Clone, Copy, Debug)]
pub struct AccumulatorRow {
    /// Name in configurations, on the command line and in reports.
    pub name: &'static str,
    /// The accumulator.
    pub accumulator: Accumulator,
    /// What it is, in a line.
    pub summary: &'static str,
}

/// Every accumulator that has a name.
pub const TABLE: &[AccumulatorRow] = &[AccumulatorRow {
    name: "fp32",
    accumulator: Accumulator::Fp32,
    summary: "sequential FP32 chain, round to nearest even at every addition",
}];

impl Accumulator {
    /// The accumulator of that name.
    ///
    /// # Errors
    /// [`ContractError::Unknown`] with the known names.
    pub fn get(name: &str) -> Result<Self, ContractError> {
        TABLE
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.accumulator)
            .ok_or_else(|| {
                ContractError::unknown("accumulator", name, TABLE.iter().map(|row| row.name))
            })
    }

    /// Its name in the table.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
        }
    }

    /// Products that are added at once; the array's lanes are this many.
    pub const fn lanes(&self) -> usize {
        match self {
            Self::Fp32 => 1,
        }
    }

    /// Width of a partial sum inside a core.
    pub const fn psum_bits(&self) -> u32 {
        match self {
            Self::Fp32 => 32,
        }
    }
}
