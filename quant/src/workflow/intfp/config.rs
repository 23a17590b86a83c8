//! The configuration: formats, calibrators, and what has a scale of its own.

use quaver_contract::{Encoding, Format, Formats};
use serde::Deserialize;

use crate::Error;
use crate::calibrate::ObserverKind;
use crate::scale::blocks::Blocks;
use crate::workflow::layers::{LayerName, check_name, check_type, fits};

/// The configuration. Of a layer the first rule that fits decides; what it does not say is the model's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How products are added.
    pub accumulator: Option<String>,
    /// Of inputs.
    pub input: Option<Setting>,
    /// Of weights.
    pub weight: Option<Setting>,
    /// Of outputs.
    pub output: Option<Setting>,
    /// Rules for layers.
    pub layers: Vec<Rule>,
}

/// A rule for the layers that it fits: by one of the names, or one of the types.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Patterns of names, with `*` for any letters.
    pub names: Vec<String>,
    /// Types: `Linear`, `Attention`, `Conv1d`, `Conv2d`, `ConvTranspose2d`, or operators.
    pub types: Vec<String>,
    /// Of their inputs.
    pub input: Option<Setting>,
    /// Of their weights.
    pub weight: Option<Setting>,
    /// Of their outputs.
    pub output: Option<Setting>,
    /// Leaves them in `fp32`, `fp16` or `bf16`.
    pub keep: Option<String>,
}

/// What a layer has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Of inputs.
    pub input: Option<Setting>,
    /// Of weights.
    pub weight: Option<Setting>,
    /// Of outputs.
    pub output: Option<Setting>,
    /// Leaves them in `fp32`, `fp16` or `bf16`.
    pub keep: Option<String>,
}

/// A quantiser.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setting {
    /// A format; `fp32` quantises nothing.
    pub format: String,
    /// `max`, `percentile:P`, `mse`, `entropy`, `dynamic` or `dynamic-percentile:P`.
    pub calibrator: Option<String>,
    /// `tensor`, `channel` (weights) or `token` (dynamic inputs).
    pub per: Option<String>,
    /// Blocks along K with scales of their own, instead of a calibrator.
    pub blocks: Option<String>,
}

/// Which operand a quantiser is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The activation.
    Input,
    /// The weight, or the second activation.
    Weight,
    /// The result.
    Output,
}

impl Role {
    /// Its key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Weight => "weight",
            Self::Output => "output",
        }
    }
}

/// Where a quantiser's scales come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// 1: formats of more than 8 bits.
    One,
    /// From calibration data, or a weight's numbers.
    Static {
        /// What is taken for the largest magnitude.
        kind: ObserverKind,
        /// Whether each output channel has its own.
        channels: bool,
    },
    /// Found at run time.
    Dynamic {
        /// `None`: the largest magnitude.
        percent: Option<f64>,
        /// Whether each token has its own.
        lines: bool,
    },
    /// One for each block.
    Blocks(Blocks),
}

/// A quantiser that was read.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The format.
    pub format: &'static Format,
    /// Its scales.
    pub how: How,
}

impl Config {
    /// Reads the text of a file: TOML where its name ends in `.toml`, else JSON.
    ///
    /// # Errors
    /// [`Error::Illegal`] naming the key, or line and column.
    pub fn parse(text: &str, toml: bool) -> Result<Self, Error> {
        let allowed = "the keys of docs/workflows.md";
        match toml {
            true => toml::from_str(text).map_err(|error| {
                let message = error.to_string();
                Error::illegal("configuration", message.trim(), allowed)
            }),
            false => serde_json::from_str(text)
                .map_err(|error| Error::illegal("configuration", error, allowed)),
        }
    }

    /// What a layer has: the first rule that fits, then the model's.
    pub fn settings(&self, layer: &LayerName) -> Settings {
        let rule = self.layers.iter().find(|rule| rule.fits(layer));
        let own = rule.cloned().unwrap_or_default();
        Settings {
            input: own.input.or_else(|| self.input.clone()),
            weight: own.weight.or_else(|| self.weight.clone()),
            output: own.output.or_else(|| self.output.clone()),
            keep: own.keep,
        }
    }

