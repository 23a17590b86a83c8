//! Every matrix product of a model, lowered to jobs in one place.

use std::collections::HashMap;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Engine, Formats, Job, Scale};

use super::hook::{Hook, Product};
use crate::Error;
use crate::onnx::Node;
use crate::plan::{Kept, LayerPlan, Plan, Quantiser, ScalePlan};
use crate::scale::{Codec, max_value};

/// Codes of a matrix, and what each line of it was divided by: one scale, or one a line.
#[derive(Clone)]
struct Codes {
    codes: Array2<u8>,
    scales: Vec<f32>,
}

/// What carries products out: the plan, the engine, and who watches.
pub(crate) struct Products<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) engine: &'p mut dyn Engine,
    pub(crate) hook: &'p mut dyn Hook,
    /// Codes of constant weights by node and place among its products, kept from run to run.
    weights: &'p mut Weights,
}

/// Codes of constant weights.
#[derive(Default)]
pub(crate) struct Weights {
    codes: HashMap<(String, usize), Codes>,
}

/// The lines of a matrix that may have a scale each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Rows,
    Columns,
}

/// A product of a node: `D[M,N] = A[M,K] * B[K,N] + bias[N]`.
pub(crate) struct Operands<'a> {
    pub(crate) a: ArrayView2<'a, f32>,
    pub(crate) b: ArrayView2<'a, f32>,
    pub(crate) bias: Option<ArrayView1<'a, f32>>,
    /// Its place among the node's products.
    pub(crate) index: usize,
    /// The first of B's columns among the node's output channels.
    pub(crate) channel: usize,
    /// Whether B is a constant of the model.
    pub(crate) constant: bool,
}

impl<'p> Products<'p> {
    pub(crate) fn new(
        plan: &'p Plan,
        engine: &'p mut dyn Engine,
        hook: &'p mut dyn Hook,
        weights: &'p mut Weights,
    ) -> Self {
        Self {
            plan,
            engine,
            hook,
            weights,
        }
    }

    /// The product as the plan says.
    pub(crate) fn product(
        &mut self,
        node: &Node,
        operands: &Operands<'_>,
    ) -> Result<Array2<f32>, Error> {
        let plan = self.plan;
        match plan.layer(node.label()) {
            LayerPlan::Keep(kept) => kept_product(*kept, operands),
            LayerPlan::Quantised {
                input,
                weight,
                output,
            } => {
                let mut result = self.job(node, operands, input, weight)?;
                if let Some(output) = output {
                    requantise(&mut result, output)?;
                }
                Ok(result)
            }
        }
    }

    fn job(
        &mut self,
        node: &Node,
        operands: &Operands<'_>,
        input: &Quantiser,
        weight: &Quantiser,
    ) -> Result<Array2<f32>, Error> {
        let a = quantise(operands.a, input, Lines::Rows, 0)?;
        let key = (node.label().to_owned(), operands.index);
        let fresh;
        let b = match self.weights.codes.get(&key) {
            Some(codes) if operands.constant => codes,
            _ => {
                let codes = quantise(operands.b, weight, Lines::Columns, operands.channel)?;
                match operands.constant {
                    true => {
                        self.weights.codes.insert(key.clone(), codes);
                        &self.weights.codes[&key]
                    }
                    false => {
                        fresh = codes;
                        &fresh
                    }
                }
            }
        };
        let by_row = a.scales.len() > 1;
        let factor = if by_row { 1.0 } else { a.scales[0] };
        let scales: Array1<u32> = b.scales.iter().map(|s| (factor * s).to_bits()).collect();
        let bias = operands.bias.map(|bias| bias.mapv(f32::to_bits));
        let job = Job {
            a: a.codes.view(),
            b: b.codes.view(),
            format_a: input.conversion.format,
            format_b: weight.conversion.format,
            accumulator: self.plan.accumulator,
            init: None,
            blocks: None,
            scale: match scales.len() {
                1 => Scale::Tensor(scales[0]),
                _ => Scale::PerColumn(scales.view()),
            },
            bias: bias.as_ref().filter(|_| !by_row).map(|bias| bias.view()),
            relu: false,
            output: Conversion::native(FP32),
        };
        let result = self.engine.run(&job).map_err(|source| Error::Engine {
            node: node.label().to_owned(),
            source,
        })?;
        self.hook.product(&Product {
            node: node.label(),
            operator: &node.operator,
            index: operands.index,
            job: &job,
            result: &result,
        })?;
        let mut values = result.values.mapv(f32::from_bits);
        if by_row {
            for (mut row, scale) in values.axis_iter_mut(Axis(0)).zip(&a.scales) {
                row.mapv_inplace(|value| value * scale);
                if let Some(bias) = operands.bias {
                    row += &bias;
                }
            }
        }
        Ok(values)
    }
}

