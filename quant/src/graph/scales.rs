//! The scales that a quantiser gives a matrix: from the plan, or from the numbers at run time.

use ndarray::{ArrayView2, Axis};

use super::spread;
use crate::Error;
use crate::calibrate::rank;
use crate::plan::{Quantiser, ScalePlan};
use crate::scale::max_value;

/// The lines of a matrix that may have a scale each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    Rows,
    Columns,
}

impl Lines {
    /// Those of the transposed matrix.
    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Rows => Self::Columns,
            Self::Columns => Self::Rows,
        }
    }

    pub(crate) const fn axis(self) -> Axis {
        match self {
            Self::Rows => Axis(0),
            Self::Columns => Axis(1),
        }
    }
}

/// Whether a matrix is stored column by column, and not row by row.
pub(super) fn is_by_columns<T>(values: &ArrayView2<'_, T>) -> bool {
    !values.is_standard_layout() && values.t().is_standard_layout()
}

/// Dynamic scales: of the largest finite magnitude of each line.
fn largest(values: ArrayView2<'_, f32>, lines: Lines, top: f32) -> Vec<f32> {
    if is_by_columns(&values) {
        return largest(values.reversed_axes(), lines.turned(), top);
    }
    let values = values.as_standard_layout();
    let numbers = values.as_slice().expect("standard layout");
    let length = values.ncols().max(1);
    let magnitudes: Vec<f32> = match lines {
        Lines::Rows if values.ncols() == 0 => vec![0.0; values.nrows()],
        Lines::Rows => numbers.chunks_exact(length).map(spread::largest).collect(),
        Lines::Columns => {
            let mut magnitudes = vec![0.0f32; values.ncols()];
            for row in numbers.chunks_exact(length) {
                for (largest, value) in magnitudes.iter_mut().zip(row) {
                    let magnitude = value.abs();
                    let larger = magnitude > *largest && magnitude < f32::INFINITY;
                    *largest = if larger { magnitude } else { *largest };
                }
            }
            magnitudes
        }
    };
    magnitudes
        .iter()
        .map(|largest| or_one(largest / top))
        .collect()
}

/// A dynamic scale: of the smallest finite magnitude that `percent` of 100 do not exceed.
fn percentile<'a>(values: impl Iterator<Item = &'a f32>, percent: f64, top: f32) -> f32 {
    let finite = values.copied().filter(|value| value.is_finite());
    or_one(rank(finite.collect(), percent) / top)
}

fn or_one(scale: f32) -> f32 {
    if scale == 0.0 { 1.0 } else { scale }
}

/// The scale of a whole tensor; `None` where the quantiser has one for each of its lines or blocks.
pub(crate) fn single(numbers: &[f32], quantiser: &Quantiser) -> Result<Option<f32>, Error> {
    let top = max_value(quantiser.conversion.format);
    let scale = match quantiser.scale {
        ScalePlan::Tensor(scale) => scale,
        ScalePlan::DynamicTensor => or_one(spread::largest(numbers) / top),
        ScalePlan::DynamicPercentile {
            percent,
            lines: false,
        } => percentile(numbers.iter(), percent, top),
        _ => return Ok(None),
    };
    legal(scale).map(Some)
}

fn legal(scale: f32) -> Result<f32, Error> {
    match scale.is_finite() && scale > 0.0 {
        true => Ok(scale),
        false => Err(Error::illegal("scale", scale, "positive, finite numbers")),
    }
}

/// One scale, or one for each line. `channel` is the first of a weight's columns among those that a
/// static plan has.
pub(crate) fn scales(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Vec<f32>, Error> {
    let top = max_value(quantiser.conversion.format);
    let axis = lines.axis();
    let scales = match &quantiser.scale {
        ScalePlan::Tensor(scale) => vec![*scale],
        ScalePlan::DynamicTensor => {
            let largest = match values.as_slice_memory_order() {
                Some(numbers) => spread::largest(numbers),
                None => spread::largest(&values.iter().copied().collect::<Vec<_>>()),
            };
            vec![or_one(largest / top)]
        }
        ScalePlan::DynamicLines => largest(values, lines, top),
        ScalePlan::DynamicPercentile {
            percent,
            lines: false,
        } => vec![percentile(values.iter(), *percent, top)],
        ScalePlan::DynamicPercentile { percent, .. } => {
            let lines = values.axis_iter(axis);
            lines
                .map(|line| percentile(line.iter(), *percent, top))
                .collect()
        }
        ScalePlan::Channels(scales) => {
            let count = values.len_of(axis);
            let own = scales.get(channel..channel + count);
            let own = own.filter(|_| lines == Lines::Columns);
            own.map(<[f32]>::to_vec).ok_or_else(|| {
                let found = format!(
                    "{} for channels {channel} to {}",
                    scales.len(),
                    channel + count
                );
                Error::illegal("scales", found, "one for each output channel of a weight")
            })?
        }
        ScalePlan::Blocks(blocks) => {
            let allowed = "an operand's, whose lines have blocks along K";
            return Err(Error::illegal("blocks", blocks.kind.name(), allowed));
        }
    };
    scales
        .iter()
        .try_for_each(|&scale| legal(scale).map(drop))?;
    Ok(scales)
}
