//! The JSON of formats and scales beside an exported model.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ElementType;

/// The file: every product layer of the model by its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalesFile {
    /// How the plan adds, which ONNX does not say.
    pub accumulator: String,
    /// By node name.
    pub layers: BTreeMap<String, LayerScales>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LayerScales {
    /// Left in a type.
    Kept {
        /// Its operator.
        operator: String,
        /// `fp32`, `fp16` or `bf16`.
        keep: &'static str,
    },
    /// Between pairs of QuantizeLinear and DequantizeLinear.
    Quantised(Box<QuantisedScales>),
}

/// The operands of a quantised layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuantisedScales {
    /// Its operator.
    pub operator: String,
    /// Of the activation.
    pub input: OperandScales,
    /// Of the weight.
    pub weight: OperandScales,
    /// Of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OperandScales>,
}

impl QuantisedScales {
    /// The version of ONNX's operators that its element types need.
    pub(crate) fn opset(&self) -> i64 {
        let operands = [Some(&self.input), Some(&self.weight), self.output.as_ref()];
        let needed = operands
            .into_iter()
            .flatten()
            .map(|operand| match operand.element {
                "FLOAT4E2M1" => 23,
                "INT4" => 21,
                _ => 19,
            });
        needed.max().unwrap_or(19)
    }
}

/// One operand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperandScales {
    /// The format, by the contract's name.
    pub format: &'static str,
    /// The same as ONNX's element type.
    pub element: &'static str,
    /// What numbers are divided by.
    pub scale: OperandScale,
    /// Of several scales the shape, which broadcasts to that of the tensor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
    /// The constant of the model that has the codes, of a weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initializer: Option<String>,
}

/// Scales of an operand.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OperandScale {
    /// One for the tensor.
    Tensor(f32),
    /// Several, in C order.
    Several(Vec<f32>),
    /// Found at run time: `dynamic`, one for the tensor, or `dynamic-lines`.
    Dynamic(&'static str),
}

impl OperandScales {
    /// Of a tensor that nodes quantise.
    pub(crate) const fn new(
        format: &'static str,
        element: ElementType,
        scale: OperandScale,
    ) -> Self {
        Self {
            format,
            element: element.name(),
            scale,
            shape: Vec::new(),
            initializer: None,
        }
    }
}

impl ScalesFile {
    /// The text of the file.
    ///
    /// # Panics
    /// Never: scales are finite, and keys are strings.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings are JSON")
    }
}
