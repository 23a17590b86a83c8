//! Every matrix product of a model, lowered to jobs in one place.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ndarray::{Array2, ArrayD, ArrayView1, ArrayView2, ShapeBuilder};
use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Conversion, Engine, Formats, Job, JobResult, Scale};
use rayon::prelude::*;

use super::blocks;
use super::buffers::Buffers;
use super::hook::{Hook, Product};
use super::host;
use super::operand::{Codes, JobCodes};
pub(crate) use super::operand::{Operand, Operands, Whole};
use super::scales::{Lines, is_by_columns};
use super::spread;
use crate::Error;
use crate::onnx::Node;
use crate::plan::{Kept, LayerPlan, Plan, Quantiser};
use crate::scale::Codec;

/// What carries products out: the plan, the engine, and who watches.
pub(crate) struct Products<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) engine: &'p mut dyn Engine,
    pub(crate) hook: &'p mut dyn Hook,
    /// Memory for results.
    pub(crate) buffers: &'p mut Buffers,
    /// Codes of constant weights by node and place among its products, kept from run to run.
    weights: &'p mut Weights,
}

/// Codes of constant weights, or the numbers that they stand for.
#[derive(Default)]
pub(crate) struct Weights {
    codes: HashMap<(String, usize), Codes>,
    /// By node and whether it is the second operand.
    whole: HashMap<(String, bool), Option<Arc<Whole>>>,
    numbers: HashMap<(String, usize), Array2<f32>>,
}

impl<'p> Products<'p> {
    pub(crate) fn new(
        plan: &'p Plan,
        engine: &'p mut dyn Engine,
        hook: &'p mut dyn Hook,
        (weights, buffers): (&'p mut Weights, &'p mut Buffers),
    ) -> Self {
        Self {
            plan,
            engine,
            hook,
            buffers,
            weights,
        }
    }

