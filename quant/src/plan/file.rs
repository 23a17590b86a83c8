//! A plan as a JSON file.

use std::collections::BTreeMap;

use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::{Conversion, Formats, Overflow};
use serde::{Deserialize, Serialize};

use super::{Kept, LayerPlan, Plan, Quantiser, ScalePlan};
use crate::Error;

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
#[serde(untagged)]
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

/// A number; one for each output channel; or `dynamic`, or `dynamic-lines`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScaleFile {
    /// One for the tensor.
    Tensor(f32),
    /// One for each output channel.
    Channels(Vec<f32>),
    /// Found at run time.
    Dynamic(String),
}

/// Names of the dynamic scales.
const DYNAMIC: [&str; 2] = ["dynamic", "dynamic-lines"];

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
                    input: input.quantiser(&key("input"), formats)?,
                    weight: weight.quantiser(&key("weight"), formats)?,
                    output: match output {
                        None => None,
                        Some(output) => Some(output.quantiser(&key("output"), formats)?),
                    },
                },
            };
            plan.layers.insert(name.clone(), layer);
        }
        Ok(plan)
    }
}

impl QuantiserFile {
    fn quantiser(&self, key: &str, formats: &Formats) -> Result<Quantiser, Error> {
        let format = formats.get(&self.format)?;
        if !format.is_operand() {
            let allowed = "signed formats of at most 8 bits";
            return Err(Error::illegal(
                format!("{key}.format"),
                format.name,
                allowed,
            ));
        }
        let allowed = || format!("positive, finite numbers, or {}", DYNAMIC.join(", "));
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
            ScaleFile::Dynamic(name) if name == DYNAMIC[0] => ScalePlan::DynamicTensor,
            ScaleFile::Dynamic(name) if name == DYNAMIC[1] => ScalePlan::DynamicLines,
            ScaleFile::Dynamic(name) => return Err(wrong(name)),
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
        ] {
            let text = TEXT.replacen(from, to, 1);
            let plan = PlanFile::parse(text.as_bytes()).and_then(|f| f.plan(&Formats::default()));
            let error = plan.unwrap_err().to_string();
            assert!(error.contains(expected), "{from} {to}: {error}");
        }
    }
}
