//! The gradient of a quantiser, and the operands that a product saw.
//!
//! A quantiser is a staircase, whose derivative is 0 almost everywhere. Training takes another one
//! instead, of `RNE32(x / s)` beside the format's finite numbers:
//!
//! - [`Gradient::Ste`]: 1 everywhere (Bengio, Léonard, Courville, arXiv 1308.3432, section 2.3).
//! - [`Gradient::Pwl`]: 1 from the lowest to the highest finite number, both included, and 0 outside,
//!   where the number saturates: the derivative of the piecewise linear clip (INT-FP-QSim, arXiv
//!   2307.03712; `fake_tensor_quant` of NVIDIA's pytorch-quantization, which its integer formats use).
//!
//! Scales are constants in both: no gradient goes through a dynamic one. For blocks along K the quotient
//! is of the block's own scale. A rounding to fp16 or bf16, as kept layers have it, counts as 1.

use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD, Axis, Zip};
use quaver_contract::Encoding;
use quaver_fast::decode::decode;

use crate::Error;
use crate::graph::host::dequantised;
use crate::graph::scales::{Lines, scales, single};
use crate::plan::{Kept, LayerPlan, Quantiser, ScalePlan};
use crate::scale::blocks::{factors, quantise};
use crate::scale::max_value;

/// What stands for the derivative of a quantiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// 1 everywhere.
    Ste,
    /// 1 where the number is within the format's range, 0 where it saturates.
    Pwl,
}

impl Gradient {
    /// Every choice.
    pub const ALL: &'static [Self] = &[Self::Ste, Self::Pwl];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ste => "ste",
            Self::Pwl => "pwl",
        }
    }
}

/// A matrix as a product saw it: what its codes stand for, and which of its numbers saturated.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) numbers: Array2<f32>,
    saturated: Option<Array2<bool>>,
}

impl Operand {
    /// The gradient of the matrix from that of its quantised numbers.
    pub(super) fn through(&self, gradient: &mut Array2<f32>) {
        if let Some(saturated) = &self.saturated {
            Zip::from(gradient)
                .and(saturated)
                .for_each(|value, &saturated| *value = if saturated { 0.0 } else { *value });
        }
    }
}

/// Which operand of a layer's product a matrix is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Rows: the first operand; columns: the second.
    pub(super) lines: Lines,
    /// The first of a weight's columns among the layer's output channels.
    pub(super) channel: usize,
}

impl Place {
    pub(super) const FIRST: Self = Self {
        lines: Lines::Rows,
        channel: 0,
    };
    pub(super) const SECOND: Self = Self {
        lines: Lines::Columns,
        channel: 0,
    };
}

/// A layer's operand: `values` is the matrix of a product, `whole` the node's tensor that it is part of.
pub(super) fn operand(
    (layer, gradient): (&LayerPlan, Gradient),
    place: Place,
    values: ArrayView2<'_, f32>,
    whole: ArrayViewD<'_, f32>,
) -> Result<Operand, Error> {
    let Place { lines, channel } = place;
    let first = matches!(lines, Lines::Rows);
    let (quantiser, compute) = match layer {
        LayerPlan::Keep(kept) => (None, *kept),
        LayerPlan::Quantised { input, weight, .. } => {
            // A job's scale of a tensor is of the node's whole operand.
            let quantiser = if first { input } else { weight };
            let whole = whole.as_standard_layout();
            let numbers = whole.as_slice().expect("standard layout");
            let scale = single(numbers, quantiser)?.map(ScalePlan::Tensor);
            let scale = scale.unwrap_or_else(|| quantiser.scale.clone());
            let conversion = quantiser.conversion;
            (Some(Quantiser { conversion, scale }), Kept::Fp32)
        }
        LayerPlan::Dequantised {
            compute,
            input,
            weight,
            ..
        } => (if first { input } else { weight }.clone(), *compute),
    };
    let saturated = match (gradient, &quantiser) {
        (Gradient::Pwl, Some(quantiser)) => Some(saturated(values, quantiser, lines, channel)?),
        _ => None,
    };
    Ok(Operand {
        numbers: dequantised(values, quantiser.as_ref(), compute, (lines, channel))?,
        saturated,
    })
}

/// The gradient of a layer's result before its output quantiser, from that behind it.
pub(super) fn through_output(
    (layer, gradient): (&LayerPlan, Gradient),
    unquantised: &ArrayD<f32>,
    upstream: ArrayD<f32>,
) -> Result<ArrayD<f32>, Error> {
    let output = match layer {
        LayerPlan::Keep(_) => &None,
        LayerPlan::Quantised { output, .. } | LayerPlan::Dequantised { output, .. } => output,
    };
    let (Gradient::Pwl, Some(quantiser)) = (gradient, output) else {
        return Ok(upstream);
    };
    let shape = upstream.raw_dim();
    let line = unquantised.as_standard_layout();
    let line = line.view().into_shape_with_order((1, line.len()));
    let line = line.expect("one row of them");
    let mask = saturated(line, quantiser, Lines::Rows, 0)?;
    let mut upstream = upstream;
    let mask = mask
        .into_shape_with_order(shape)
        .expect("the same elements");
    Zip::from(&mut upstream)
        .and(&mask)
        .for_each(|value, &saturated| *value = if saturated { 0.0 } else { *value });
    Ok(upstream)
}

/// Where numbers lie outside the format's finite ones.
fn saturated(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Array2<bool>, Error> {
    let format = quantiser.conversion.format;
    let highest = max_value(format);
    // The code behind the highest number is the lowest of two's complement, which reaches further.
    let lowest = match format.encoding {
        Encoding::TwosComplement => f32::from_bits(decode(format, format.max_code() + 1)),
        _ => -highest,
    };
    if let ScalePlan::Blocks(blocks) = quantiser.scale {
        let turned = match lines {
            Lines::Rows => values,
            Lines::Columns => values.reversed_axes(),
        };
        let blocked = quantise(turned, blocks, &quantiser.conversion).map_err(Error::scale)?;
        let factors = factors(&blocked, blocks);
        let mask = Array2::from_shape_fn(turned.dim(), |(row, col)| {
            let quotient = f64::from(turned[(row, col)]) / factors[(row, col / blocks.length)];
            !(f64::from(lowest)..=f64::from(highest)).contains(&quotient)
        });
        return Ok(match lines {
            Lines::Rows => mask,
            Lines::Columns => mask.reversed_axes(),
        });
    }
    let scales = scales(values, quantiser, lines, channel)?;
    let axis: Axis = lines.axis();
    let mut mask = Array2::from_elem(values.dim(), false);
    let each = values.axis_iter(axis).zip(mask.axis_iter_mut(axis));
    for ((values, mut mask), scale) in each.zip(scales.iter().cycle()) {
        for (mask, value) in mask.iter_mut().zip(values) {
            *mask = !(lowest..=highest).contains(&(value / scale));
        }
    }
    Ok(mask)
}
