//! What a configuration fixes of the core: the values of its Verilog parameters.

use quaver_contract::config::Dataflow;
use quaver_contract::{CoreConfig, Encoding, Format, Specials};

use crate::HdlError;
use crate::accumulator::{self, OperandShape};
use crate::header::Header;

/// Bits of a row of the format tables, see `quaver_decode_select`.
const ROW_BITS: u32 = 40;

/// The widths of an operand whose significand is normalised: those of an `fp32` core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperandWidths {
    /// Bits of the signed exponent.
    pub exponent: u32,
    /// Bits of the significand, the hidden one included.
    pub significand: u32,
}

impl OperandWidths {
    /// The smallest that hold every value of these formats with subnormals normalised.
    pub fn of(formats: &[&Format]) -> Self {
        let mut widths = Self {
            exponent: 1,
            significand: 1,
        };
        for format in formats {
            let (low, high) = exponents(format);
            while low < -(1 << (widths.exponent - 1)) || high >= 1 << (widths.exponent - 1) {
                widths.exponent += 1;
            }
            widths.significand = widths.significand.max(match format.encoding {
                Encoding::Float => 1 + format.fraction_bits,
                // The most negative integer is a power of two and needs one bit alone.
                Encoding::TwosComplement | Encoding::PowerOfTwo => format.fraction_bits,
            });
        }
        widths
    }
}

/// Exponents of the smallest and the largest finite magnitude other than zero.
fn exponents(format: &Format) -> (i32, i32) {
    let fraction_bits = format.fraction_bits.cast_signed();
    match format.encoding {
        Encoding::Float => {
            let low = format.min_exponent() - fraction_bits;
            // Without a fraction there is no subnormal: field 0 is zero.
            let field = (format.max_code() >> format.fraction_bits).cast_signed();
            (low, field.max(1) - format.bias)
        }
        Encoding::TwosComplement => (-format.bias, fraction_bits - format.bias),
        Encoding::PowerOfTwo => (-format.bias, format.max_code().cast_signed() - format.bias),
    }
}

/// The row of the core's format tables that describes a format.
fn row(format: &Format, id: u8) -> u64 {
    let (nan_kind, inf_kind) = match format.specials {
        Specials::None => (0, 0),
        Specials::Ieee => (1, 1),
        Specials::AllOnesNan => (2, 0),
        Specials::NegativeZeroNan => (3, 0),
        Specials::NegativeZeroNanAllOnesInfinity => (3, 2),
    };
    let encoding = match format.encoding {
        Encoding::Float => 0,
        Encoding::TwosComplement => 1,
        Encoding::PowerOfTwo => unreachable!("a configuration has no such format"),
    };
    let bias = u64::from(format.bias.cast_unsigned() & 0x3ff);
    u64::from(id)
        | u64::from(format.exponent_bits) << 8
        | u64::from(format.fraction_bits) << 12
        | bias << 17
        | nan_kind << 27
        | inf_kind << 30
        | encoding << 32
}

