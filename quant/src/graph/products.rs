//! Every matrix product of a model, lowered to jobs in one place.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Engine, Formats, Job, Scale};

use super::blocks;
use super::hook::{Hook, Product};
use super::host;
use super::scales::{Lines, scales};
use crate::Error;
use crate::onnx::Node;
use crate::plan::{Kept, LayerPlan, Plan, Quantiser};
use crate::scale::Codec;

/// Codes of a matrix, and what each line of it was divided by: one scale, or one a line.
#[derive(Clone)]
pub(super) struct Codes {
    pub(super) codes: Array2<u8>,
    pub(super) scales: Vec<f32>,
    /// Codes of the scales of its blocks.
    pub(super) blocks: Option<Array2<u32>>,
}

/// What carries products out: the plan, the engine, and who watches.
pub(crate) struct Products<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) engine: &'p mut dyn Engine,
    pub(crate) hook: &'p mut dyn Hook,
    /// Codes of constant weights by node and place among its products, kept from run to run.
    weights: &'p mut Weights,
}

/// Codes of constant weights, or the numbers that they stand for.
#[derive(Default)]
pub(crate) struct Weights {
    codes: HashMap<(String, usize), Codes>,
    numbers: HashMap<(String, usize), Array2<f32>>,
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
            LayerPlan::Quantised { input, weight, .. } => self.job(node, operands, input, weight),
            LayerPlan::Dequantised {
                compute,
                input,
                weight,
                ..
            } => self.on_host(node, operands, *compute, [input, weight]),
        }
    }

    /// The product of dequantised operands.
    fn on_host(
        &mut self,
        node: &Node,
        operands: &Operands<'_>,
        compute: Kept,
        [input, weight]: [&Option<Quantiser>; 2],
    ) -> Result<Array2<f32>, Error> {
        let place = (Lines::Rows, 0);
        let a = host::dequantised(operands.a, input.as_ref(), compute, place)?;
        let make = || {
            let place = (Lines::Columns, operands.channel);
            host::dequantised(operands.b, weight.as_ref(), compute, place)
        };
        if !operands.constant {
            return host::product(&a, &make()?, operands, compute);
        }
        let key = (node.label().to_owned(), operands.index);
        let b = match self.weights.numbers.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(make()?),
        };
        host::product(&a, b, operands, compute)
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
        let blocks = blocks::Pair::of((&a, input), (b, weight))?;
        let scales: Array1<u32> = b.scales.iter().map(|s| (factor * s).to_bits()).collect();
        let bias = operands.bias.map(|bias| bias.mapv(f32::to_bits));
        let job = Job {
            a: a.codes.view(),
            b: b.codes.view(),
            format_a: input.conversion.format,
            format_b: weight.conversion.format,
            accumulator: self.plan.accumulator,
            init: None,
            blocks: blocks.as_ref().map(blocks::Pair::scales),
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
pub(super) fn round(values: ArrayView2<'_, f32>, codec: &Codec) -> Array2<f32> {
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

/// Codes of a matrix. `channel` is the first of its columns among those that a static plan has.
fn quantise(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Codes, Error> {
    if let Some(blocks) = blocks::of(quantiser) {
        return blocks::codes(values, quantiser, blocks, lines);
    }
    let codec = Codec::with(&quantiser.conversion)?;
    let axis = lines.axis();
    let count = values.len_of(axis);
    let scales = scales(values, quantiser, lines, channel)?;
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
    Ok(Codes {
        codes,
        scales,
        blocks: None,
    })
}
