//! What is decided for each layer, and the interpreter carries out.
//!
//! A quantised layer computes, for operands x with scale s:
//!
//! 1. `q = encode(RNE32(x / s))`; `encode` is the quantiser's conversion, to nearest, ties to even,
//!    saturating. An operand in blocks has the codes and scales of numerics.md, section 7, along K; one
//!    rounding, of the exact quotient.
//! 2. the job `A * B` of the codes with the plan's accumulator, from +0, to FP32, with scale
//!    `RNE32(sa * sb)`, one for each column where the weight has a scale for each, and the layer's bias.
//!    Where the input has a scale for each row, the job's scale is `sb` and it has no bias; the result
//!    of row m is then `RNE32(RNE32(sa[m] * d) + bias)`.
//!    Operands in blocks are the job's `blocks` (numerics.md 7.8), with the scales of both in one format
//!    and of one length. An operand without blocks beside one that has them has block scales of 1 and its
//!    own scale as above. The tensor's scale of `nvfp4` is the operand's `s` above, and it is 1 for other
//!    kinds. A scale in bfloat16 is a binary32 number, and the job has it so.
//! 3. of the layer's result y, all of it, bias included: `RNE32(s * decode(encode(RNE32(y / s))))`, where
//!    the layer has an output quantiser.
//!
//! A dequantised layer runs no job. Its operands are quantised as above and dequantised:
//! `RNE32(s * decode(q))`, for blocks `RNE32(S * T * decode(q))`; formats of more than 8 bits will do
//! too. An operand without a quantiser stays as it is. Operands are then rounded to `compute` (fp32, fp16
//! or bf16; overflow gives infinity). A sum starts from +0 and takes its products, which are exact in
//! binary64, in ascending k, each addition rounded to binary64; the sum is rounded to binary32, the bias
//! added in binary32, and the result rounded to `compute`; then step 3. On every host that is the same.
//!
//! A batch of matrices, or a convolution's groups, are products of their own. A dynamic scale of a tensor
//! is of the node's whole operand, whatever its products, but in Attention and in dequantised layers, where it is
//! of each product's own.

pub mod file;
mod rows;

use std::collections::BTreeMap;

pub use file::PlanFile;
use quaver_contract::{Accumulator, Conversion};

use crate::scale::blocks::Blocks;

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
    /// No job: operands that were quantised and dequantised, in host arithmetic.
    Dequantised {
        /// What operands and result are rounded to.
        compute: Kept,
        /// Of the activation; `None` leaves it as it is.
        input: Option<Quantiser>,
        /// Of the weight, or of the second operand where both are activations.
        weight: Option<Quantiser>,
        /// Of the result.
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
    /// As the dynamic ones, with amax the smallest finite magnitude that so many of 100 of the finite
    /// ones do not exceed.
    DynamicPercentile {
        /// 0 to 100.
        percent: f64,
        /// Whether each row or column has its own.
        lines: bool,
    },
    /// One for each block along K, found at run time.
    Blocks(Blocks),
}
