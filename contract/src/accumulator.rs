//! How the products of a sum are added up: data, order of addition included (numerics.md,
//! section 4).

use std::fmt;

use crate::ContractError;

/// The canonical NaN of binary32 (numerics.md 2.5).
pub const NAN: u32 = 0x7fc0_0000;

/// The adder of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accumulator {
    /// Rule 4.1: `acc = RNE32(acc + a_k * b_k)`, k ascending, one rounding a term.
    Fp32,
    /// Rule 4.1 with every addition rounded toward zero.
    Fp32TowardZero,
    /// Rule 4.2: blocks of `lanes` products, added pairwise in binary32, then to the accumulator.
    Tree {
        /// Products a block; a power of two.
        lanes: usize,
    },
    /// Rule 4.3: blocks of products aligned to their largest exponent and truncated.
    Dot(Dot),
    /// Rule 4.4: the exact sum of everything, rounded once.
    Exact,
    /// Rule 4.5: the inner accumulator from +0 over `every` terms at a time, and the partial sums
    /// added sequentially in binary32, nearest even.
    Chunked {
        /// The accumulator of a chunk; not chunked itself.
        inner: &'static Accumulator,
        /// Terms a chunk.
        every: usize,
    },
}

/// A fused dot product of a matrix unit (rule 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dot {
    /// Products a block; the blocks of a longer K are chained.
    pub lanes: usize,
    /// Fraction bits that an aligned term keeps below the largest exponent.
    pub fraction_bits: u32,
    /// Whether the maximum is one for the block, or one each for its even and its odd terms.
    pub groups: Groups,
    /// How a product's exponent is found.
    pub exponent: ProductExponent,
    /// Least value of the largest exponent.
    pub exponent_floor: i32,
    /// How the accumulator enters.
    pub addend: Addend,
    /// How a sum becomes binary32.
    pub output: DotOutput,
    /// Whether subnormal accumulators and results become zero of their sign.
    pub flush_subnormals: bool,
    /// The NaN that the unit produces.
    pub nan: u32,
}

/// Which products share a maximum exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Groups {
    /// All of the block.
    One,
    /// Those with even and those with odd index apart; both sums are then aligned to the larger
    /// maximum by floor and added.
    EvenOdd,
}

/// The exponent by which a product is aligned: the sum of its operands' exponents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProductExponent {
    /// Subnormal operands have the format's smallest exponent.
    Field,
    /// Subnormal operands have the exponent of their leading bit.
    Normalised,
    /// As `Normalised`, but no operand's exponent is below this.
    NormalisedAbove(i32),
}

/// How the accumulator enters a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addend {
    /// As one more term: it takes part in the maximum and is truncated like a product.
    Early,
    /// After the block's sum has become binary32: `RNE32(sum + acc)`.
    LateRounded,
    /// Into the block's unrounded sum: `RNE32(sum + acc)` with one rounding.
    LateExact,
    /// With the larger exponent of sum and accumulator as reference, the sum is floored to
    /// `sum_bits` fraction bits, the accumulator to `addend_bits` (0 when it is more than one bit
    /// further down), and `RNE32` rounds what they add to.
    LateFloored {
        /// Fraction bits of the sum.
        sum_bits: u32,
        /// Fraction bits of the accumulator.
        addend_bits: u32,
    },
}

/// How the sum of a block becomes binary32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DotOutput {
    /// Truncated toward zero to this many fraction bits at its own exponent (23: all of binary32).
    Truncate(u32),
    /// To nearest, ties to even.
    NearestEven,
}

/// NVIDIA's FP8 units up to Hopper (rule 4.3; facts and evidence beside the profiles).
const NVIDIA_13: Dot = Dot {
    lanes: 32,
    fraction_bits: 13,
    groups: Groups::One,
    exponent: ProductExponent::Field,
    exponent_floor: -132,
    addend: Addend::Early,
    output: DotOutput::Truncate(13),
    flush_subnormals: false,
    nan: 0x7fff_ffff,
};

/// NVIDIA Hopper.
pub const HOPPER: Accumulator = Accumulator::Dot(NVIDIA_13);

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

const fn row(
    name: &'static str,
    accumulator: Accumulator,
    summary: &'static str,
) -> AccumulatorRow {
    AccumulatorRow {
        name,
        accumulator,
        summary,
    }
}

