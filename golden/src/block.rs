//! Quantisers of matrices whose blocks share a scale (numerics.md, section 7).

use ndarray::{Array2, ArrayView2, Axis, Slice};
use quaver_contract::formats::{E4M3FN, FP32};
use quaver_contract::{BlockScale, Blocking, ContractError, Conversion, Overflow, Rounding};

use crate::divide::divide;
use crate::encode::{encode, encode_fp32};
use crate::{GoldenError, Number, decode, multiply};

/// A matrix in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Codes of the elements.
    pub codes: Array2<u32>,
    /// Codes of the blocks' scales, in `Blocking::scale_format`.
    pub scales: Array2<u32>,
    /// The tensor's scale as binary32, where the blocking has one.
    pub tensor: Option<u32>,
}

/// Chooses the scales of `values` (binary32 codes) and converts the elements.
///
/// # Errors
/// [`GoldenError`] for an illegal conversion, a format of powers of two, or stochastic rounding.
pub fn quantise(
    values: ArrayView2<'_, u32>,
    blocking: &Blocking,
    conversion: &Conversion,
) -> Result<Blocks, GoldenError> {
    check(blocking, conversion)?;
    let largest = largest(conversion);
    let tensor = (blocking.scale == BlockScale::Fp8AndTensor).then(|| {
        // Blocks with NaN or infinity have a NaN of their own, and no say in this.
        let finite = values.map(|&value| match decode(value, FP32) {
            Number::Finite { .. } => value,
            _ => 0,
        });
        let both = multiply(largest, decode(E4M3FN.max_code(), E4M3FN));
        fp32_scale(magnitude(finite.view()), both)
    });
    let mut codes: Array2<u32> = Array2::zeros(values.dim());
    let mut scales = Array2::zeros(blocking.scales(values.dim()));
    for ((row, col), scale) in scales.indexed_iter_mut() {
        let (top, left) = (row * blocking.rows, col * blocking.cols);
        let bottom = values.nrows().min(top + blocking.rows);
        let right = values.ncols().min(left + blocking.cols);
        let rows = Slice::from(top..bottom);
        let cols = Slice::from(left..right);
        let mut codes = codes.slice_axis_mut(Axis(0), rows);
        let mut codes = codes.slice_axis_mut(Axis(1), cols);
        let values = values.slice_axis(Axis(0), rows);
        let values = values.slice_axis(Axis(1), cols);
        let amax = magnitude(values);
        *scale = match blocking.scale {
            BlockScale::SharedExponent => shared_exponent(amax, largest, blocking),
            BlockScale::Fp32 => fp32_scale(amax, largest),
            BlockScale::Fp8AndTensor => fp8_scale(amax, largest, tensor.unwrap_or(0)),
        };
        let factor = factor(*scale, tensor, blocking);
        let convert = |&value: &u32| match factor {
            // Rule 7.3: such a block has no numbers.
            Number::Nan => 0,
            _ => encode(divide(decode(value, FP32), factor), conversion, 0),
        };
        codes.assign(&values.map(convert));
    }
    Ok(Blocks {
        codes,
        scales,
        tensor,
    })
}

/// The numbers of a matrix in blocks, as binary32 codes: each product is rounded once (rule 7.1).
///
/// # Errors
/// [`GoldenError`] for scales of another shape, or a tensor's scale that is missing or extra.
pub fn dequantise(
    blocks: &Blocks,
    blocking: &Blocking,
    conversion: &Conversion,
) -> Result<Array2<u32>, GoldenError> {
    check(blocking, conversion)?;
    let shape = blocking.scales(blocks.codes.dim());
    if blocks.scales.dim() != shape {
        return Err(ContractError::illegal(
            "scales shape",
            format!("{:?}", blocks.scales.dim()),
            format!("{shape:?}"),
        )
        .into());
    }
    if blocks.tensor.is_some() != (blocking.scale == BlockScale::Fp8AndTensor) {
        return Err(ContractError::illegal(
            "tensor scale",
            if blocks.tensor.is_some() {
                "given"
            } else {
                "none"
            },
            "given with E4M3 block scales, else none",
        )
        .into());
    }
    Ok(Array2::from_shape_fn(blocks.codes.dim(), |(row, col)| {
        let scale = blocks.scales[(row / blocking.rows, col / blocking.cols)];
        let factor = factor(scale, blocks.tensor, blocking);
        let element = decode(blocks.codes[(row, col)], conversion.format);
        encode_fp32(multiply(element, factor))
    }))
}

