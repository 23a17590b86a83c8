//! What follows from a configuration: the Verilog's parameters and derived widths.

use quaver_contract::config::{Dataflow, PROMOTE_LATENCY};
use quaver_contract::{Accumulator, CoreBlocks, CoreConfig, Format};

use crate::SimError;
use crate::arithmetic::{ABSENT, decode_table};
use crate::fixed::FixedPoint;
use crate::levels::SCALE_LATENCY;
use crate::tokens::Tokens;
use crate::trace::{Visitor, VisitorExt as _};

/// Parameters and widths of one core; the names are those of `quaver_core`.
#[derive(Clone, Debug)]
pub struct Shape {
    /// `ROWS`: PEs along K.
    pub rows: usize,
    /// `COLS`: PEs along N.
    pub cols: usize,
    /// `LANES`: products of a PE and clock.
    pub lanes: usize,
    /// `PE_LATENCY`.
    pub pe_latency: usize,
    /// `SLOTS` of an output-stationary core: sums of a PE.
    pub slots: Option<usize>,
    /// Terms of K in a tile, or in a step of an output-stationary core.
    pub tile_k: usize,
    /// `TILE_ROWS`: rows of M in a bank.
    pub tile_rows: usize,
    /// `ROW_W`: bits of a row's address in a bank.
    pub row_bits: u32,
    /// `COLS_W`: bits of a number of columns.
    pub cols_bits: u32,
    /// `TERMS_W`: bits of a number of terms of a k tile.
    pub terms_bits: u32,
    /// `EXP_W`: bits of an operand's exponent.
    pub exponent_bits: u32,
    /// `SIG_W`: bits of an operand's significand.
    pub significand_bits: u32,
    /// Names and numbers of the operand formats, in the order of `FORMAT_TABLE`.
    pub operand_formats: Vec<(&'static Format, u8)>,
    /// Names and numbers of the output formats, in the order of `OUTPUT_TABLE`.
    pub output_formats: Vec<(&'static Format, u8)>,
    /// `FP32_NAN`: what a NaN is in a result of binary32.
    pub fp32_nan: u32,
    /// `CHUNK_TILES`: k tiles of a chunk, or of a block with scales; 0 where there is neither.
    pub chunk_tiles: usize,
    /// The scales of the operands' blocks.
    pub block_scales: Option<CoreBlocks>,
    /// The largest K of a job, where the core bounds it: `K_MAX`.
    pub max_k: Option<u32>,
    /// Partial sums of the exact accumulator.
    pub(crate) fixed: Option<FixedPoint>,
    /// Operands of accumulators other than `fp32`, whose operands move as binary32 values.
    pub(crate) tokens: Option<Tokens>,
}

/// `$clog2`.
pub(crate) const fn clog2(value: usize) -> u32 {
    match value {
        0 | 1 => 0,
        _ => (value - 1).ilog2() + 1,
    }
}

/// Bits of an index below `count`, at least 1.
pub(crate) const fn index_bits(count: usize) -> u32 {
    if count > 1 { clog2(count) } else { 1 }
}

/// All ones in that many bits, 1 to 32.
pub(crate) const fn mask(bits: u32) -> u32 {
    u32::MAX >> (32 - bits)
}

impl Shape {
    /// Derives the shape of a configuration's core.
    ///
    /// # Errors
    /// [`SimError::Accumulator`] for exact sums of more bits than the model has, and for chunks of
    /// them, which the Verilog does not have either.
    pub fn new(config: &CoreConfig) -> Result<Self, SimError> {
        let (adder, chunk) = match config.accumulator {
            Accumulator::Chunked { inner, every } => (*inner, every),
            other => (other, config.block_scales.map_or(0, |blocks| blocks.length)),
        };
        let refuse = |allowed| SimError::Accumulator {
            config: config.name.clone(),
            value: config.accumulator_name.to_owned(),
            allowed,
        };
        if adder == Accumulator::Exact && chunk > 0 {
            return Err(refuse("chunks of any accumulator but exact"));
        }
        let numbered = |formats: &[&'static Format]| -> Vec<(&'static Format, u8)> {
            let id = |f: &'static Format| config.format_id(f).expect("one of the configuration's");
            formats.iter().map(|&f| (f, id(f))).collect()
        };
        let tokens =
            (adder != Accumulator::Fp32).then(|| Tokens::new(adder, &config.operand_formats));
        let (exponent_bits, significand_bits) = match &tokens {
            Some(tokens) => tokens.widths(),
            None => operand_bits(&config.operand_formats),
        };
        let fixed = match (&tokens, adder, config.max_k()) {
            (Some(tokens), Accumulator::Exact, Some(terms)) => {
                let fixed = tokens.fixed_point(terms);
                Some(fixed.ok_or_else(|| refuse("exact sums of at most 126 bits"))?)
            }
            _ => None,
        };
        Ok(Self {
            rows: config.rows,
            cols: config.cols,
            lanes: config.lanes(),
            pe_latency: config.pe_latency,
            slots: (config.dataflow == Dataflow::OutputStationary).then(|| config.slots()),
            tile_k: config.tile_k(),
            tile_rows: config.tile_rows,
            row_bits: index_bits(config.tile_rows),
            cols_bits: clog2(config.cols + 1),
            terms_bits: clog2(config.tile_k() + 1),
            exponent_bits,
            significand_bits,
            operand_formats: numbered(&config.operand_formats),
            output_formats: numbered(&config.output_formats),
            fp32_nan: config.accumulator.nan(),
            chunk_tiles: chunk / config.tile_k(),
            block_scales: config.block_scales,
            max_k: config.max_k(),
            fixed,
            tokens,
        })
    }

    /// `OPERAND_W`: `{nan, inf, sign, exponent, significand}`.
    pub const fn operand_bits(&self) -> u32 {
        3 + self.exponent_bits + self.significand_bits
    }

    /// `FLIGHT`: clocks from a launch to its write-back in column 0.
    pub const fn flight(&self) -> usize {
        let retire = match self.block_scales {
            Some(_) => SCALE_LATENCY + PROMOTE_LATENCY,
            None if self.chunk_tiles > 0 => PROMOTE_LATENCY,
            None => 0,
        };
        1 + self.rows * self.pe_latency + retire
    }

    /// Bits of `s_axis_a_tuser` and `s_axis_b_tuser`; 0 where the core has none.
    pub fn user_bits(&self) -> [u32; 2] {
        let bits = self.block_scales.map_or(0, |blocks| blocks.format.bits());
        [bits, bits * self.cols as u32]
    }

    /// The bits of a block's scale.
    pub(crate) fn scale_mask(&self) -> u32 {
        self.block_scales
            .map_or(0, |blocks| blocks.format.code_mask())
    }

    /// `PSUM_W`: bits of a partial sum in the array.
    pub const fn psum_bits(&self) -> u32 {
        match &self.fixed {
            Some(fixed) => fixed.psum_bits(),
            None => 32,
        }
    }

    /// Words of 32 bits in a partial sum.
    pub const fn psum_words(&self) -> usize {
        self.psum_bits().div_ceil(32) as usize
    }

    /// `MEMORY_W`: bits of a word of the partial-sum memory.
    pub const fn memory_bits(&self) -> u32 {
        if self.chunk_tiles > 0 && self.slots.is_none() {
            64
        } else {
            self.psum_bits()
        }
    }

    /// A partial sum under its name.
    pub(crate) fn visit_psum(&self, v: &mut dyn Visitor, name: &str, words: &[u32]) {
        match self.fixed {
            None => v.fp32(name, words[0]),
            Some(_) => v.register(name, self.psum_bits(), words, None),
        }
    }

    /// Words of 32 bits in a word of the partial-sum memory.
    pub const fn memory_words(&self) -> usize {
        self.memory_bits().div_ceil(32) as usize
    }

    /// `SWAP_TRAVEL`: clocks from the first PE to the last.
    pub const fn swap_travel(&self) -> usize {
        (self.rows - 1) * self.pe_latency + self.cols - 1
    }

    /// A weight inside the core: `{valid, operand}`, all zero where it is absent.
    pub(crate) fn weight_of(&self, value: u32) -> u32 {
        match value {
            ABSENT => 0,
            _ => 1 << self.operand_bits() | self.operand_of(value),
        }
    }

    /// What moves through the model for each code of the operand format at that position: binary32
    /// values, or tokens.
    pub(crate) fn table(&self, position: usize) -> [u32; 256] {
        match &self.tokens {
            Some(_) => Tokens::table(position),
            None => decode_table(self.operand_formats[position].0),
        }
    }

    /// The number that moves through the model as that, for waveforms.
    pub(crate) fn real_of(&self, value: u32) -> f64 {
        match &self.tokens {
            Some(tokens) => tokens.value(value),
            None => f32::from_bits(value).into(),
        }
    }

    /// The operand inside the core that moves through the model as `value` (docs/core.md, "Numbers
    /// inside the core"): the binary32 value of an enabled format, or a token.
    pub fn operand_of(&self, value: u32) -> u32 {
        if let Some(tokens) = &self.tokens {
            return tokens.bits(value);
        }
        let (sign, magnitude) = (value >> 31, value & 0x7fff_ffff);
        let special = 1 << (2 + self.exponent_bits + self.significand_bits);
        if magnitude > 0x7f80_0000 {
            return special;
        }
        let sign = sign << (self.exponent_bits + self.significand_bits);
        if magnitude == 0x7f80_0000 {
            return special >> 1 | sign;
        }
        if magnitude == 0 {
            return sign;
        }
        let (exponent, significand) = normalised(magnitude);
        let exponent = exponent.cast_unsigned() & mask(self.exponent_bits);
        sign | exponent << self.significand_bits | significand >> (24 - self.significand_bits)
    }
}

/// Exponent of the leading bit, and the significand with that bit at place 23, of a finite
/// binary32 magnitude other than zero.
fn normalised(magnitude: u32) -> (i32, u32) {
    let fraction = magnitude & 0x007f_ffff;
    match magnitude >> 23 {
        0 => {
            let shift = fraction.leading_zeros() - 8;
            (-126 - shift.cast_signed(), fraction << shift)
        }
        field => (field.cast_signed() - 127, fraction | 0x0080_0000),
    }
}

/// Fewest bits of a signed exponent and of a normalised significand that hold every finite value
/// of the formats (docs/core.md: "the smallest that hold every operand format").
fn operand_bits(formats: &[&'static Format]) -> (u32, u32) {
    let (mut exponent_bits, mut significand_bits) = (1, 1);
    for format in formats {
        for value in decode_table(format) {
            let magnitude = value & 0x7fff_ffff;
            if magnitude == 0 || magnitude >= 0x7f80_0000 {
                continue;
            }
            let (exponent, significand) = normalised(magnitude);
            let needed = if exponent < 0 { !exponent } else { exponent }.cast_unsigned();
            exponent_bits = exponent_bits.max(33 - needed.leading_zeros());
            significand_bits = significand_bits.max(24 - significand.trailing_zeros());
        }
    }
    (exponent_bits, significand_bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn clog2_vs_definition() {
        for value in 1..1000 {
            let bits = clog2(value);
            assert!(1 << bits >= value && (bits == 0 || 1 << (bits - 1) < value));
        }
    }

    #[test]
    #[expect(
        clippy::unusual_byte_groupings,
        reason = "the groups are the operand's fields"
    )]
    fn operands_directed_vs_documentation() {
        let formats = Formats::default();
        let config = CoreConfig::load("default", &formats).unwrap();
        let shape = Shape::new(&config).unwrap();
        assert_eq!((shape.exponent_bits, shape.significand_bits), (5, 4));
        // {nan, inf, sign, exponent[5], significand[4]}
        for (value, expected) in [
            (1.0f32, 0b000_00000_1000),
            (-1.5, 0b001_00000_1100),
            (0.0, 0),
            (-0.0, 0b001_00000_0000),
            (f32::NAN, 0b100_00000_0000),
            (f32::NEG_INFINITY, 0b011_00000_0000),
            (0.001953125, 0b000_10111_1000),
        ] {
            assert_eq!(shape.operand_of(value.to_bits()), expected, "{value}");
        }
    }
}
