//! What an accumulator fixes of the core: how operands are decoded for it, the widths that follow,
//! and the parameters by which the Verilog chooses it.

use quaver_contract::accumulator::{Addend, Dot, DotOutput, Groups, ProductExponent};
use quaver_contract::{Accumulator, CoreConfig, Encoding, Format, formats};

use crate::HdlError;

/// An operand inside the core: `{nan, inf, sign, exponent, significand}`, see `quaver_decode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperandShape {
    /// Bits of the signed exponent.
    pub exponent_bits: u32,
    /// Bits of the significand, the hidden one included.
    pub significand_bits: u32,
    /// Whether subnormals are normalised.
    pub normalise: bool,
    /// The exponent below which they are not; `NO_FLOOR` where no operand reaches it.
    pub exponent_floor: i32,
    /// What is taken off the unbiased exponent.
    pub exponent_base: i32,
}

/// An exponent below those of all operands: normalised significands without a limit.
const NO_FLOOR: i32 = -1024;

/// Clocks from a PE's partial-sum input to its output that the exact accumulator can have.
const EXACT_LATENCIES: std::ops::RangeInclusive<usize> = 1..=2;

/// The widest exact sum that the drain rounds.
const EXACT_BITS: u32 = 230;

impl OperandShape {
    /// The smallest that holds every value of the configuration's operand formats as its
    /// accumulator needs them.
    pub fn of(config: &CoreConfig) -> Self {
        let (normalise, exponent_floor) = match adder(config) {
            Accumulator::Dot(Dot { exponent, .. }) => match exponent {
                ProductExponent::Field => (false, NO_FLOOR),
                ProductExponent::Normalised => (true, NO_FLOOR),
                ProductExponent::NormalisedAbove(floor) => (true, *floor),
            },
            Accumulator::Exact => (false, NO_FLOOR),
            _ => (true, NO_FLOOR),
        };
        let mut shape = Self {
            exponent_bits: 1,
            significand_bits: 1,
            normalise,
            exponent_floor: NO_FLOOR,
            exponent_base: 0,
        };
        let formats = || config.operand_formats.iter();
        let unlimited = formats().map(|format| shape.exponents(format).0).min();
        if unlimited.is_some_and(|low| low < exponent_floor) {
            shape.exponent_floor = exponent_floor;
        }
        let (mut low, mut high) = (i32::MAX, i32::MIN);
        for format in formats() {
            let (own_low, own_high) = shape.exponents(format);
            (low, high) = (low.min(own_low), high.max(own_high));
            shape.significand_bits = shape.significand_bits.max(shape.significand_of(format));
        }
        let half = |bits: u32| 1 << (bits - 1);
        // The smallest code of an aligned exponent stands for a product of zero. Exact sums have
        // no use for it, and their last place is that of the smallest code.
        let spare = match adder(config) {
            Accumulator::Dot(_) => Some(1),
            Accumulator::Exact => Some(0),
            _ => None,
        };
        match spare {
            None => {
                while low < -half(shape.exponent_bits) || high >= half(shape.exponent_bits) {
                    shape.exponent_bits += 1;
                }
            }
            Some(spare) => {
                while high - low + spare >= 2 * half(shape.exponent_bits) {
                    shape.exponent_bits += 1;
                }
                shape.exponent_base = low + half(shape.exponent_bits) - spare;
            }
        }
        shape
    }

    /// The smallest and the largest exponent of a format's operands.
    fn exponents(&self, format: &Format) -> (i32, i32) {
        let fraction_bits = format.fraction_bits.cast_signed();
        let (top_low, field_low, high) = match format.encoding {
            Encoding::Float => {
                let low = format.min_exponent();
                // Without a fraction there is no subnormal: field 0 is zero.
                let field = (format.max_code() >> format.fraction_bits).cast_signed();
                (low - fraction_bits, low, field.max(1) - format.bias)
            }
            Encoding::TwosComplement | Encoding::PowerOfTwo => {
                let high = fraction_bits - format.bias;
                (-format.bias, high, high)
            }
        };
        if self.normalise {
            (
                top_low.max(self.exponent_floor),
                high.max(self.exponent_floor),
            )
        } else {
            (field_low, high)
        }
    }

    /// Bits of a format's significands.
    fn significand_of(&self, format: &Format) -> u32 {
        let unit = match format.encoding {
            Encoding::Float => format.min_exponent() - format.fraction_bits.cast_signed(),
            Encoding::TwosComplement | Encoding::PowerOfTwo => -format.bias,
        };
        let own = match format.encoding {
            // The most negative integer is a power of two and needs one bit alone.
            Encoding::TwosComplement if self.normalise => format.fraction_bits,
            _ => 1 + format.fraction_bits,
        };
        let below_floor = (self.exponent_floor - unit + 1).max(0);
        own.max(if self.normalise {
            below_floor.unsigned_abs()
        } else {
            0
        })
    }

