//! What is generated from the CSR map: Verilog, C and documentation.

mod c_header;
mod markdown;
mod verilog;

use quaver_contract::csr::{self, Access, Field, Register};
use quaver_contract::{CoreConfig, Format, Infinity, Overflow, Rounding};

use crate::{HdlError, parameters};

pub(crate) use c_header::c_header;
pub(crate) use markdown::markdown;
pub(crate) use verilog::verilog;

/// Where a constant field gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constant {
    /// The same in every core.
    Fixed(u32),
    /// A parameter of the register block, with the field's name in upper case.
    Parameter(u32),
}

impl Constant {
    fn of(config: &CoreConfig, register: &Register, field: &Field) -> Result<Self, HdlError> {
        let parameter =
            |value: usize| Self::Parameter(u32::try_from(value).expect("sizes are bounded"));
        Ok(match (register.name, field.name) {
            ("ID", "id") => Self::Fixed(csr::ID),
            ("VERSION", "version") => Self::Fixed(csr::VERSION),
            ("SHAPE", "rows") => parameter(config.rows),
            ("SHAPE", "cols") => parameter(config.cols),
            ("SHAPE", "lanes") => parameter(config.lanes()),
            ("SHAPE", "pe_latency") => parameter(config.pe_latency),
            ("DEPTH", "tile_rows") => parameter(config.tile_rows),
            (register, field) => return Err(HdlError::Constant { register, field }),
        })
    }

    const fn value(self) -> u32 {
        match self {
            Self::Fixed(value) | Self::Parameter(value) => value,
        }
    }
}

/// Bits of a field within its register.
fn mask(field: &Field) -> u32 {
    (u32::MAX >> (32 - field.width)) << field.lsb
}

/// Whether the bus can change something by writing the register.
fn is_writable(register: &Register) -> bool {
    let writable = |f: &Field| matches!(f.access, Access::ReadWrite | Access::Pulse);
    register.fields.iter().any(writable)
}

/// The formats that a core knows with their numbers, ascending.
fn formats(config: &CoreConfig) -> Result<Vec<(u8, &'static Format)>, HdlError> {
    let mut formats = Vec::new();
    for format in config.operand_formats.iter().chain(&config.output_formats) {
        formats.push((parameters::format_id(config, format)?, *format));
    }
    formats.sort_by_key(|(id, _)| *id);
    formats.dedup_by_key(|(id, _)| *id);
    for (i, (_, format)) in formats.iter().enumerate() {
        let same = |other: &Format| identifier(other.name) == identifier(format.name);
        if formats[..i].iter().any(|(_, other)| same(other)) {
            return Err(HdlError::Configuration {
                config: config.name.clone(),
                key: "formats",
                value: format.name.to_owned(),
                allowed: "names that differ in letters and digits".to_owned(),
            });
        }
    }
    Ok(formats)
}

/// A choice that a field offers.
struct Choice {
    field: &'static str,
    name: &'static str,
    number: u32,
}

/// Every choice of a rounding or policy that a core has. Stochastic rounding needs random bits,
/// which no stream of the core carries.
fn choices() -> Vec<Choice> {
    let mut choices = Vec::new();
    let mut add = |field, name, number| {
        choices.push(Choice {
            field,
            name,
            number,
        });
    };
    for rounding in Rounding::ALL {
        if *rounding != Rounding::Stochastic {
            add("rounding", rounding.name(), rounding.number());
        }
    }
    for overflow in Overflow::ALL {
        add("overflow", overflow.name(), overflow.number());
    }
    for infinity in Infinity::ALL {
        add("infinity", infinity.name(), infinity.number());
    }
    choices
}

/// A name as C macros have it: upper-case letters, digits and underscores.
fn identifier(name: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn every_constant_field_has_a_value_that_fits() {
        let configs = CoreConfig::named(&Formats::default()).unwrap();
        let mut count = 0;
        for config in &configs {
            for register in csr::MAP {
                for field in register.fields {
                    if field.access == Access::Constant {
                        let value =
                            u64::from(Constant::of(config, register, field).unwrap().value());
                        assert!(
                            value >> field.width == 0,
                            "{}.{}",
                            register.name,
                            field.name
                        );
                        count += 1;
                    }
                }
            }
        }
        assert!(count > 0);
    }

    /// The one offset that hand-written Verilog repeats: CONTROL may be written while busy.
    #[test]
    fn control_address_vs_the_map() {
        let library = crate::units::Library::embedded();
        let control = library.source("quaver_control").unwrap();
        let words: Vec<_> = crate::lex::tokens(control).iter().map(|t| t.text).collect();
        let at = words.iter().position(|w| *w == "CONTROL_ADDRESS").unwrap();
        assert_eq!(words[at + 2], format!("12'h{:03x}", csr::offset("CONTROL")));
    }

    #[test]
    fn c_macros_are_distinct() {
        let configs = CoreConfig::named(&Formats::default()).unwrap();
        assert!(!configs.is_empty());
        for config in &configs {
            let header = c_header(config).unwrap();
            let macros = header.lines().filter_map(|l| l.strip_prefix("#define "));
            let mut names: Vec<_> = macros.map(|l| l.split(' ').next().unwrap()).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert!(count > 0 && names.len() == count, "{}", config.name);
        }
    }

    #[test]
    fn formats_whose_macros_collide_are_refused() {
        let formats = Formats::default();
        let mut config = CoreConfig::load("single", &formats).unwrap();
        let e4m3fn = formats.get("e4m3fn").unwrap();
        let twin = Format {
            name: "E4M3FN",
            id: 0,
            ..*e4m3fn
        };
        config.output_formats = vec![e4m3fn, Box::leak(Box::new(twin))];
        let error = c_header(&config).unwrap_err().to_string();
        assert!(error.contains("single.formats = E4M3FN"), "{error}");
    }

    #[test]
    fn choices_name_fields_that_hold_them() {
        let choices = choices();
        assert!(!choices.is_empty());
        for choice in choices {
            let fields = csr::MAP.iter().flat_map(|r| r.fields);
            let field = fields.clone().find(|f| f.name == choice.field).unwrap();
            assert!(choice.number < 1 << field.width, "{}", choice.name);
        }
    }
}
