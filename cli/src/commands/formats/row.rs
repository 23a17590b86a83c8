//! A format as it is shown: the row as declared, and what follows from it.

use quaver_contract::{Encoding, Format};
use serde::Serialize;

use crate::value::{self, Value};

/// A format: the row as declared, then what follows from it.
#[derive(Serialize)]
pub(super) struct Row {
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
pub(super) struct Number {
    code: u32,
    /// The number; `null` for NaN and infinities.
    value: Option<f64>,
    /// The number exactly: a short decimal, else `significand*2^exponent`.
    pub(super) exact: String,
    /// The number exactly, as C's `%a` writes it.
    pub(super) hex: String,
}

impl Number {
    pub(super) fn new(format: &'static Format, code: u32) -> Self {
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
    pub(super) fn new(format: &'static Format, with_codes: bool) -> Self {
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
    pub(super) fn cells(&self) -> Vec<String> {
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

/// Headings of the table.
pub(super) const HEADER: [&str; 13] = [
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