fn check(blocking: &Blocking, conversion: &Conversion) -> Result<(), GoldenError> {
    conversion.format.validate()?;
    conversion.validate()?;
    if !conversion.format.is_operand() {
        return Err(ContractError::illegal(
            "format of a block",
            conversion.format.name,
            "a signed format of at most 8 bits",
        )
        .into());
    }
    if blocking.rows == 0 || blocking.cols == 0 {
        let block = format!("{}x{}", blocking.rows, blocking.cols);
        return Err(ContractError::illegal("block", block, "1x1 or more").into());
    }
    if conversion.rounding == Rounding::Stochastic {
        return Err(GoldenError::NoRandomBits);
    }
    Ok(())
}

/// The largest finite number of the elements' format.
fn largest(conversion: &Conversion) -> Number {
    decode(conversion.format.max_code(), conversion.format)
}

/// The largest magnitude, or NaN where there is a NaN or an infinity.
fn magnitude(values: ArrayView2<'_, u32>) -> Number {
    // Binary32 codes without their signs are ordered as their numbers are, infinity and NaN last.
    let top = values
        .iter()
        .map(|value| value & FP32.magnitude_mask())
        .max();
    match decode(top.unwrap_or(0), FP32) {
        Number::Infinity { .. } => Number::Nan,
        number => number,
    }
}

/// Rule 7.4: floor(log2 amax) - floor(log2 of the format's largest number), within E8M0.
fn shared_exponent(amax: Number, largest: Number, blocking: &Blocking) -> u32 {
    let format = blocking.scale_format();
    let (Some(amax), Some(largest)) = (floor_log2(amax), floor_log2(largest)) else {
        return match amax {
            Number::Nan => format.nan_code().unwrap_or(0),
            _ => 0,
        };
    };
    let code = amax - largest + format.bias;
    code.clamp(0, format.max_code().cast_signed())
        .cast_unsigned()
}

fn floor_log2(number: Number) -> Option<i32> {
    match number {
        Number::Finite {
            significand,
            exponent,
            ..
        } if significand != 0 => {
            Some(exponent + (u128::BITS - significand.leading_zeros()).cast_signed() - 1)
        }
        _ => None,
    }
}

/// Rule 7.5: RNE32(amax / largest), but 1 for zeros, and no zero.
fn fp32_scale(amax: Number, largest: Number) -> u32 {
    if amax.is_zero() {
        return encode_fp32(Number::Finite {
            negative: false,
            significand: 1,
            exponent: 0,
        });
    }
    encode_fp32(divide(amax, largest)).max(1)
}

/// Rule 7.6: amax / (largest * tensor), saturating, and no zero.
fn fp8_scale(amax: Number, largest: Number, tensor: u32) -> u32 {
    let mut conversion = Conversion::native(E4M3FN);
    conversion.overflow = Overflow::Saturate;
    let scale = multiply(largest, decode(tensor, FP32));
    encode(divide(amax, scale), &conversion, 0).max(1)
}

/// What a block's elements are multiples of.
fn factor(scale: u32, tensor: Option<u32>, blocking: &Blocking) -> Number {
    let scale = decode(scale, blocking.scale_format());
    match tensor {
        Some(tensor) => multiply(scale, decode(tensor, FP32)),
        None => scale,
    }
}
