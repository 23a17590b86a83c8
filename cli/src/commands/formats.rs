//! `quaver formats`: the format table with everything that follows from it.

use clap::Args;
use quaver_contract::{Encoding, Format};
use serde::Serialize;

use crate::args::Global;
use crate::console;
use crate::error::CliError;
use crate::value::{self, Value};

const EXAMPLES: &str = "\
EXAMPLES:
  quaver formats
  quaver formats e4m3fn e5m2 --codes
  quaver formats e4m3b3 --json              any E, M and bias: e<E>m<M>[b<bias>][fn|fnuz|finite]
  quaver formats --formats-file mine.toml   rows of your own";

/// Widest format whose codes are listed.
const LISTED_BITS: u32 = 16;

/// Arguments of `quaver formats`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FormatsArgs {
    /// Formats by name, alias or systematic name [default: the whole table]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Lists every code with its exact value (formats of at most 16 bits)
    #[arg(long)]
    codes: bool,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    formats: Vec<Row>,
}

/// A format: the row as declared, then what follows from it.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    aliases: &'static [&'static str],
    id: u8,
    encoding: &'static str,
    exponent_bits: u32,
    fraction_bits: u32,
    bias: i32,
    specials: &'static str,
    source: &'static str,
    bits: u32,
    storage_bytes: usize,
    operand: bool,
    min_exponent: i32,
    max: Number,
    lowest: Number,
    min_normal: Number,
    /// `None` for formats without subnormal numbers.
    min_subnormal: Option<Number>,
    /// Ranges of codes, first and last.
    nan_codes: Vec<[u32; 2]>,
    infinity_codes: Vec<u32>,
    canonical_nan: Option<u32>,
    negative_zero: Option<u32>,
    finite_codes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<Number>>,
}

/// A code and its value.
#[derive(Serialize)]
struct Number {
    code: u32,
    /// The number; `null` for NaN and infinities.
    value: Option<f64>,
    /// The number exactly: a short decimal, else `significand*2^exponent`.
    exact: String,
    /// The number exactly, as C's `%a` writes it.
    hex: String,
}

impl Number {
    fn new(format: &'static Format, code: u32) -> Self {
        let (value, exact, hex) = match value::decode(format, code) {
            Value::Nan => (None, "nan".to_owned(), "nan".to_owned()),
            Value::Infinity { negative } => {
                let text = if negative { "-inf" } else { "inf" };
                (None, text.to_owned(), text.to_owned())
            }
            Value::Finite(exact) => (Some(exact.double()), exact.text(), exact.hex_float()),
        };
        Self {
            code,
            value,
            exact,
            hex,
        }
    }
}

impl Row {
    fn new(format: &'static Format, with_codes: bool) -> Self {
        let number = |code| Number::new(format, code);
        let (nan_codes, infinity_codes) = special_codes(format);
        let nans: u64 = nan_codes
            .iter()
            .map(|[first, last]| u64::from(last - first) + 1)
            .sum();
        let codes = 0..=format.code_mask();
        Self {
            name: format.name,
            aliases: format.aliases,
            id: format.id,
            encoding: value::encoding_name(format.encoding),
            exponent_bits: format.exponent_bits,
            fraction_bits: format.fraction_bits,
            bias: format.bias,
            specials: value::specials_name(format.specials),
            source: format.source,
            bits: format.bits(),
            storage_bytes: format.storage_bytes(),
            operand: format.is_operand(),
            min_exponent: format.min_exponent(),
            max: number(format.max_code()),
            lowest: number(lowest_code(format)),
            min_normal: number(min_normal_code(format)),
            min_subnormal: (format.encoding == Encoding::Float && format.fraction_bits > 0)
                .then(|| number(1)),
            canonical_nan: format.nan_code(),
            negative_zero: format.has_negative_zero().then(|| format.sign_mask()),
            finite_codes: format.code_count() - nans - infinity_codes.len() as u64,
            nan_codes,
            infinity_codes,
            codes: with_codes.then(|| codes.map(number).collect()),
        }
    }

    /// Cells of the table, in the order of [`HEADER`].
    fn cells(&self) -> Vec<String> {
        let digits = self.bits.div_ceil(4) as usize;
        let range = |[first, last]: &[u32; 2]| match first == last {
            true => format!("{first:0digits$x}"),
            false => format!("{first:0digits$x}-{last:0digits$x}"),
        };
        let list = |texts: Vec<String>| match texts.is_empty() {
            true => "-".to_owned(),
            false => texts.join(","),
        };
        let infinities = self.infinity_codes.iter().map(|c| format!("{c:0digits$x}"));
        let aliases = match self.aliases {
            [] => String::new(),
            aliases => format!(" (also {})", aliases.join(", ")),
        };
        vec![
            self.name.to_owned(),
            self.bits.to_string(),
            self.exponent_bits.to_string(),
            self.fraction_bits.to_string(),
            self.bias.to_string(),
            self.max.exact.clone(),
            self.min_normal.exact.clone(),
            match &self.min_subnormal {
                Some(number) => number.exact.clone(),
                None => "-".to_owned(),
            },
            list(self.nan_codes.iter().map(range).collect()),
            list(infinities.collect()),
            match self.negative_zero {
                Some(code) => format!("{code:0digits$x}"),
                None => "-".to_owned(),
            },
            self.finite_codes.to_string(),
            format!("{}{aliases}", self.source),
        ]
    }
}

