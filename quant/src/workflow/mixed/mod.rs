//! Mixed precision as Neural Compressor has it: a precision for each layer by its name or type, and the
//! fewest layers lifted out of FP8 for a model to be as accurate as asked.

mod metric;
mod search;

use std::collections::BTreeMap;

use quaver_contract::Formats;
use serde::Deserialize;

pub use metric::{Kind, Labels, Metric};
pub use search::{EXHAUSTIVE, Found, Proof, Step, fewest};

use super::intfp::{Decided, Setting, Settings};
use super::layers::{LayerName, check_name, check_type, fits, layers};
use crate::Error;
use crate::graph::Session;
use crate::plan::Kept;

/// The configuration. The most specific row decides a layer: its name written out; the pattern with most
/// letters that are no `*`, of several the first in alphabetical order; its type (`Conv2d` before `Conv`,
/// `Linear` before `Gemm`); `default`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Of layers without a row.
    pub default: Option<Precision>,
    /// By types: `Linear`, `Attention`, `Conv1d`, `Conv2d`, `ConvTranspose2d`, or operators.
    pub op_type_dict: BTreeMap<String, Precision>,
    /// By names, or patterns with `*` for any letters.
    pub op_name_dict: BTreeMap<String, Precision>,
}

/// A precision: a format of both operands (`fp32`, `fp16` and `bf16` keep the layer), or one for each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Precision {
    /// Of both.
    Both(String),
    /// Of each.
    Each(Formatted),
}

/// A format for each operand.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formatted {
    /// Of inputs.
    pub input: String,
    /// Of weights.
    pub weight: String,
}

/// How scales are found: calibrators of inputs and weights, and whether each output channel has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibrators {
    /// Of inputs, as INT-FP-QSim's workflow has them.
    pub input: String,
    /// Of weights.
    pub weight: String,
    /// Whether each output channel of a weight has a scale.
    pub channels: bool,
}

impl Config {
    /// Reads the text of a JSON file.
    ///
    /// # Errors
    /// [`Error::Illegal`] with the key, or line and column.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let allowed =
            "default, op_type_dict and op_name_dict, of formats or {\"input\": F, \"weight\": F}";
        serde_json::from_slice(text)
            .map_err(|error| Error::illegal("configuration", error, allowed))
    }

    fn precision(&self, layer: &LayerName) -> Option<&Precision> {
        let literal = |pattern: &str| pattern.chars().filter(|&c| c != '*').count();
        let exact = self.op_name_dict.get(&layer.name);
        let names = self.op_name_dict.iter();
        let patterns = names.filter(|(pattern, _)| fits(pattern, &layer.name));
        // Of equals the first: `max_by_key` takes the last, so the order is turned round.
        let longest = patterns.rev().max_by_key(|(pattern, _)| literal(pattern));
        let mut types = layer.types.iter();
        exact
            .or(longest.map(|(_, precision)| precision))
            .or_else(|| types.find_map(|name| self.op_type_dict.get(name)))
            .or(self.default.as_ref())
    }

    /// What every layer has; without a row, `e4m3fn`.
    ///
    /// # Errors
    /// [`Error::Illegal`] naming the row, for a pattern that fits no layer, a type that is none, or a
    /// format that is no 8-bit one and no type to keep a layer in.
    pub fn decide(
        &self,
        session: &Session<'_>,
        formats: &Formats,
        calibrators: &Calibrators,
    ) -> Result<Decided, Error> {
        let known = layers(session);
        for pattern in self.op_name_dict.keys() {
            check_name("op_name_dict", pattern, &known)?;
        }
        for name in self.op_type_dict.keys() {
            check_type("op_type_dict", name)?;
        }
        let rows = self.op_type_dict.iter().map(|row| ("op_type_dict.", row));
        let rows = rows.chain(self.op_name_dict.iter().map(|row| ("op_name_dict.", row)));
        for (key, (name, precision)) in rows {
            precision.check(&format!("{key}{name}"), formats)?;
        }
        if let Some(precision) = &self.default {
            precision.check("default", formats)?;
        }
        Decided::by(session, formats, |layer| {
            let precision = self.precision(layer);
            let fallback = Precision::Both("e4m3fn".to_owned());
            precision.unwrap_or(&fallback).settings(calibrators)
        })
    }
}

/// Whether a layer can be kept in a type of that name.
fn is_kept(name: &str) -> bool {
    Kept::ALL.iter().any(|kept| kept.name() == name)
}

impl Precision {
    fn formats(&self) -> [&str; 2] {
        match self {
            Self::Both(format) => [format, format],
            Self::Each(each) => [&each.input, &each.weight],
        }
    }

    fn check(&self, key: &str, formats: &Formats) -> Result<(), Error> {
        if matches!(self, Self::Both(name) if is_kept(name)) {
            return Ok(());
        }
        for name in self.formats() {
            let format = formats.get(name);
            if !format.is_ok_and(|format| format.is_operand()) {
                let allowed =
                    "signed formats of at most 8 bits; or fp32, fp16, bf16 for both operands";
                return Err(Error::illegal(key, name, allowed));
            }
        }
        Ok(())
    }

    fn settings(&self, calibrators: &Calibrators) -> Settings {
        let [input, weight] = self.formats();
        if let Self::Both(name) = self
            && is_kept(name)
        {
            return Settings {
                keep: Some(name.clone()),
                ..Settings::default()
            };
        }
        let setting = |format: &str, calibrator: &str, per: &str| Setting {
            format: format.to_owned(),
            calibrator: Some(calibrator.to_owned()),
            per: Some(per.to_owned()),
            blocks: None,
        };
        let per = if calibrators.channels {
            "channel"
        } else {
            "tensor"
        };
        Settings {
            input: Some(setting(input, &calibrators.input, "tensor")),
            weight: Some(setting(weight, &calibrators.weight, per)),
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_row_decides() {
        let text = r#"{
            "default": "e5m2",
            "op_type_dict": { "Conv": "fp16", "Conv2d": "bf16", "Linear": "fp32" },
            "op_name_dict": { "a*": "int8", "a.b*": "int4", "*.b1": "e4m3", "a.b1.c": "e3m4" }
        }"#;
        let config = Config::parse(text.as_bytes()).unwrap();
        for (name, types, expected) in [
            ("a.b1.c", "Linear,Gemm", "e3m4"),
            ("a.b1", "Linear,Gemm", "e4m3"),
            ("a.b2", "Linear,Gemm", "int4"),
            ("a.c", "Conv2d,Conv", "int8"),
            ("c", "Conv2d,Conv", "bf16"),
            ("c", "Conv1d,Conv", "fp16"),
            ("c", "Attention,MatMul", "e5m2"),
        ] {
            let layer = LayerName {
                name: name.to_owned(),
                operator: "Gemm".to_owned(),
                types: types.split(',').map(str::to_owned).collect(),
                constant: true,
            };
            let expected = Precision::Both(expected.to_owned());
            assert_eq!(config.precision(&layer), Some(&expected), "{name} {types}");
        }
    }

    #[test]
    fn unknown_keys_are_named() {
        for (text, expected) in [
            (r#"{"op_types": {}}"#, "op_types"),
            (
                r#"{"default": {"input": "e4m3fn", "weights": "e4m3fn"}}"#,
                "Precision",
            ),
            ("3", "op_type_dict"),
        ] {
            let error = Config::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
