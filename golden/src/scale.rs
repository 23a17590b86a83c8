//! The epilogue between the sum and its conversion (numerics.md, rules 1.3 and 3).

use quaver_contract::formats::FP32;

use crate::accumulate::add_fp32;
use crate::decode::decode;
use crate::encode::encode_fp32;
use crate::number::Number;
use crate::product::multiply_fp32;

/// Scale, bias and ReLU of one column: binary32 codes, each step only when present.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue {
    /// Factor of the sum (rule 3.2).
    pub scale: Option<u32>,
    /// Term added after scaling (rule 3.3).
    pub bias: Option<u32>,
    /// Whether negative numbers become +0 (rule 3.4).
    pub relu: bool,
}

impl Epilogue {
    /// The steps in the order of rule 1.3, each rounded on its own; `sum` is a binary32 code.
    pub fn apply(&self, sum: u32) -> u32 {
        let scaled = match self.scale {
            Some(scale) => multiply_fp32(scale, sum),
            None => sum,
        };
        let biased = match self.bias {
            Some(bias) => add_fp32(scaled, bias),
            None => scaled,
        };
        if self.relu { relu(biased) } else { biased }
    }
}

/// Rule 3.4 on a binary32 code: negative numbers, -Inf and -0 become +0.
pub fn relu(code: u32) -> u32 {
    let number = decode(code, FP32);
    match number {
        Number::Infinity { negative: true } | Number::Finite { negative: true, .. } => {
            encode_fp32(Number::zero(false))
        }
        // NaN too: it leaves in canonical form (rule 3.5).
        _ => encode_fp32(number),
    }
}