    /// Codes of a node's operand, where the plan has one scale for all of it: `lines` are rows for the
    /// first operand, columns for the second.
    pub(crate) fn whole(
        &mut self,
        node: &Node,
        lines: Lines,
        values: &ArrayD<f32>,
        constant: bool,
    ) -> Result<Option<Arc<Whole>>, Error> {
        let LayerPlan::Quantised { input, weight, .. } = self.plan.layer(node.label()) else {
            return Ok(None);
        };
        let second = lines == Lines::Columns;
        let quantiser = if second { weight } else { input };
        if !constant {
            return Whole::new(values, quantiser);
        }
        let key = (node.label().to_owned(), second);
        Ok(match self.weights.whole.entry(key) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => entry.insert(Whole::new(values, quantiser)?).clone(),
        })
    }

    /// The product as the plan says.
    pub(crate) fn product(
        &mut self,
        node: &Node,
        operands: Operands<'_>,
    ) -> Result<Array2<f32>, Error> {
        let mut results = self.all(node, &[operands])?;
        Ok(results.pop().expect("a result a product"))
    }

    /// Products of a node that do not depend on one another.
    pub(crate) fn all(
        &mut self,
        node: &Node,
        operands: &[Operands<'_>],
    ) -> Result<Vec<Array2<f32>>, Error> {
        match self.plan.layer(node.label()) {
            LayerPlan::Keep(kept) => operands
                .iter()
                .map(|operands| kept_product(*kept, operands))
                .collect(),
            LayerPlan::Quantised { input, weight, .. } => {
                self.jobs(node, operands, [input, weight])
            }
            LayerPlan::Dequantised {
                compute,
                input,
                weight,
                ..
            } => operands
                .iter()
                .map(|operands| self.on_host(node, operands, *compute, [input, weight]))
                .collect(),
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
        let a = host::dequantised(operands.a.numbers(), input.as_ref(), compute, place)?;
        let make = || {
            let place = (Lines::Columns, operands.channel);
            host::dequantised(operands.b.numbers(), weight.as_ref(), compute, place)
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

    fn jobs(
        &mut self,
        node: &Node,
        operands: &[Operands<'_>],
        quantisers: [&Quantiser; 2],
    ) -> Result<Vec<Array2<f32>>, Error> {
        let key = |operands: &Operands<'_>| (node.label().to_owned(), operands.index);
        for operands in operands.iter().filter(|operands| operands.constant) {
            if let Entry::Vacant(entry) = self.weights.codes.entry(key(operands)) {
                let codes = operands
                    .b
                    .codes(quantisers[1], Lines::Columns, operands.channel)?;
                // Engines take both operands by rows, or both by columns.
                entry.insert(codes.own(!operands.a.is_by_columns()));
            }
        }
        let kept = &self.weights.codes;
        let codes = operands.par_iter().map(|operands| {
            let b = kept.get(&key(operands)).filter(|_| operands.constant);
            Coded::new(operands, quantisers, b)
        });
        let coded: Vec<Coded<'_>> = codes.collect::<Result<_, _>>()?;
        let accumulator = self.plan.accumulator;
        let jobs: Vec<Job<'_>> = coded
            .iter()
            .map(|coded| coded.job(quantisers, accumulator))
            .collect();
        let results = self.engine.run_all(&jobs).map_err(|source| Error::Engine {
            node: node.label().to_owned(),
            source,
        })?;
        for ((job, result), operands) in jobs.iter().zip(&results).zip(operands) {
            self.hook.product(&Product {
                node: node.label(),
                operator: &node.operator,
                index: operands.index,
                job,
                result,
            })?;
        }
        let results = results.into_iter().zip(&coded).zip(operands);
        Ok(results
            .map(|((result, coded), operands)| coded.numbers(result, operands.bias))
            .collect())
    }
}

/// A product's operands as codes, and what else its job borrows.
struct Coded<'a> {
    a: JobCodes<'a>,
    b: JobCodes<'a>,
    blocks: Option<blocks::Pair>,
    scales: Vec<u32>,
    bias: Option<Vec<u32>>,
}

impl<'a> Coded<'a> {
    /// Of operands, whose B may have been made before.
    fn new(
        operands: &'a Operands<'_>,
        [input, weight]: [&Quantiser; 2],
        kept: Option<&'a Codes>,
    ) -> Result<Self, Error> {
        let a = operands.a.codes(input, Lines::Rows, 0)?;
        let b = match kept {
            Some(kept) => JobCodes::Kept(kept),
            None => operands.b.codes(weight, Lines::Columns, operands.channel)?,
        };
        let by_row = a.scales().len() > 1;
        let factor = if by_row { 1.0 } else { a.scales()[0] };
        let bias = operands.bias.filter(|_| !by_row);
        Ok(Self {
            blocks: blocks::Pair::of((&a, input), (&b, weight))?,
            scales: b.scales().iter().map(|s| (factor * s).to_bits()).collect(),
            bias: bias.map(|bias| bias.iter().map(|x| x.to_bits()).collect()),
            a,
            b,
        })
    }

    fn job(&self, [input, weight]: [&Quantiser; 2], accumulator: Accumulator) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: input.conversion.format,
            format_b: weight.conversion.format,
            accumulator,
            init: None,
            blocks: self.blocks.as_ref().map(blocks::Pair::scales),
            scale: match self.scales.as_slice() {
                &[scale] => Scale::Tensor(scale),
                scales => Scale::PerColumn(scales.into()),
            },
            bias: self.bias.as_deref().map(ArrayView1::from),
            relu: false,
            output: Conversion::native(FP32),
        }
    }

    /// The job's result as numbers; scales of rows and the bias behind them are applied here.
    fn numbers(&self, result: JobResult, bias: Option<ArrayView1<'_, f32>>) -> Array2<f32> {
        let (rows, columns) = result.values.dim();
        let by_columns = is_by_columns(&result.values.view());
        let bits = match result.values.is_standard_layout() || by_columns {
            true => result.values.into_raw_vec_and_offset().0,
            false => result.values.iter().copied().collect(),
        };
        let mut numbers: Vec<f32> = bytemuck::cast_vec(bits);
        let scales = self.a.scales();
        match scales.len() > 1 {
            false => {}
            true if by_columns => spread::lines(&mut numbers, rows, |column, line| {
                line.iter_mut()
                    .zip(scales)
                    .for_each(|(x, scale)| *x *= scale);
                if let Some(bias) = bias {
                    line.iter_mut().for_each(|value| *value += bias[column]);
                }
            }),
            true => spread::lines(&mut numbers, columns, |row, line| {
                line.iter_mut().for_each(|value| *value *= scales[row]);
                if let Some(bias) = bias {
                    line.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
                }
            }),
        }
        let shape = (rows, columns).set_f(by_columns);
        Array2::from_shape_vec(shape, numbers).expect("the elements of the result")
    }
}

/// The product in host arithmetic.
fn kept_product(kept: Kept, operands: &Operands<'_>) -> Result<Array2<f32>, Error> {
    let (a, b) = (operands.a.numbers(), operands.b.numbers());
    let format = match kept {
        Kept::Fp32 => None,
        Kept::Fp16 | Kept::Bf16 => Some(Formats::default().get(kept.name())?),
    };
    let mut result = match format {
        None => a.dot(&b),
        Some(format) => {
            let codec = Codec::with(&Conversion::native(format))?;
            round(a, &codec).dot(&round(b, &codec))
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
