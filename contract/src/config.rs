//! Core configurations: the named ones of `configs.toml`, or a file of the same shape.

mod file;

use std::path::Path;

use serde::Deserialize;

use crate::{Accumulator, BlockScale, ContractError, Encoding, Format, Formats};

pub(crate) use file::syntax;

/// The text of the named configurations, embedded so that an installed binary needs no files.
pub const NAMED: &str = include_str!("../configs.toml");

/// The largest K of a job on a core whose accumulator is exact.
pub const EXACT_MAX_K: u32 = 1 << 16;

/// Clocks of the adder that takes the sum of a chunk into the outer one.
pub const PROMOTE_LATENCY: usize = 4;

/// How operands move through the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataflow {
    /// B stays in the PEs; A moves right, partial sums move down.
    WeightStationary,
    /// Sums stay in the PEs; A moves right, B moves down.
    OutputStationary,
}

impl Dataflow {
    /// The name used in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WeightStationary => "weight_stationary",
            Self::OutputStationary => "output_stationary",
        }
    }
}

/// The scales of blocks that a core takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreBlocks {
    /// Format of the scales: that of one of the [`BlockScale`]s.
    pub format: &'static Format,
    /// Terms of K that share a scale.
    pub length: usize,
}

impl CoreBlocks {
    /// The value of a configuration's `block_scales`.
    fn get(key: &str, value: &str) -> Result<Option<Self>, ContractError> {
        if value == "none" {
            return Ok(None);
        }
        let formats = BlockScale::ALL.map(BlockScale::format);
        let read = || {
            let (name, length) = value.split_once(':')?;
            let format = formats.into_iter().find(|f| f.name == name)?;
            let length = length.parse().ok().filter(|&length| length > 0)?;
            Some(Self { format, length })
        };
        read().map(Some).ok_or_else(|| {
            let names = formats.map(|f| f.name).join(", ");
            let allowed = format!("none, or FORMAT:LENGTH with a format of {names}");
            ContractError::illegal(key, value, allowed)
        })
    }
}

impl std::fmt::Display for CoreBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.format.name, self.length)
    }
}

/// One legal core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreConfig {
    /// Its name: the table's key.
    pub name: String,
    /// What it is for, in a line.
    pub description: String,
    /// PEs along K, of an output-stationary array along M.
    pub rows: usize,
    /// PEs along N.
    pub cols: usize,
    /// Clocks from a PE's partial-sum input to its output.
    pub pe_latency: usize,
    /// Rows of M that one partial-sum bank holds.
    pub tile_rows: usize,
    /// How operands move.
    pub dataflow: Dataflow,
    /// The adder.
    pub accumulator: Accumulator,
    /// Its name in the accumulator table.
    pub accumulator_name: &'static str,
    /// The scales of the operands' blocks, where every job has them.
    pub block_scales: Option<CoreBlocks>,
    /// Formats of A and B.
    pub operand_formats: Vec<&'static Format>,
    /// Formats of the result.
    pub output_formats: Vec<&'static Format>,
}

impl CoreConfig {
    /// All named configurations, in the file's alphabetical order.
    ///
    /// # Errors
    /// [`ContractError`] when the embedded file is illegal; a test of this crate excludes that.
    pub fn named(formats: &Formats) -> Result<Vec<Self>, ContractError> {
        Self::parse(NAMED, "configs.toml", formats)
    }

