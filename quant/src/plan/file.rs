//! A plan as a JSON file.

use std::collections::BTreeMap;

use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::{Conversion, Encoding, Formats, Overflow};
use serde::{Deserialize, Serialize};

use super::{Kept, LayerPlan, Plan, Quantiser, ScalePlan};
use crate::Error;
use crate::scale::blocks::Blocks;

/// The file: names of the contract, and scales.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// How quantised layers add, by its name.
    pub accumulator: String,
    /// What layers without a row are left in: `fp32`, `fp16` or `bf16`.
    pub default: String,
    /// By node name.
    pub layers: BTreeMap<String, LayerFile>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum LayerFile {
    /// Left in a type.
    Keep {
        /// `fp32`, `fp16` or `bf16`.
        keep: String,
    },
    /// As jobs.
    Quantised {
        /// Of the activation.
        input: QuantiserFile,
        /// Of the weight.
        weight: QuantiserFile,
        /// Of the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<QuantiserFile>,
    },
    /// Quantised and dequantised operands, in host arithmetic.
    Dequantised {
        /// `fp32`, `fp16` or `bf16`.
        compute: String,
        /// Of the activation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<QuantiserFile>,
        /// Of the weight.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weight: Option<QuantiserFile>,
        /// Of the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<QuantiserFile>,
    },
}

/// A quantiser: saturating, to nearest, ties to even.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantiserFile {
    /// A format of the table.
    pub format: String,
    /// What the tensor is divided by.
    pub scale: ScaleFile,
}

/// A number; one for each output channel; `dynamic` or `dynamic-lines`, `dynamic-percentile:P` or
/// `dynamic-lines-percentile:P`; or blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScaleFile {
    /// One for the tensor.
    Tensor(f32),
    /// One for each output channel.
    Channels(Vec<f32>),
    /// Found at run time.
    Dynamic(String),
    /// One for each block along K.
    Blocks {
        /// Kind and length, as [`Blocks::get`] reads them.
        blocks: String,
    },
}

impl ScaleFile {
    /// What a plan has for blocks.
    pub fn blocks(blocks: Blocks) -> Self {
        Self::Blocks {
            blocks: format!("{}:{}", blocks.kind.name(), blocks.length),
        }
    }

    /// A dynamic scale: for a percentile or the largest magnitude, of the tensor or of each line.
    pub fn dynamic(percent: Option<f64>, lines: bool) -> Self {
        let lines = if lines { "-lines" } else { "" };
        Self::Dynamic(match percent {
            None => format!("dynamic{lines}"),
            Some(percent) => format!("dynamic{lines}-percentile:{percent}"),
        })
    }
}

/// Names of the dynamic scales.
const DYNAMIC: [&str; 2] = ["dynamic", "dynamic-lines"];

/// What stands between the name of a dynamic scale and its percentile.
const PERCENTILE: &str = "-percentile:";

/// The dynamic scale of a name.
fn dynamic(name: &str) -> Option<ScalePlan> {
    match name.split_once(PERCENTILE) {
        None if name == DYNAMIC[0] => Some(ScalePlan::DynamicTensor),
        None if name == DYNAMIC[1] => Some(ScalePlan::DynamicLines),
        None => None,
        Some((kind, percent)) => Some(ScalePlan::DynamicPercentile {
            percent: (percent.parse().ok()).filter(|percent| (0.0..=100.0).contains(percent))?,
            lines: DYNAMIC.iter().position(|name| *name == kind)? == 1,
        }),
    }
}

fn kept(key: &str, name: &str) -> Result<Kept, Error> {
    let kept = Kept::ALL.iter().find(|kept| kept.name() == name);
    kept.copied()
        .ok_or_else(|| Error::illegal(key, name, "fp32, fp16, bf16"))
}