/// A table of formats as a Verilog literal, row 0 in the low bits.
fn table(config: &CoreConfig, formats: &[&'static Format]) -> Result<String, HdlError> {
    let mut digits = String::new();
    for format in formats.iter().rev() {
        let id = format_id(config, format)?;
        digits.push_str(&format!("_{:010x}", row(format, id)));
    }
    let bits = ROW_BITS * u32::try_from(formats.len()).expect("at most 16 formats");
    Ok(format!("{bits}'h{}", &digits[1..]))
}

/// The number of one of the configuration's formats in the CSRs.
pub(crate) fn format_id(config: &CoreConfig, format: &Format) -> Result<u8, HdlError> {
    config
        .format_id(format)
        .ok_or_else(|| HdlError::Configuration {
            config: config.name.clone(),
            key: "formats",
            value: format.name.to_owned(),
            allowed: "the formats of the configuration".to_owned(),
        })
}

/// Values of all parameters of `quaver_core` or `quaver_os_core`, in the order of the core's documentation.
///
/// # Errors
/// [`HdlError::Configuration`] when a format of the configuration has no number, or when the
/// Verilog does not have its accumulator.
pub fn core_parameters(config: &CoreConfig) -> Result<Vec<(&'static str, String)>, HdlError> {
    let mut parameters = vec![
        ("ROWS", config.rows.to_string()),
        ("COLS", config.cols.to_string()),
        ("LANES", config.lanes().to_string()),
        ("PE_LATENCY", config.pe_latency.to_string()),
        ("TILE_ROWS", config.tile_rows.to_string()),
        ("FORMAT_COUNT", config.operand_formats.len().to_string()),
        ("FORMAT_TABLE", table(config, &config.operand_formats)?),
        ("OUTPUT_COUNT", config.output_formats.len().to_string()),
        ("OUTPUT_TABLE", table(config, &config.output_formats)?),
    ];
    parameters.extend(OperandShape::of(config).parameters());
    parameters.extend(accumulator::parameters(config)?);
    if config.dataflow == Dataflow::OutputStationary {
        // Its core has no scales of blocks, so no parameter that chooses them.
        parameters.retain(|(name, _)| *name != "BLOCK_FORMAT");
    }
    Ok(parameters)
}

/// Depths of the drain's pipeline. They are the same in every core, and its own decision.
const DECIDED_BY_THE_CORE: &[&str] = &["SCALE_LATENCY", "BIAS_LATENCY", "CONVERT_LATENCY"];

/// Checks that no default stands in for what a configuration should decide.
pub(crate) fn check_all_given(
    unit: &str,
    header: &Header<'_>,
    given: &[(&str, String)],
) -> Result<(), HdlError> {
    let decided = |name: &str| {
        DECIDED_BY_THE_CORE.contains(&name) || given.iter().any(|(given, _)| *given == name)
    };
    let forgotten = header
        .parameters()
        .find(|(name, derived)| !derived && !decided(name));
    match forgotten {
        None => Ok(()),
        Some((name, _)) => Err(HdlError::Parameter {
            unit: unit.to_owned(),
            name: name.to_owned(),
            value: "its default".to_owned(),
            allowed: "a value that follows from the configuration".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn widths_table_vs_values() {
        // Worked by hand: lowest is 1 - bias - fraction bits, highest the top finite binade.
        let cases: &[(&[&str], u32, u32)] = &[
            (&["e4m3fn"], 5, 4),      // -9 to 8
            (&["e5m2"], 5, 3),        // -16 to 15
            (&["e5m2fnuz"], 6, 3),    // -17 to 15
            (&["e4m3b11fnuz"], 5, 4), // -13 to 4
            (&["e4m3fnuz", "e5m2fnuz", "e4m3"], 6, 4),
            (&["int8"], 4, 7),        // 0 to 7
            (&["mxint8"], 4, 7),      // -6 to 1
            (&["binary8p1sf"], 7, 1), // -63 to 63
            (&["e2m1fn"], 3, 2),      // -1 to 2
        ];
        for (names, exponent, significand) in cases {
            let formats: Vec<_> = names
                .iter()
                .map(|n| Formats::default().get(n).unwrap())
                .collect();
            let expected = OperandWidths {
                exponent: *exponent,
                significand: *significand,
            };
            assert_eq!(OperandWidths::of(&formats), expected, "{names:?}");
        }
    }

    #[test]
    #[expect(
        clippy::unusual_byte_groupings,
        reason = "the groups are the row's fields"
    )]
    fn rows_table_vs_values() {
        let formats = Formats::default();
        let cases = [
            // The default row of quaver_decode_select is this with id 0.
            ("e4m3fn", 0x00_100e_3401_u64),
            ("e5m2", 0b00_01_001_0000001111_00010_0101 << 8 | 2),
            ("e4m3b3", 0b00_01_001_0000000011_00011_0100 << 8 | 192),
            ("e4m3b11fnuz", 0b00_00_011_0000001011_00011_0100 << 8 | 6),
            ("binary8p4se", 0b00_10_011_0000001000_00011_0100 << 8 | 20),
            ("mxint8", 0b01_00_000_0000000110_00111_0000 << 8 | 26),
        ];
        for (name, expected) in cases {
            let format = formats.get(name).unwrap();
            let id = if format.id == 0 { 192 } else { format.id };
            assert_eq!(
                row(format, id),
                expected,
                "{name}: {:010x}",
                row(format, id)
            );
        }
        let negative = Format {
            bias: -2,
            ..*formats.get("e4m3fn").unwrap()
        };
        assert_eq!(row(&negative, 1) >> 17 & 0x3ff, 0x3fe);
    }
}
