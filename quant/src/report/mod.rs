//! The figures of a report: what a plan did to every layer of a model.
//!
//! A model runs twice: as it is, watched by [`Originals`], and with the plan, watched by [`Figures`]. What is
//! kept of the first run is the layers' results; of the second, only figures.

mod binades;
mod operand;

use std::collections::BTreeMap;

pub use binades::Binades;
pub use operand::{Codes, OperandFigures};
use quaver_contract::Scale;
use serde::Serialize;

use crate::Error;
use crate::graph::{Hook, Layer, Product};
use crate::plan::{LayerPlan, Plan};
use crate::search::PrecisionRow;
use operand::Classes;

/// The results of a model's layers without a plan.
#[derive(Debug, Default)]
pub struct Originals(BTreeMap<String, Vec<f32>>);

impl Hook for Originals {
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        let numbers = layer.output.iter().copied().collect();
        self.0.insert(layer.node.to_owned(), numbers);
        Ok(())
    }
}

/// What a plan did to one layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerFigures {
    /// Its operator.
    pub operator: String,
    /// Where its products are computed: `array`, or on the host in `fp32`, `fp16` or `bf16`.
    pub computed: &'static str,
    /// Its jobs on the array, and their multiply-adds.
    pub jobs: u64,
    /// See `jobs`.
    pub macs: u64,
    /// The activation.
    pub input: OperandFigures,
    /// The weight, or the second operand.
    pub weight: OperandFigures,
    /// The format of its result's quantiser.
    pub output_format: Option<&'static str>,
    /// The factors behind the sums of its first job: one, or one for each column of the result; 1 where the
    /// operands' blocks have the scales.
    pub product_scales: Vec<f32>,
    /// Its name, and how far its result is from the one without the plan.
    #[serde(flatten)]
    pub precision: PrecisionRow,
}

/// What the jobs of the layer that is running are.
#[derive(Debug, Default)]
struct Running {
    jobs: u64,
    macs: u64,
    codes: [Codes; 2],
    scales: Vec<f32>,
}

/// The figures of every layer, in the order in which they ran.
#[derive(Debug)]
pub struct Figures<'a> {
    plan: &'a Plan,
    originals: &'a Originals,
    classes: Classes,
    running: Running,
    /// The layers so far.
    pub layers: Vec<LayerFigures>,
}

impl<'a> Figures<'a> {
    /// Of a run with this plan; `originals` are of a run of the same model and inputs without one.
    pub fn new(plan: &'a Plan, originals: &'a Originals) -> Self {
        Self {
            plan,
            originals,
            classes: Classes::default(),
            running: Running::default(),
            layers: Vec::new(),
        }
    }
}

impl Hook for Figures<'_> {
    fn product(&mut self, product: &Product<'_>) -> Result<(), Error> {
        let (job, running) = (product.job, &mut self.running);
        if running.jobs == 0 {
            running.scales = match job.scale {
                Scale::None => vec![1.0],
                Scale::Tensor(bits) => vec![f32::from_bits(bits)],
                Scale::PerColumn(bits) => bits.iter().copied().map(f32::from_bits).collect(),
            };
        }
        running.jobs += 1;
        running.macs += (job.m() * job.n() * job.k()) as u64;
        self.classes.add(job, &mut running.codes)
    }

    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        let running = std::mem::take(&mut self.running);
        let (computed, input, weight, output) = match self.plan.layer(layer.node) {
            LayerPlan::Keep(kept) => (kept.name(), None, None, None),
            LayerPlan::Quantised {
                input,
                weight,
                output,
            } => ("array", Some(input), Some(weight), output.as_ref()),
            LayerPlan::Dequantised {
                compute,
                input,
                weight,
                output,
            } => (
                compute.name(),
                input.as_ref(),
                weight.as_ref(),
                output.as_ref(),
            ),
        };
        // Products within Attention and of dequantised layers have dynamic scales of their own.
        let shared = computed == "array" && layer.operator != "Attention";
        let original = self.originals.0.get(layer.node);
        let output_numbers: Vec<f32> = layer.output.iter().copied().collect();
        let original = original.filter(|original| original.len() == output_numbers.len());
        let original = original.ok_or_else(|| {
            Error::illegal(
                "layer",
                layer.node,
                "one of the run without the plan, of the same size",
            )
        })?;
        let [a, b] = running.codes;
        self.layers.push(LayerFigures {
            operator: layer.operator.to_owned(),
            computed,
            jobs: running.jobs,
            macs: running.macs,
            input: OperandFigures::new(&layer.input, input, a, shared)?,
            weight: OperandFigures::new(&layer.weight, weight, b, shared)?,
            output_format: output.map(|quantiser| quantiser.conversion.format.name),
            product_scales: running.scales,
            precision: PrecisionRow::new(layer.node, original, &output_numbers),
        });
        Ok(())
    }
}
