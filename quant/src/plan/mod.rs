//! What is decided for each layer, and the interpreter carries out.
//!
//! A quantised layer computes, for operands x with scale s:
//!
//! 1. `q = encode(RNE32(x / s))`; `encode` is the quantiser's conversion.
//! 2. the job `A * B` of the codes with the plan's accumulator, from +0, to FP32, with scale
//!    `RNE32(sa * sb)`, one for each column where the weight has a scale for each, and the layer's bias.
//!    Where the input has a scale for each row, the job's scale is `sb` and it has no bias; the result
//!    of row m is then `RNE32(RNE32(sa[m] * d) + bias)`.
//! 3. `RNE32(s * decode(encode(RNE32(y / s))))` where the layer has an output quantiser.

pub mod file;

use std::collections::BTreeMap;

pub use file::PlanFile;
use quaver_contract::{Accumulator, Conversion};

/// What every product layer is computed in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How quantised layers add their products.
    pub accumulator: Accumulator,
    /// Layers without a row in `layers`.
    pub default: LayerPlan,
    /// By node name (`onnx::Node::label`).
    pub layers: BTreeMap<String, LayerPlan>,
}

impl Plan {
    /// The plan that keeps every layer in FP32.
    pub const fn keep() -> Self {
        Self {
            accumulator: Accumulator::Fp32,
            default: LayerPlan::Keep(Kept::Fp32),
            layers: BTreeMap::new(),
        }
    }

    /// What a node's products are computed in.
    pub fn layer(&self, node: &str) -> &LayerPlan {
        self.layers.get(node).unwrap_or(&self.default)
    }
}

/// A floating-point type that a layer is left in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// binary32 throughout.
    Fp32,
    /// Operands and result rounded to binary16, sums in binary32.
    Fp16,
    /// Operands and result rounded to bfloat16, sums in binary32.
    Bf16,
}

impl Kept {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Fp32, Self::Fp16, Self::Bf16];

    /// The format's name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
        }
    }
}

/// What one layer is computed in.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerPlan {
    /// No job: host arithmetic.
    Keep(Kept),
    /// Jobs on the array.
    Quantised {
        /// Of the activation.
        input: Quantiser,
        /// Of the weight, or of the second operand where both are activations.
        weight: Quantiser,
        /// Of the result; `None` leaves it in FP32.
        output: Option<Quantiser>,
    },
}

/// How a tensor becomes codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiser {
    /// Format, rounding and policies.
    pub conversion: Conversion,
    /// What the tensor is divided by.
    pub scale: ScalePlan,
}

/// Where scales come from. A dynamic scale is `RNE32(amax / X)` at run time, amax the largest finite
/// magnitude and X the format's largest number; 1 where that quotient is 0.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalePlan {
    /// One for the tensor: a positive, finite number.
    Tensor(f32),
    /// One for each output channel of the weight, which is a column of the job's B.
    Channels(Vec<f32>),
    /// A dynamic one for the tensor.
    DynamicTensor,
    /// A dynamic one for each row of the job's A (of an input), or column of its B (of a weight).
    DynamicLines,
}