/// The product in host arithmetic.
fn kept_product(kept: Kept, operands: &Operands<'_>) -> Result<Array2<f32>, Error> {
    let format = match kept {
        Kept::Fp32 => None,
        Kept::Fp16 | Kept::Bf16 => Some(Formats::default().get(kept.name())?),
    };
    let mut result = match format {
        None => operands.a.dot(&operands.b),
        Some(format) => {
            let codec = Codec::with(&Conversion::native(format))?;
            round(operands.a, &codec).dot(&round(operands.b, &codec))
        }
    };
    if let Some(bias) = operands.bias {
        result += &bias;
    }
    if let Some(format) = format {
        result = round(result.view(), &Codec::with(&Conversion::native(format))?);
    }
    Ok(result)
}

/// Every number rounded to a format.
fn round(values: ArrayView2<'_, f32>, codec: &Codec) -> Array2<f32> {
    let values = values.as_standard_layout();
    let mut rounded = Array2::zeros(values.dim());
    let numbers = values.as_slice().expect("standard layout");
    codec.round_trip(
        numbers,
        1.0,
        rounded.as_slice_mut().expect("standard layout"),
    );
    rounded
}

/// A dynamic scale: of the largest finite magnitude.
fn dynamic<'a>(values: impl Iterator<Item = &'a f32>, largest: f32) -> f32 {
    let magnitude = |value: &f32| if value.is_finite() { value.abs() } else { 0.0 };
    let scale = values.map(magnitude).fold(0.0, f32::max) / largest;
    if scale == 0.0 { 1.0 } else { scale }
}

/// Codes of a matrix. `channel` is the first of its columns among those that a static plan has.
fn quantise(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Codes, Error> {
    let codec = Codec::with(&quantiser.conversion)?;
    let largest = max_value(codec.format());
    let axis = match lines {
        Lines::Rows => Axis(0),
        Lines::Columns => Axis(1),
    };
    let count = values.len_of(axis);
    let scales = match &quantiser.scale {
        ScalePlan::Tensor(scale) => vec![*scale],
        ScalePlan::DynamicTensor => vec![dynamic(values.iter(), largest)],
        ScalePlan::DynamicLines => {
            let lines = values.axis_iter(axis);
            lines.map(|line| dynamic(line.iter(), largest)).collect()
        }
        ScalePlan::Channels(scales) => {
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
    };
    if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(Error::illegal("scale", scale, "positive, finite numbers"));
    }
    let mut codes = Array2::zeros(values.dim());
    let mut wide = Vec::new();
    let mut numbers = Vec::new();
    let mut encode = |values: &mut dyn Iterator<Item = &f32>,
                      scale,
                      codes: &mut dyn Iterator<Item = &mut u8>| {
        numbers.clear();
        numbers.extend(values.copied());
        wide.resize(numbers.len(), 0);
        codec.encode(&numbers, scale, &mut wide);
        for (to, &code) in codes.zip(&wide) {
            *to = code as u8;
        }
    };
    match scales.as_slice() {
        &[scale] if count != 1 => encode(&mut values.iter(), scale, &mut codes.iter_mut()),
        each => {
            let each = each.iter().cycle();
            for ((line, mut to), &scale) in values
                .axis_iter(axis)
                .zip(codes.axis_iter_mut(axis))
                .zip(each)
            {
                encode(&mut line.iter(), scale, &mut to.iter_mut());
            }
        }
    }
    Ok(Codes { codes, scales })
}

/// Rounds results as an output quantiser does.
fn requantise(result: &mut Array2<f32>, quantiser: &Quantiser) -> Result<(), Error> {
    let codec = Codec::with(&quantiser.conversion)?;
    let scale = match quantiser.scale {
        ScalePlan::Tensor(scale) => scale,
        ScalePlan::DynamicTensor => dynamic(result.iter(), max_value(codec.format())),
        ScalePlan::Channels(_) | ScalePlan::DynamicLines => {
            let allowed = "one for the tensor";
            return Err(Error::illegal("output scales", "one a channel", allowed));
        }
    };
    let numbers = result.as_slice_mut().expect("results are in C order");
    let before = numbers.to_vec();
    codec.round_trip(&before, scale, numbers);
    Ok(())
}