const HEADER: [&str; 13] = [
    "name",
    "bits",
    "exp",
    "frac",
    "bias",
    "max",
    "min normal",
    "min subnormal",
    "NaN",
    "Inf",
    "-0",
    "finite",
    "source",
];

/// NaN codes as ranges, and the codes of infinities, each sign's in ascending order.
fn special_codes(format: &Format) -> (Vec<[u32; 2]>, Vec<u32>) {
    let sign = format.sign_mask();
    let magnitudes = format.magnitude_mask();
    let infinities = format.infinity_code().map(|code| vec![code, code | sign]);
    let nans = match (format.nan_code(), format.infinity_code()) {
        (None, _) => Vec::new(),
        // NaN takes the place of -0: there is one.
        (Some(nan), _) if nan == sign => vec![[nan, nan]],
        // NaNs lie above infinity where there is one, and else have one magnitude.
        (Some(nan), infinity) => {
            let first = infinity.map_or(nan, |code| code + 1);
            let mut ranges = vec![[first, magnitudes], [first | sign, magnitudes | sign]];
            ranges.dedup();
            ranges
        }
    };
    (nans, infinities.unwrap_or_default())
}

fn lowest_code(format: &Format) -> u32 {
    match format.encoding {
        Encoding::Float => format.max_code() | format.sign_mask(),
        Encoding::TwosComplement => format.sign_mask(),
        Encoding::PowerOfTwo => 0,
    }
}

fn min_normal_code(format: &Format) -> u32 {
    match format.encoding {
        Encoding::Float => 1 << format.fraction_bits,
        Encoding::TwosComplement => 1,
        Encoding::PowerOfTwo => 0,
    }
}

/// Prints the formats.
///
/// # Errors
/// [`CliError`] for an unknown name, or `--codes` for a wide format.
pub(crate) fn run(args: &FormatsArgs, global: &Global) -> Result<(), CliError> {
    let formats = global.formats()?;
    let chosen: Vec<&'static Format> = match args.names.as_slice() {
        [] => formats
            .iter()
            .filter(|format| !args.codes || format.bits() <= LISTED_BITS)
            .collect(),
        names => names
            .iter()
            .map(|name| formats.get(name))
            .collect::<Result<_, _>>()?,
    };
    let wide = chosen.iter().find(|format| format.bits() > LISTED_BITS);
    if let (true, Some(format)) = (args.codes, wide) {
        return Err(CliError::option(
            "--codes",
            format!("of {} with {} bits", format.name, format.bits()),
            format!("formats of at most {LISTED_BITS} bits"),
        ));
    }
    if args.json {
        let formats = chosen.iter().map(|f| Row::new(f, args.codes)).collect();
        return console::print_json(&Report { formats });
    }
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    table.extend(chosen.iter().map(|format| Row::new(format, false).cells()));
    console::print(&console::columns(&table))?;
    if args.codes {
        for format in chosen {
            console::print(&code_table(format))?;
        }
    }
    Ok(())
}

fn code_table(format: &'static Format) -> String {
    let digits = format.bits().div_ceil(4) as usize;
    let heading = [format.name, "value", "hexadecimal"].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    rows.extend((0..=format.code_mask()).map(|code| {
        let number = Number::new(format, code);
        vec![format!("{code:0digits$x}"), number.exact, number.hex]
    }));
    format!("\n{}", console::columns(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    #[test]
    fn special_codes_of_every_format_vs_decoded_values() {
        let mut codes_seen = 0_u64;
        for format in Formats::default().iter() {
            let (nans, infinities) = special_codes(format);
            let all = 0..=format.code_mask();
            // Wide formats: every 65521st code, a prime, and both sides of every edge.
            let step = if format.bits() <= 19 { 1 } else { 65_521 };
            let edges = nans
                .iter()
                .flatten()
                .chain(&infinities)
                .flat_map(|&code| [code.saturating_sub(1), code, code.saturating_add(1)]);
            let edges: Vec<u32> = edges.filter(|code| all.contains(code)).collect();
            for code in all.step_by(step).chain(edges) {
                let nan = nans
                    .iter()
                    .any(|[first, last]| (*first..=*last).contains(&code));
                let infinity = infinities.contains(&code);
                let (is_nan, is_infinity) = match value::decode(format, code) {
                    Value::Nan => (true, false),
                    Value::Infinity { .. } => (false, true),
                    Value::Finite(_) => (false, false),
                };
                assert_eq!(
                    (nan, infinity),
                    (is_nan, is_infinity),
                    "{} {code:x}",
                    format.name
                );
                codes_seen += 1;
            }
        }
        assert!(codes_seen > 0);
    }
}
