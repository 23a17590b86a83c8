//! What a quantiser did to one operand of a layer.

use std::collections::HashMap;

use ndarray::{ArrayView2, ArrayViewD};
use quaver_contract::{Format, Job};
use serde::Serialize;

use super::Binades;
use crate::Error;
use crate::graph::scales::single;
use crate::plan::{Quantiser, ScalePlan};
use crate::scale::{Codec, max_value};

/// An operand: its numbers before the quantiser, and what it made of them.
#[derive(Clone, Debug, Serialize)]
pub struct OperandFigures {
    /// The format of its codes; `None` where it stays as it is.
    pub format: Option<&'static str>,
    /// What has a scale of its own: `tensor`, `channel`, `line`, `block`, or `none`.
    pub per: &'static str,
    /// Whether scales are found at run time.
    pub dynamic: bool,
    /// The scale of a tensor, or the plan's of its channels; empty where each line or block has its own.
    pub scales: Vec<f32>,
    /// Least number, least normal and largest of the format, times the median of the scales.
    pub range: Option<[f64; 3]>,
    /// The numbers before.
    pub values: Binades,
    /// The codes of the layer's jobs. A convolution's jobs have an input once for each window that it is in,
    /// and zeros for padding.
    pub codes: Codes,
}

impl OperandFigures {
    pub(super) fn new(
        values: &ArrayViewD<'_, f32>,
        quantiser: Option<&Quantiser>,
        codes: Codes,
        shared: bool,
    ) -> Result<Self, Error> {
        let mut figures = Self {
            format: None,
            per: "none",
            dynamic: false,
            scales: Vec::new(),
            range: None,
            values: Binades::of(values),
            codes,
        };
        let Some(quantiser) = quantiser else {
            return Ok(figures);
        };
        let format = quantiser.conversion.format;
        figures.format = Some(format.name);
        (figures.per, figures.dynamic) = match &quantiser.scale {
            ScalePlan::Tensor(_) => ("tensor", false),
            ScalePlan::Channels(_) => ("channel", false),
            ScalePlan::DynamicTensor | ScalePlan::DynamicPercentile { lines: false, .. } => {
                ("tensor", true)
            }
            ScalePlan::DynamicLines | ScalePlan::DynamicPercentile { .. } => ("line", true),
            ScalePlan::Blocks(_) => ("block", true),
        };
        figures.scales = match &quantiser.scale {
            ScalePlan::Channels(scales) => scales.clone(),
            // Each product of such a layer has a scale of its own.
            _ if figures.dynamic && !shared => Vec::new(),
            _ => {
                let values = values.as_standard_layout();
                let numbers = values.as_slice().expect("standard layout");
                single(numbers, quantiser)?.into_iter().collect()
            }
        };
        let mut sorted = figures.scales.clone();
        sorted.sort_by(f32::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().map(f64::from);
        figures.range = median.map(|scale| range(format).map(|number| number * scale));
        Ok(figures)
    }
}

/// Least positive number, least normal one and largest one of a format.
fn range(format: &Format) -> [f64; 3] {
    let power = |exponent| f64::from(exponent).exp2();
    [
        power(format.lowest_exponent()),
        power(format.min_exponent()),
        f64::from(max_value(format)),
    ]
}

/// Codes counted by what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Codes {
    /// All.
    pub count: u64,
    /// Those of zero.
    pub zeros: u64,
    /// Those of the largest magnitude.
    pub largest: u64,
}

/// What the codes of formats stand for, by the formats' names.
#[derive(Debug, Default)]
pub(super) struct Classes(HashMap<&'static str, [Class; 256]>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    Zero,
    Largest,
    Other,
}

impl Classes {
    fn of(&mut self, format: &'static Format) -> Result<&[Class; 256], Error> {
        if !self.0.contains_key(format.name) {
            let codes: Vec<u32> = (0..256).map(|code| code & format.code_mask()).collect();
            let mut values = vec![0.0f32; codes.len()];
            Codec::new(format)?.decode(&codes, 1.0, &mut values);
            let top = max_value(format);
            let class = |code: usize| match values[code].abs() {
                0.0 => Class::Zero,
                magnitude if magnitude == top => Class::Largest,
                _ => Class::Other,
            };
            self.0.insert(format.name, std::array::from_fn(class));
        }
        Ok(&self.0[format.name])
    }

    fn count(
        &mut self,
        codes: ArrayView2<'_, u8>,
        format: &'static Format,
        into: &mut Codes,
    ) -> Result<(), Error> {
        let classes = self.of(format)?;
        into.count += codes.len() as u64;
        for &code in codes {
            match classes[usize::from(code)] {
                Class::Zero => into.zeros += 1,
                Class::Largest => into.largest += 1,
                Class::Other => {}
            }
        }
        Ok(())
    }

    /// Adds the codes of a job's operands.
    pub(super) fn add(&mut self, job: &Job<'_>, into: &mut [Codes; 2]) -> Result<(), Error> {
        self.count(job.a, job.format_a, &mut into[0])?;
        self.count(job.b, job.format_b, &mut into[1])
    }
}
