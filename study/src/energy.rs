//! What a job costs in energy, by a table that can be replaced.

use std::path::Path;

use quaver_contract::Accumulator;
use quaver_contract::accumulator::Dot;
use serde::{Deserialize, Serialize};

use crate::StudyError;

const DEFAULT: &str = include_str!("../energy.toml");

/// Picojoules of an operation, or of a byte that moves: `energy.toml` says what each is and where its
/// default is from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyTable {
    /// Where the numbers are from.
    pub source: String,
    /// A product of two operands.
    pub multiply: f64,
    /// A binary32 addition.
    pub add_fp32: f64,
    /// A bit of a fixed-point addition.
    pub add_bit: f64,
    /// A byte of a memory on the chip.
    pub buffer_byte: f64,
    /// A byte off the chip.
    pub memory_byte: f64,
}

/// What a job does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Activity {
    /// Multiply-adds.
    pub macs: u64,
    /// Bits of a partial sum of the exact accumulator; unused by others.
    pub sum_bits: u32,
    /// Bytes that are read from or written to memories on the chip.
    pub buffer_bytes: u64,
    /// Bytes that cross the chip's edge.
    pub memory_bytes: u64,
}

/// Microjoules of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Energy {
    /// Products and sums.
    pub compute_uj: f64,
    /// Memories on the chip.
    pub buffers_uj: f64,
    /// Memory off the chip.
    pub memory_uj: f64,
}

impl Energy {
    /// All of it.
    pub fn total_uj(&self) -> f64 {
        self.compute_uj + self.buffers_uj + self.memory_uj
    }
}

impl EnergyTable {
    /// The default table.
    ///
    /// # Errors
    /// [`StudyError::Energy`] when it is no table; a test excludes that.
    pub fn standard() -> Result<Self, StudyError> {
        Self::parse(DEFAULT, "energy.toml")
    }

    /// The table of a file.
    ///
    /// # Errors
    /// [`StudyError::Energy`] naming the file, and the line or key.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| StudyError::Energy {
            file: name.clone(),
            reason: error.to_string(),
        })?;
        Self::parse(&text, &name)
    }

    /// The table of the text of a file, which has that name in errors.
    ///
    /// # Errors
    /// As [`EnergyTable::read`].
    pub fn parse(text: &str, file: &str) -> Result<Self, StudyError> {
        let fail = |reason: String| StudyError::Energy {
            file: file.to_owned(),
            reason,
        };
        let table: Self = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(0, |span| text[..span.start].lines().count());
            fail(format!("line {}: {}", line.max(1), error.message()))
        })?;
        for (key, value) in [
            ("multiply", table.multiply),
            ("add_fp32", table.add_fp32),
            ("add_bit", table.add_bit),
            ("buffer_byte", table.buffer_byte),
            ("memory_byte", table.memory_byte),
        ] {
            if !(0.0..=1e9).contains(&value) {
                return Err(fail(format!(
                    "{key} = {value} is not allowed (0 to 1e9 pJ)"
                )));
            }
        }
        Ok(table)
    }

    /// Picojoules of a multiply-add.
    fn mac(&self, accumulator: &Accumulator, sum_bits: u32) -> f64 {
        let add = match accumulator {
            Accumulator::Fp32 | Accumulator::Fp32TowardZero | Accumulator::Tree { .. } => {
                self.add_fp32
            }
            Accumulator::Dot(Dot {
                lanes,
                fraction_bits,
                ..
            }) => {
                // The aligned terms in fixed point; one addition to the sum a block.
                let bits = fraction_bits + lanes.ilog2() + 2;
                f64::from(bits) * self.add_bit + self.add_fp32 / *lanes as f64
            }
            Accumulator::Exact => f64::from(sum_bits) * self.add_bit,
            Accumulator::Chunked { inner, every } => {
                return self.mac(inner, sum_bits) + self.add_fp32 / *every as f64;
            }
        };
        self.multiply + add
    }

    /// What a job costs on a core with that accumulator.
    pub fn energy(&self, accumulator: &Accumulator, activity: &Activity) -> Energy {
        let micro = 1e-6;
        let times = |count: u64, each: f64| count as f64 * each * micro;
        Energy {
            compute_uj: times(activity.macs, self.mac(accumulator, activity.sum_bits)),
            buffers_uj: times(activity.buffer_bytes, self.buffer_byte),
            memory_uj: times(activity.memory_bytes, self.memory_byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use quaver_contract::accumulator::TABLE;

    use super::*;

    #[test]
    fn every_accumulator_has_a_cost_that_follows_the_table() {
        let table = EnergyTable::standard().unwrap();
        let activity = Activity {
            macs: 1_000_000,
            sum_bits: 53,
            buffer_bytes: 1_000_000,
            memory_bytes: 2_000_000,
        };
        for row in TABLE {
            let energy = table.energy(&row.accumulator, &activity);
            assert!(energy.compute_uj > table.multiply, "{}", row.name);
            assert_eq!((energy.buffers_uj, energy.memory_uj), (1.25, 487.5));
        }
        // A million products and binary32 additions: 0.2 + 0.9 pJ each.
        let fp32 = table.energy(&Accumulator::Fp32, &activity).compute_uj;
        assert!((fp32 - 1.1).abs() < 1e-12, "{fp32}");
        let doubled = EnergyTable {
            multiply: 2.0 * table.multiply,
            ..table
        };
        let more = doubled.energy(&Accumulator::Fp32, &activity).compute_uj;
        assert!((more - 1.3).abs() < 1e-12, "{more}");
    }

    #[test]
    fn bad_tables_are_named() {
        let good = DEFAULT;
        for (text, expected) in [
            (
                good.replace("multiply = 0.2", "multiply = -1"),
                "multiply = -1",
            ),
            (good.replace("add_bit", "add_bits"), "add_bits"),
            (good.replace("multiply = 0.2\n", ""), "multiply"),
            (good.replace("0.9\n", "\"x\"\n"), "line"),
        ] {
            let error = EnergyTable::parse(&text, "mine.toml")
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("mine.toml") && error.contains(expected),
                "{error}"
            );
        }
    }
}
