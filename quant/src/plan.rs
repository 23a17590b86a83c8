//! What a workflow decides for each layer, and the interpreter carries out.
//!
//! A quantised layer computes, for operands x with scale s:
//!
//! 1. `q = encode(RNE32(x / s))`, or `encode(RNE32(x * RNE32(1 / s)))` where the quantiser
//!    multiplies ([`Arithmetic`]); `encode` is the quantiser's conversion.
//! 2. the job `A * B` of the codes with the plan's accumulator, from +0, to FP32, with scale
//!    `RNE32(sa * sb)`, one per column where the weight has one per channel, and the layer's bias.
//!    Where the input has a scale per token, the job's scale is `sb` and it has no bias; the result
//!    of row m is then `RNE32(RNE32(sa[m] * d) + bias)`.
//! 3. `RNE32(s * decode(encode(RNE32(y / s))))` where the layer has an output quantiser.

use std::collections::BTreeMap;

use quaver_contract::{Accumulator, BlockScale, Conversion};

/// Of every product layer what it is computed in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How quantised layers add their products; a chip's is found by `Profile::accumulator`.
    pub accumulator: Accumulator,
    /// By node name (`onnx::Node::label`); a layer without a row stays in FP32.
    pub layers: BTreeMap<String, LayerPlan>,
}

impl Plan {
    /// The plan that keeps every layer in FP32.
    pub fn keep() -> Self {
        Self {
            accumulator: Accumulator::Fp32,
            layers: BTreeMap::new(),
        }
    }

    /// What a node's products are computed in.
    pub fn layer(&self, node: &str) -> &LayerPlan {
        const KEEP: &LayerPlan = &LayerPlan::Keep(Kept::Fp32);
        self.layers.get(node).unwrap_or(KEEP)
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
    /// How it is divided.
    pub arithmetic: Arithmetic,
}

/// How a number meets its scale, in FP32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `RNE32(x / s)`.
    #[default]
    Divide,
    /// `RNE32(x * RNE32(1 / s))`.
    Reciprocal,
}

/// Where scales come from. All are positive, finite FP32 numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalePlan {
    /// One for the tensor.
    Tensor(f32),
    /// One for each index of an axis, which must be the weight's axis of output channels.
    Channel {
        /// The axis in the tensor as stored.
        axis: usize,
        /// Its scales.
        scales: Vec<f32>,
    },
    /// One for the tensor at run time: `RNE32(amax / X)`, X the format's largest number, amax the
    /// largest finite magnitude; 1 where that quotient is 0.
    DynamicTensor,
    /// The same for every row of the job's A.
    DynamicToken,
    /// One for every block along K, by the contract's rule of block scales.
    Block {
        /// Elements of a block.
        length: usize,
        /// How its scale is held and chosen.
        scale: BlockScale,
    },
}