/// Every accumulator that has a name.
pub const TABLE: &[AccumulatorRow] = &[
    row(
        "fp32",
        Accumulator::Fp32,
        "sequential binary32 chain, nearest even at every term",
    ),
    row(
        "fp32_rz",
        Accumulator::Fp32TowardZero,
        "sequential binary32 chain, toward zero at every term",
    ),
    row(
        "tree4",
        Accumulator::Tree { lanes: 4 },
        "binary32 adder tree of 4 products",
    ),
    row(
        "tree8",
        Accumulator::Tree { lanes: 8 },
        "binary32 adder tree of 8 products",
    ),
    row(
        "tree16",
        Accumulator::Tree { lanes: 16 },
        "binary32 adder tree of 16 products",
    ),
    row(
        "exact",
        Accumulator::Exact,
        "exact sum, one rounding at the end",
    ),
    row(
        "dot_ada",
        Accumulator::Dot(Dot {
            lanes: 16,
            ..NVIDIA_13
        }),
        "16 products and c, 13 fraction bits, truncated; NVIDIA Ada",
    ),
    row(
        "dot_hopper",
        HOPPER,
        "32 products and c, 13 fraction bits, truncated; NVIDIA Hopper",
    ),
    row(
        "dot_hopper_chunk128",
        Accumulator::Chunked {
            inner: &HOPPER,
            every: 128,
        },
        "dot_hopper promoted to binary32 every 128 of K",
    ),
    row(
        "dot_blackwell",
        Accumulator::Dot(Dot {
            fraction_bits: 25,
            addend: Addend::LateRounded,
            output: DotOutput::Truncate(23),
            ..NVIDIA_13
        }),
        "32 products, 25 fraction bits, truncated; c added in binary32; NVIDIA B200",
    ),
    row(
        "dot_cdna3",
        Accumulator::Dot(Dot {
            lanes: 16,
            fraction_bits: 24,
            groups: Groups::EvenOdd,
            addend: Addend::LateFloored {
                sum_bits: 31,
                addend_bits: 24,
            },
            output: DotOutput::NearestEven,
            nan: NAN,
            ..NVIDIA_13
        }),
        "16 products, even and odd apart, 24 fraction bits; AMD CDNA3",
    ),
    row(
        "dot_gaudi2",
        Accumulator::Dot(Dot {
            lanes: 16,
            fraction_bits: 24,
            exponent: ProductExponent::NormalisedAbove(-14),
            addend: Addend::LateExact,
            output: DotOutput::NearestEven,
            flush_subnormals: true,
            ..NVIDIA_13
        }),
        "16 products, 24 fraction bits; c added before the one rounding; Intel Gaudi2",
    ),
    row(
        "dot_gaudi3",
        Accumulator::Dot(Dot {
            lanes: 8,
            fraction_bits: 24,
            exponent: ProductExponent::Normalised,
            output: DotOutput::Truncate(23),
            ..NVIDIA_13
        }),
        "8 products and c, 24 fraction bits, truncated; Intel Gaudi3",
    ),
];

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

    /// Its name in the table, or `custom`.
    pub fn name(&self) -> &'static str {
        TABLE
            .iter()
            .find(|row| row.accumulator == *self)
            .map_or("custom", |row| row.name)
    }

    /// Products that are added at once; the array's lanes are this many.
    pub const fn lanes(&self) -> usize {
        match self {
            Self::Fp32 | Self::Fp32TowardZero | Self::Exact => 1,
            Self::Tree { lanes } => *lanes,
            Self::Dot(dot) => dot.lanes,
            Self::Chunked { inner, .. } => inner.lanes(),
        }
    }

    /// The NaN that it produces, as binary32 bits.
    pub const fn nan(&self) -> u32 {
        match self {
            Self::Fp32 | Self::Fp32TowardZero | Self::Tree { .. } | Self::Exact => NAN,
            Self::Dot(dot) => dot.nan,
            Self::Chunked { inner, .. } => inner.nan(),
        }
    }
}

impl Accumulator {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] naming the parameter.
    pub fn validate(&self) -> Result<(), ContractError> {
        let ranged = |key: &str, value: usize, low: usize, high: usize| {
            (low..=high)
                .contains(&value)
                .then_some(())
                .ok_or_else(|| ContractError::illegal(key, value, format!("{low} to {high}")))
        };
        match self {
            Self::Fp32 | Self::Fp32TowardZero | Self::Exact => Ok(()),
            Self::Tree { lanes } if lanes.is_power_of_two() => ranged("tree.lanes", *lanes, 2, 64),
            Self::Tree { lanes } => Err(ContractError::illegal(
                "tree.lanes",
                lanes,
                "a power of two, 2 to 64",
            )),
            Self::Dot(dot) => {
                ranged("dot.lanes", dot.lanes, 1, 64)?;
                ranged("dot.fraction_bits", dot.fraction_bits as usize, 4, 40)?;
                if let DotOutput::Truncate(bits) = dot.output {
                    ranged("dot.output.truncate", bits as usize, 1, 23)?;
                }
                if dot.groups == Groups::EvenOdd {
                    ranged("dot.lanes of even and odd groups", dot.lanes, 2, 64)?;
                }
                match dot.addend {
                    Addend::Early if dot.groups == Groups::EvenOdd => Err(ContractError::illegal(
                        "dot.addend",
                        "early",
                        "a late one with even and odd groups",
                    )),
                    Addend::LateFloored {
                        sum_bits,
                        addend_bits,
                    } => {
                        let least = dot.fraction_bits.max(addend_bits) as usize;
                        ranged("dot.addend.addend_bits", addend_bits as usize, 4, 40)?;
                        ranged("dot.addend.sum_bits", sum_bits as usize, least, 40)
                    }
                    _ => Ok(()),
                }
            }
            Self::Chunked { inner, every } => {
                ranged("chunked.every", *every, 1, 1 << 20)?;
                if matches!(inner, Self::Chunked { .. }) {
                    return Err(ContractError::illegal(
                        "chunked.inner",
                        "chunked",
                        "an accumulator that is not chunked",
                    ));
                }
                if !every.is_multiple_of(inner.lanes()) {
                    return Err(ContractError::illegal(
                        "chunked.every",
                        every,
                        format!("a multiple of the inner lanes, {}", inner.lanes()),
                    ));
                }
                inner.validate()
            }
        }
    }
}

impl fmt::Display for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