    /// Checks that every rule's patterns fit a layer and its types are types.
    ///
    /// # Errors
    /// [`Error::Illegal`] naming the key.
    pub fn check(&self, layers: &[LayerName]) -> Result<(), Error> {
        for (place, rule) in self.layers.iter().enumerate() {
            let key = |name: &str| format!("layers[{place}].{name}");
            if rule.names.is_empty() && rule.types.is_empty() {
                return Err(Error::illegal(key("names"), "missing", "names or types"));
            }
            for pattern in &rule.names {
                check_name(&key("names"), pattern, layers)?;
            }
            for name in &rule.types {
                check_type(&key("types"), name)?;
            }
        }
        Ok(())
    }
}

impl Rule {
    fn fits(&self, layer: &LayerName) -> bool {
        self.names.iter().any(|pattern| fits(pattern, &layer.name))
            || self.types.iter().any(|name| layer.types.contains(name))
    }
}

impl Setting {
    /// The quantiser of a role; `None` for `fp32`.
    ///
    /// # Errors
    /// [`Error::Illegal`] and [`Error::Contract`] naming the key below `key`.
    pub fn choice(
        &self,
        key: &str,
        role: Role,
        formats: &Formats,
    ) -> Result<Option<Choice>, Error> {
        let illegal = |part: &str, value: &str, allowed: &str| {
            Error::illegal(format!("{key}.{part}"), value, allowed)
        };
        let found = formats.get(&self.format);
        let format = found.map_err(|error| illegal("format", &self.format, &error.to_string()))?;
        if format.name == "fp32" {
            return Ok(None);
        }
        if format.encoding == Encoding::PowerOfTwo {
            let allowed = "formats with a sign and a zero";
            return Err(illegal("format", format.name, allowed));
        }
        let how = match &self.blocks {
            Some(text) => {
                let blocks = Blocks::get(text);
                let blocks = blocks.map_err(|error| illegal("blocks", text, &error.to_string()))?;
                if role == Role::Output {
                    return Err(illegal(
                        "blocks",
                        text,
                        "inputs and weights, which have a K",
                    ));
                }
                if self.calibrator.is_some() || self.per.is_some() {
                    let allowed = "no calibrator and no per beside them";
                    return Err(illegal("blocks", text, allowed));
                }
                if !format.is_operand() {
                    let allowed = "signed formats of at most 8 bits, for blocks";
                    return Err(illegal("format", format.name, allowed));
                }
                How::Blocks(blocks)
            }
            None => self.scales(role, &illegal)?,
        };
        let how = match format.is_operand() {
            true => how,
            false => How::One,
        };
        Ok(Some(Choice { format, how }))
    }

    fn scales(
        &self,
        role: Role,
        illegal: &impl Fn(&str, &str, &str) -> Error,
    ) -> Result<How, Error> {
        let name = self.calibrator.as_deref().unwrap_or("max");
        let read = |name: &str| {
            let kind = ObserverKind::get(name).map_err(|error| error.to_string());
            kind.map_err(|error| illegal("calibrator", name, &error))
        };
        let (dynamic, kind) = match name.strip_prefix("dynamic") {
            Some("") => (true, ObserverKind::Max),
            Some(rest) => (true, read(rest.strip_prefix('-').unwrap_or(rest))?),
            None => (false, read(name)?),
        };
        let allowed = match (role, dynamic) {
            (Role::Weight, true) => Some("max, percentile, mse, for weights"),
            (Role::Weight, _) if kind == ObserverKind::Entropy => {
                Some("max, percentile, mse, for weights")
            }
            (_, true) if !matches!(kind, ObserverKind::Max | ObserverKind::Percentile(_)) => {
                Some("dynamic, dynamic-percentile:<P>")
            }
            _ if kind == ObserverKind::Save => Some("max, percentile, mse, entropy"),
            _ => None,
        };
        if let Some(allowed) = allowed {
            return Err(illegal("calibrator", name, allowed));
        }
        let own = match (role, self.per.as_deref()) {
            (_, None | Some("tensor")) => false,
            (Role::Weight, Some("channel")) => true,
            (Role::Input, Some("token")) if dynamic => true,
            (_, Some(per)) => {
                let allowed = "tensor; channel, of weights; token, of dynamic inputs";
                return Err(illegal("per", per, allowed));
            }
        };
        Ok(match (dynamic, kind) {
            (false, kind) => How::Static {
                kind,
                channels: own,
            },
            (true, ObserverKind::Percentile(percent)) => How::Dynamic {
                percent: Some(percent),
                lines: own,
            },
            (true, _) => How::Dynamic {
                percent: None,
                lines: own,
            },
        })
    }
}