impl PlanFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Error::Illegal`] with line and column.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text).map_err(|error| {
            Error::illegal("plan", error, "the keys accumulator, default and layers")
        })
    }

    /// The text of a file.
    ///
    /// # Panics
    /// Never: scales are finite, and keys are strings.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings are JSON")
    }

    /// The plan.
    ///
    /// # Errors
    /// [`Error::Illegal`] and [`Error::Contract`] naming the layer and the key.
    pub fn plan(&self, formats: &Formats) -> Result<Plan, Error> {
        let mut plan = Plan::keep();
        let row = ACCUMULATORS.iter().find(|row| row.name == self.accumulator);
        let row = row.ok_or_else(|| {
            let names: Vec<&str> = ACCUMULATORS.iter().map(|row| row.name).collect();
            Error::illegal("accumulator", &self.accumulator, names.join(", "))
        })?;
        plan.accumulator = row.accumulator;
        plan.default = LayerPlan::Keep(kept("default", &self.default)?);
        for (name, layer) in &self.layers {
            let key = |operand: &str| format!("layers.{name}.{operand}");
            let layer = match layer {
                LayerFile::Keep { keep } => LayerPlan::Keep(kept(&key("keep"), keep)?),
                LayerFile::Quantised {
                    input,
                    weight,
                    output,
                } => LayerPlan::Quantised {
                    input: input.operand(&key("input"), formats)?,
                    weight: weight.operand(&key("weight"), formats)?,
                    output: optional(output, &key("output"), formats)?,
                },
                LayerFile::Dequantised {
                    compute,
                    input,
                    weight,
                    output,
                } => LayerPlan::Dequantised {
                    compute: kept(&key("compute"), compute)?,
                    input: optional(input, &key("input"), formats)?,
                    weight: optional(weight, &key("weight"), formats)?,
                    output: optional(output, &key("output"), formats)?,
                },
            };
            plan.layers.insert(name.clone(), layer);
        }
        Ok(plan)
    }
}

fn optional(
    file: &Option<QuantiserFile>,
    key: &str,
    formats: &Formats,
) -> Result<Option<Quantiser>, Error> {
    let quantiser = file.as_ref().map(|file| file.quantiser(key, formats));
    quantiser.transpose()
}

impl QuantiserFile {
    /// Of a job's operand.
    fn operand(&self, key: &str, formats: &Formats) -> Result<Quantiser, Error> {
        let quantiser = self.quantiser(key, formats)?;
        match quantiser.conversion.format.is_operand() {
            true => Ok(quantiser),
            false => Err(self.not_an_operand(key)),
        }
    }

    fn not_an_operand(&self, key: &str) -> Error {
        let allowed = "signed formats of at most 8 bits";
        Error::illegal(format!("{key}.format"), &self.format, allowed)
    }

    pub(crate) fn quantiser(&self, key: &str, formats: &Formats) -> Result<Quantiser, Error> {
        let format = formats.get(&self.format)?;
        let has_sign = !matches!(format.encoding, Encoding::PowerOfTwo);
        let blocks = matches!(self.scale, ScaleFile::Blocks { .. });
        if !has_sign || (blocks && !format.is_operand()) {
            return Err(self.not_an_operand(key));
        }
        let allowed = || {
            let names = DYNAMIC.join(", ");
            format!("positive, finite numbers, {names}, each with {PERCENTILE}<P>, or blocks")
        };
        let wrong = |value: &dyn ToString| {
            Error::illegal(format!("{key}.scale"), value.to_string(), allowed())
        };
        let positive = |scale: &f32| scale.is_finite() && *scale > 0.0;
        let scale = match &self.scale {
            ScaleFile::Tensor(scale) if positive(scale) => ScalePlan::Tensor(*scale),
            ScaleFile::Tensor(scale) => return Err(wrong(scale)),
            ScaleFile::Channels(scales) => match scales.iter().find(|scale| !positive(scale)) {
                None => ScalePlan::Channels(scales.clone()),
                Some(scale) => return Err(wrong(scale)),
            },
            ScaleFile::Dynamic(name) => dynamic(name).ok_or_else(|| wrong(name))?,
            ScaleFile::Blocks { blocks } => {
                ScalePlan::Blocks(Blocks::get(blocks).map_err(|_| wrong(blocks))?)
            }
        };
        let conversion = Conversion::native(format);
        let conversion = match format.infinity_code().or(format.nan_code()) {
            None => conversion,
            Some(_) => conversion.with_overflow(Overflow::Saturate)?,
        };
        Ok(Quantiser { conversion, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "accumulator": "dot_gaudi3",
        "default": "bf16",
        "layers": {
            "a": { "keep": "fp32" },
            "b": {
                "input": { "format": "e4m3fn", "scale": 0.5 },
                "weight": { "format": "e5m2", "scale": [1.0, 2.0] },
                "output": { "format": "e4m3fn", "scale": "dynamic" }
            },
            "c": {
                "compute": "fp16",
                "input": { "format": "fp16", "scale": "dynamic-lines-percentile:99.5" },
                "weight": { "format": "int4", "scale": { "blocks": "bf16:64" } }
            }
        }
    }"#;

    #[test]
    fn files_round_trip_and_become_plans() {
        let file = PlanFile::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(PlanFile::parse(file.to_json().as_bytes()).unwrap(), file);
        let plan = file.plan(&Formats::default()).unwrap();
        let row = ACCUMULATORS
            .iter()
            .find(|row| row.name == "dot_gaudi3")
            .unwrap();
        assert_eq!(plan.accumulator, row.accumulator);
        assert_eq!(plan.layer("none"), &LayerPlan::Keep(Kept::Bf16));
        assert_eq!(plan.layer("a"), &LayerPlan::Keep(Kept::Fp32));
        let LayerPlan::Quantised { weight, output, .. } = plan.layer("b") else {
            panic!("b is quantised");
        };
        assert_eq!(weight.scale, ScalePlan::Channels(vec![1.0, 2.0]));
        assert_eq!(output.as_ref().unwrap().scale, ScalePlan::DynamicTensor);
        let LayerPlan::Dequantised {
            compute,
            input: Some(input),
            weight: Some(weight),
            output: None,
        } = plan.layer("c")
        else {
            panic!("c is dequantised");
        };
        assert_eq!(*compute, Kept::Fp16);
        let scale = ScalePlan::DynamicPercentile {
            percent: 99.5,
            lines: true,
        };
        assert_eq!(input.scale, scale);
        assert_eq!(input.conversion.format.name, "fp16");
        let blocks = Blocks::get("bf16").unwrap();
        assert_eq!(weight.scale, ScalePlan::Blocks(blocks));
        assert_eq!(
            ScaleFile::blocks(blocks),
            ScaleFile::Blocks {
                blocks: "bf16:64".to_owned()
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, expected) in [
            ("dot_gaudi3", "dot_gaudi9", "dot_gaudi9"),
            ("\"bf16\"", "\"bf8\"", "bf8"),
            ("0.5", "-0.5", "layers.b.input.scale -0.5"),
            ("[1.0, 2.0]", "[1.0, 0]", "layers.b.weight.scale 0"),
            ("\"dynamic\"", "\"static\"", "layers.b.output.scale static"),
            ("\"e5m2\"", "\"fp16\"", "layers.b.weight.format fp16"),
            ("\"keep\"", "\"kept\"", "layers"),
            ("\"fp16\",", "\"fp8\",", "layers.c.compute fp8"),
            (
                ":99.5",
                ":100.5",
                "layers.c.input.scale dynamic-lines-percentile:100.5",
            ),
            ("bf16:64", "bf16:0", "layers.c.weight.scale bf16:0"),
            ("int4", "fp16", "layers.c.weight.format fp16"),
            (
                "\"keep\": \"fp32\"",
                "\"keep\": \"fp32\", \"held\": 1",
                "LayerFile",
            ),
        ] {
            let text = TEXT.replacen(from, to, 1);
            let plan = PlanFile::parse(text.as_bytes()).and_then(|f| f.plan(&Formats::default()));
            let error = plan.unwrap_err().to_string();
            assert!(error.contains(expected), "{from} {to}: {error}");
        }
    }
}
