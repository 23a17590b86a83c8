//! The scales that a quantiser gives a matrix: from the plan, or from the numbers at run time.

use ndarray::{ArrayView2, Axis};

use crate::Error;
use crate::calibrate::rank;
use crate::plan::{Quantiser, ScalePlan};
use crate::scale::max_value;

/// The lines of a matrix that may have a scale each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    Rows,
    Columns,
}

impl Lines {
    pub(super) const fn axis(self) -> Axis {
        match self {
            Self::Rows => Axis(0),
            Self::Columns => Axis(1),
        }
    }
}

/// A dynamic scale: of the largest finite magnitude.
fn largest<'a>(values: impl Iterator<Item = &'a f32>, top: f32) -> f32 {
    let magnitude = |value: &f32| if value.is_finite() { value.abs() } else { 0.0 };
    or_one(values.map(magnitude).fold(0.0, f32::max) / top)
}

/// A dynamic scale: of the smallest finite magnitude that `percent` of 100 do not exceed.
fn percentile<'a>(values: impl Iterator<Item = &'a f32>, percent: f64, top: f32) -> f32 {
    let finite = values.copied().filter(|value| value.is_finite());
    or_one(rank(finite.collect(), percent) / top)
}

fn or_one(scale: f32) -> f32 {
    if scale == 0.0 { 1.0 } else { scale }
}

/// One scale, or one for each line. `channel` is the first of a weight's columns among those that a
/// static plan has.
pub(super) fn scales(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Vec<f32>, Error> {
    let top = max_value(quantiser.conversion.format);
    let axis = lines.axis();
    let scales = match &quantiser.scale {
        ScalePlan::Tensor(scale) => vec![*scale],
        ScalePlan::DynamicTensor => vec![largest(values.iter(), top)],
        ScalePlan::DynamicLines => {
            let lines = values.axis_iter(axis);
            lines.map(|line| largest(line.iter(), top)).collect()
        }
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
    match scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        None => Ok(scales),
        Some(scale) => Err(Error::illegal("scale", scale, "positive, finite numbers")),
    }
}
