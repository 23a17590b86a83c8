//! Products on the host of operands that were quantised and dequantised.

use ndarray::{Array2, ArrayView2};
use quaver_contract::{Conversion, Formats};
use rayon::prelude::*;

use super::blocks;
use super::operand::Operands;
use super::products::round;
use super::scales::{Lines, scales};
use crate::Error;
use crate::plan::{Kept, Quantiser};
use crate::scale::Codec;
use crate::scale::blocks::round_trip;

/// The numbers that the codes of a matrix stand for, rounded to the type that the layer is computed in.
pub(crate) fn dequantised(
    values: ArrayView2<'_, f32>,
    quantiser: Option<&Quantiser>,
    compute: Kept,
    (lines, channel): (Lines, usize),
) -> Result<Array2<f32>, Error> {
    let numbers = match quantiser {
        None => values.as_standard_layout().into_owned(),
        Some(quantiser) => match blocks::of(quantiser) {
            Some(blocks) => {
                let turned = match lines {
                    Lines::Rows => values,
                    Lines::Columns => values.reversed_axes(),
                };
                let numbers = round_trip(turned, blocks, &quantiser.conversion);
                let numbers = numbers.map_err(Error::scale)?;
                match lines {
                    Lines::Rows => numbers,
                    Lines::Columns => numbers.reversed_axes().as_standard_layout().into_owned(),
                }
            }
            None => through(values, quantiser, lines, channel)?,
        },
    };
    match codec(compute)? {
        None => Ok(numbers),
        Some(codec) => Ok(round(numbers.view(), &codec)),
    }
}

fn codec(compute: Kept) -> Result<Option<Codec>, Error> {
    match compute {
        Kept::Fp32 => Ok(None),
        Kept::Fp16 | Kept::Bf16 => {
            let format = Formats::default().get(compute.name())?;
            Ok(Some(Codec::with(&Conversion::native(format))?))
        }
    }
}

/// To codes and back, with one scale or one a line.
fn through(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Array2<f32>, Error> {
    let scales = scales(values, quantiser, lines, channel)?;
    let codec = Codec::with(&quantiser.conversion)?;
    let axis = lines.axis();
    let mut results = Array2::zeros(values.dim());
    let each = scales.iter().cycle();
    let pairs = values.axis_iter(axis).zip(results.axis_iter_mut(axis));
    let mut numbers = Vec::new();
    let mut line = Vec::new();
    for ((from, mut to), &scale) in pairs.zip(each) {
        line.clear();
        line.extend(from.iter());
        numbers.resize(line.len(), 0.0);
        codec.round_trip(&line, scale, &mut numbers);
        to.iter_mut().zip(&numbers).for_each(|(to, &x)| *to = x);
    }
    Ok(results)
}

/// The product of two matrices as [`crate::plan`] defines it, and the layer's bias. Rows are
/// independent, and made by several threads.
pub(super) fn product(
    a: &Array2<f32>,
    b: &Array2<f32>,
    operands: &Operands<'_>,
    compute: Kept,
) -> Result<Array2<f32>, Error> {
    let mut result = Array2::zeros((a.nrows(), b.ncols()));
    let values = result.as_slice_mut().expect("C order");
    let rows = values.par_chunks_exact_mut(b.ncols().max(1));
    rows.enumerate().for_each(|(row, result)| {
        let mut sums = vec![0.0f64; b.ncols()];
        for (&x, line) in a.row(row).iter().zip(b.rows()) {
            let x = f64::from(x);
            for (sum, &y) in sums.iter_mut().zip(line) {
                *sum += x * f64::from(y);
            }
        }
        for (to, sum) in result.iter_mut().zip(sums) {
            *to = sum as f32;
        }
    });
    if let Some(bias) = operands.bias {
        result += &bias;
    }
    match codec(compute)? {
        None => Ok(result),
        Some(codec) => Ok(round(result.view(), &codec)),
    }
}