    /// Values of the decoders' parameters.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![
            ("EXP_W", self.exponent_bits.to_string()),
            ("SIG_W", self.significand_bits.to_string()),
            ("NORMALISE", u8::from(self.normalise).to_string()),
            ("EXP_FLOOR", self.exponent_floor.to_string()),
            ("EXP_BASE", self.exponent_base.to_string()),
        ]
    }

    /// The exponent of an exact sum's last place.
    fn exact_unit(&self) -> i32 {
        let least = self.exponent_base - (1 << (self.exponent_bits - 1));
        2 * (least - (self.significand_bits.cast_signed() - 1))
    }
}

/// The adder of a PE: a chunked accumulator's is its inner one.
fn adder(config: &CoreConfig) -> &Accumulator {
    match &config.accumulator {
        Accumulator::Chunked { inner, .. } => inner,
        other => other,
    }
}

/// Values of the core's parameters that choose the accumulator and bound its sums.
///
/// # Errors
/// [`HdlError::Configuration`] for what the Verilog does not have.
pub(crate) fn parameters(config: &CoreConfig) -> Result<Vec<(&'static str, String)>, HdlError> {
    let refuse = |key: &'static str, value: String, allowed: String| HdlError::Configuration {
        config: config.name.clone(),
        key,
        value,
        allowed,
    };
    let chunk_tiles = match config.accumulator {
        Accumulator::Chunked {
            inner: Accumulator::Exact,
            ..
        } => {
            return Err(refuse(
                "accumulator",
                config.accumulator_name.to_owned(),
                "chunks of any accumulator but exact".to_owned(),
            ));
        }
        Accumulator::Chunked { every, .. } => every / config.tile_k(),
        _ => match config.block_scales {
            Some(blocks) => blocks.length / config.tile_k(),
            None => 0,
        },
    };
    let (psum_bits, field) = if config.accumulator == Accumulator::Exact {
        if !EXACT_LATENCIES.contains(&config.pe_latency) {
            let (low, high) = EXACT_LATENCIES.into_inner();
            return Err(refuse(
                "pe_latency",
                config.pe_latency.to_string(),
                format!("{low} to {high} with this accumulator"),
            ));
        }
        let shape = OperandShape::of(config);
        let bits = exact_bits(config, &shape);
        let field = 127 + shape.exact_unit() + bits.cast_signed() - 2;
        if bits > EXACT_BITS || field < 1 {
            return Err(refuse(
                "operand_formats",
                format!("sums of {bits} bits"),
                format!("formats whose exact sums have at most {EXACT_BITS} bits and reach 2^-126"),
            ));
        }
        // Two bits say which infinities were met.
        (bits + 2, field)
    } else {
        (32, 0)
    };
    let block_format = match config.block_scales {
        Some(blocks) => block_scale_number(blocks.format),
        None => 0,
    };
    Ok(vec![
        ("ACCUMULATOR", format!("96'h{:024x}", code(adder(config)))),
        ("PSUM_W", psum_bits.to_string()),
        ("EXACT_FIELD", field.to_string()),
        ("CHUNK_TILES", chunk_tiles.to_string()),
        ("BLOCK_FORMAT", block_format.to_string()),
        ("K_MAX", format!("32'h{:08x}", config.max_k().unwrap_or(0))),
        ("FP32_NAN", format!("32'h{:08x}", config.accumulator.nan())),
    ])
}

/// The number of a format of blocks' scales in the Verilog, see `quaver_block_factor`.
///
/// # Panics
/// With a format that is none of [`quaver_contract::BlockScale`].
pub fn block_scale_number(format: &Format) -> u32 {
    let numbered = [formats::E8M0FNU, formats::E4M3FN, formats::FP32];
    let position = numbered.iter().position(|f| f.name == format.name);
    1 + position.expect("a format of blocks' scales") as u32
}

/// Bits of an exact sum of as many terms as the core takes, in two's complement: no sum overflows.
fn exact_bits(config: &CoreConfig, shape: &OperandShape) -> u32 {
    let unit = shape.exact_unit() / 2;
    // The largest magnitude as an integer and a power of two: significand * 2^shift units.
    let largest = config.operand_formats.iter().map(|format| {
        let fraction_bits = format.fraction_bits;
        let (significand, last_place) = match format.encoding {
            Encoding::Float => {
                let code = format.max_code();
                let field = (code >> fraction_bits).max(1);
                let hidden = u32::from(code >> fraction_bits != 0) << fraction_bits;
                let fraction = code & ((1 << fraction_bits) - 1);
                let exponent = field.cast_signed() - format.bias;
                (hidden | fraction, exponent - fraction_bits.cast_signed())
            }
            Encoding::TwosComplement | Encoding::PowerOfTwo => (1 << fraction_bits, -format.bias),
        };
        // As a significand of 16 bits, so that comparing pairs compares values.
        let spare = significand.leading_zeros() - 16;
        let shift = (last_place - unit) - spare.cast_signed();
        (shift, u64::from(significand) << spare)
    });
    let (shift, significand) = largest
        .max()
        .expect("a configuration has an operand format");
    let terms = u128::from(config.max_k().expect("the exact accumulator bounds K"));
    let sum = terms * u128::from(significand) * u128::from(significand);
    let bits = (128 - sum.leading_zeros()).cast_signed() + 2 * shift;
    bits.unsigned_abs() + 1
}