    /// The named configuration, or the only one of a file when `name` ends in `.toml`.
    ///
    /// # Errors
    /// [`ContractError`] naming the configuration, file or key.
    pub fn load(name: &str, formats: &Formats) -> Result<Self, ContractError> {
        if name.ends_with(".toml") {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path).map_err(|source| ContractError::Read {
                path: path.to_owned(),
                source,
            })?;
            let mut configs = Self::parse(&text, name, formats)?;
            return match configs.len() {
                1 => Ok(configs.remove(0)),
                n => Err(ContractError::illegal(
                    format!("{name}: configurations"),
                    n,
                    "exactly 1 in a file",
                )),
            };
        }
        let configs = Self::named(formats)?;
        let known: Vec<String> = configs.iter().map(|c| c.name.clone()).collect();
        configs.into_iter().find(|c| c.name == name).ok_or_else(|| {
            ContractError::unknown(
                "configuration",
                name,
                known.iter().map(String::as_str).chain(["FILE.toml"]),
            )
        })
    }

    /// The configurations of the text of a file; `path` is its name in errors.
    ///
    /// # Errors
    /// As [`CoreConfig::load`].
    pub fn parse(text: &str, path: &str, formats: &Formats) -> Result<Vec<Self>, ContractError> {
        file::parse(text, path, formats)
    }

    /// Products that a PE adds at once.
    pub const fn lanes(&self) -> usize {
        self.accumulator.lanes()
    }

    /// Terms of K that the array holds at once; of an output-stationary one, those of a step.
    pub const fn tile_k(&self) -> usize {
        match self.dataflow {
            Dataflow::WeightStationary => self.rows * self.lanes(),
            Dataflow::OutputStationary => self.lanes(),
        }
    }

    /// Sums that a PE of an output-stationary array owns: rows of M in a bank over rows of PEs.
    pub const fn slots(&self) -> usize {
        self.tile_rows / self.rows
    }

    /// The largest K of a job, where the core bounds it: exact sums are as wide as it needs.
    pub const fn max_k(&self) -> Option<u32> {
        match self.accumulator {
            Accumulator::Exact => Some(EXACT_MAX_K),
            _ => None,
        }
    }

    /// The number by which the core's CSRs select a format: the table's id, or for formats outside
    /// the table 192 plus the position among this configuration's formats.
    pub fn format_id(&self, format: &Format) -> Option<u8> {
        let position = self
            .operand_formats
            .iter()
            .chain(&self.output_formats)
            .position(|f| f.name == format.name)?;
        Some(match format.id {
            0 => 192 + u8::try_from(position).ok()?,
            id => id,
        })
    }

    fn validate(&self) -> Result<(), ContractError> {
        let key = |name: &str| format!("{}.{name}", self.name);
        let identifier = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !self.name.starts_with(|c: char| c.is_ascii_lowercase())
            || !self.name.chars().all(identifier)
        {
            return Err(ContractError::illegal(
                "configuration name",
                &self.name,
                "a lower-case letter, then lower-case letters, digits and underscores",
            ));
        }
        for (name, formats) in [
            ("operand_formats", &self.operand_formats),
            ("output_formats", &self.output_formats),
        ] {
            if !(1..=16).contains(&formats.len()) {
                return Err(ContractError::illegal(
                    key(name),
                    formats.len(),
                    "1 to 16 formats",
                ));
            }
            for (i, format) in formats.iter().enumerate() {
                if formats[..i].iter().any(|f| f.name == format.name) {
                    return Err(ContractError::illegal(
                        key(name),
                        format.name,
                        "each format once",
                    ));
                }
                if format.encoding == Encoding::PowerOfTwo {
                    return Err(ContractError::illegal(
                        key(name),
                        format.name,
                        "formats with a sign and a zero",
                    ));
                }
            }
        }
        for format in &self.operand_formats {
            if !format.is_operand() {
                return Err(ContractError::illegal(
                    key("operand_formats"),
                    format.name,
                    "signed formats of at most 8 bits",
                ));
            }
        }
        self.accumulator.validate()?;
        if let Accumulator::Chunked { every, .. } = self.accumulator
            && !every.is_multiple_of(self.tile_k())
        {
            return Err(ContractError::illegal(
                key("rows"),
                self.rows,
                format!(
                    "a divisor of {}: chunks end where k tiles do",
                    every / self.lanes()
                ),
            ));
        }
        if let Some(blocks) = self.block_scales {
            if matches!(
                self.accumulator,
                Accumulator::Exact | Accumulator::Chunked { .. }
            ) {
                return Err(ContractError::illegal(
                    key("accumulator"),
                    self.accumulator_name,
                    "one whose partial sums are one FP32 number, with block_scales",
                ));
            }
            if self.dataflow != Dataflow::WeightStationary {
                return Err(ContractError::illegal(
                    key("block_scales"),
                    blocks,
                    "none, unless dataflow is weight_stationary: sums are scaled below the array",
                ));
            }
            if !blocks.length.is_multiple_of(self.tile_k()) {
                return Err(ContractError::illegal(
                    key("block_scales"),
                    blocks,
                    format!(
                        "a length that is a multiple of {}: blocks end where k tiles do",
                        self.tile_k()
                    ),
                ));
            }
        }
        self.validate_slots()?;
        for a in &self.operand_formats {
            for b in &self.operand_formats {
                if !a.products_fit_fp32(b) {
                    return Err(ContractError::illegal(
                        key("operand_formats"),
                        format!("{} x {}", a.name, b.name),
                        Format::PRODUCT_RANGE,
                    ));
                }
            }
        }
        Ok(())
    }

    /// The fewest sums that a PE of an output-stationary array can own: two, and one for each clock
    /// of its adder, which is pipelined; a chunked one has a second adder behind the first.
    pub fn least_slots(&self) -> usize {
        let clocks = match self.accumulator {
            Accumulator::Chunked { .. } => self.pe_latency + PROMOTE_LATENCY,
            _ => self.pe_latency,
        };
        clocks.max(2)
    }

    fn validate_slots(&self) -> Result<(), ContractError> {
        if self.dataflow != Dataflow::OutputStationary {
            return Ok(());
        }
        let slots = self.least_slots();
        if self.tile_rows.is_multiple_of(self.rows) && self.slots() >= slots {
            return Ok(());
        }
        Err(ContractError::illegal(
            format!("{}.tile_rows", self.name),
            self.tile_rows,
            format!(
                "multiples of rows = {}, at least {}: each PE owns tile_rows / rows sums, and its \
                 adder needs {slots}",
                self.rows,
                slots * self.rows
            ),
        ))
    }
}