/// The row of `ACCUMULATOR`, see `quaver_pe`.
fn code(accumulator: &Accumulator) -> u128 {
    match accumulator {
        Accumulator::Fp32 => 0,
        Accumulator::Fp32TowardZero => 1,
        Accumulator::Tree { .. } => 2,
        Accumulator::Dot(dot) => dot_code(dot),
        Accumulator::Exact => 4,
        Accumulator::Chunked { inner, .. } => code(inner),
    }
}

fn dot_code(dot: &Dot) -> u128 {
    let (addend, sum_bits, addend_bits) = match dot.addend {
        Addend::Early => (0, 0, 0),
        Addend::LateRounded => (1, 0, 0),
        Addend::LateExact => (2, 0, 0),
        Addend::LateFloored {
            sum_bits,
            addend_bits,
        } => (3, sum_bits, addend_bits),
    };
    let output_bits = match dot.output {
        DotOutput::Truncate(bits) => bits,
        DotOutput::NearestEven => 0,
    };
    let floor = dot.exponent_floor.cast_unsigned() & 0xffff;
    3 | u128::from(dot.groups == Groups::EvenOdd) << 4
        | addend << 5
        | u128::from(dot.flush_subnormals) << 7
        | u128::from(dot.fraction_bits) << 8
        | u128::from(sum_bits) << 16
        | u128::from(addend_bits) << 24
        | u128::from(output_bits) << 32
        | u128::from(floor) << 40
        | u128::from(dot.nan) << 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::{CoreConfig, Formats};

    fn core(accumulator: &str, formats: &[&str]) -> CoreConfig {
        let table = Formats::default();
        CoreConfig {
            accumulator: Accumulator::get(accumulator).unwrap(),
            operand_formats: formats.iter().map(|f| table.get(f).unwrap()).collect(),
            ..CoreConfig::load("single", &table).unwrap()
        }
    }

    /// Accumulator, formats, exponent and significand bits, exponent floor, exponent base.
    type Case = (&'static str, &'static [&'static str], [u32; 2], i32, i32);

    #[test]
    fn shapes_table_vs_values() {
        // Worked by hand: the lowest exponent is -2^(bits-1), or one more for a dot.
        let cases: &[Case] = &[
            ("fp32", &["e4m3fn"], [5, 4], NO_FLOOR, 0),    // -9 to 8
            ("exact", &["e4m3fn"], [4, 4], NO_FLOOR, 2),   // -6 to 8
            ("exact", &["e5m2"], [5, 3], NO_FLOOR, 2),     // -14 to 15
            ("dot_ada", &["e4m3fn"], [4, 4], NO_FLOOR, 1), // -6 to 8
            ("dot_ada", &["e4m3fn", "e5m2"], [5, 4], NO_FLOOR, 1), // -14 to 15
            ("dot_hopper", &["mxint8"], [1, 8], NO_FLOOR, 1), // 1 alone
            ("dot_gaudi3", &["e4m3fn"], [5, 4], NO_FLOOR, 6), // -9 to 8
            ("dot_gaudi2", &["e4m3"], [5, 4], NO_FLOOR, 6), // -9 to 7: the floor is below
            ("dot_gaudi2", &["e5m2"], [5, 3], -14, 1),     // -14 to 15
        ];
        for &(accumulator, formats, bits, exponent_floor, exponent_base) in cases {
            let shape = OperandShape::of(&core(accumulator, formats));
            assert_eq!(
                [shape.exponent_bits, shape.significand_bits],
                bits,
                "{accumulator} {formats:?}"
            );
            assert_eq!(
                (shape.exponent_floor, shape.exponent_base),
                (exponent_floor, exponent_base),
                "{accumulator} {formats:?}"
            );
        }
    }

    #[test]
    fn exact_sums_table_vs_values() {
        // K of 65536 largest products, in units of the smallest: 225 * 2^28 of e4m3fn (15 * 2^14
        // squared), 49 * 2^58 of e5m2 (7 * 2^29 squared), 2^14 of mxint8; and a sign.
        let cases: &[(&[&str], u32)] = &[
            (&["e4m3fn"], 8 + 28 + 16 + 1),
            (&["e5m2"], 6 + 58 + 16 + 1),
            (&["mxint8"], 15 + 16 + 1),
        ];
        for &(formats, bits) in cases {
            let config = core("exact", formats);
            assert_eq!(
                exact_bits(&config, &OperandShape::of(&config)),
                bits,
                "{formats:?}"
            );
        }
    }
}
