//! What a run's products are computed in, from the command line.

use std::path::PathBuf;

use clap::Args;
use quaver_contract::accumulator::{AccumulatorRow, TABLE as ACCUMULATORS};
use quaver_contract::profile::Profile;
use quaver_contract::{Accumulator, Conversion, CoreConfig, Format, Formats, Overflow};
use quaver_quant::Plan;
use quaver_quant::graph::Session;
use quaver_quant::plan::{Kept, LayerPlan, PlanFile, Quantiser, ScalePlan};

use crate::args::one_of;
use crate::error::CliError;

/// How the plan's options work, for a command's help.
pub(crate) const PLANS: &str = "\
Without --format every product stays in FP32. With it, operands become codes of that format, each
divided by a scale that puts its largest magnitude on the format's largest number: weights once, inputs
at run time; the product of the codes is a job on the engine, and its result FP32.

SCALES:
  --per tensor    one for each operand
  --per channel   one for each input, one for each output channel of a weight
  --per token     one for each row of an input, one for each output channel of a weight
";

const PER: &[&str] = &["tensor", "channel", "token"];

/// What products are computed in.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Quantises every layer: format of weights, and of inputs unless --format-a says another
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    /// A plan: accumulator, formats and scales of every layer, as quaver quantize writes it
    #[arg(long, value_name = "PLAN.json", conflicts_with_all = ["format", "keep", "accumulator", "profile"])]
    plan: Option<PathBuf>,

    /// Format of inputs
    #[arg(long, value_name = "FORMAT", requires = "format")]
    format_a: Option<String>,

    /// What has a scale of its own
    #[arg(long, value_name = "WHAT", default_value = "channel", value_parser = one_of(PER, |name| name))]
    per: &'static str,

    /// Leaves a layer in fp32, fp16 or bf16: by its name, its operator, or the beginning of a name
    /// with a * behind it; may be repeated, the first that fits decides
    #[arg(long, value_name = "LAYER[=TYPE]", requires = "format")]
    keep: Vec<String>,

    /// How products are added [default: as the configuration does]
    #[arg(long, value_name = "NAME", value_parser = one_of(ACCUMULATORS, |row| row.name))]
    accumulator: Option<AccumulatorRow>,

    /// Adds as a real chip does: its accumulator, by the chip's name (see quaver profiles)
    #[arg(long, value_name = "CHIP", conflicts_with = "accumulator")]
    profile: Option<String>,
}

impl PlanArgs {
    /// Whether any product becomes a job.
    pub(crate) const fn quantises(&self) -> bool {
        self.format.is_some() || self.plan.is_some()
    }

    /// The format of weights, where no plan is named.
    pub(crate) fn format(&self) -> Option<&str> {
        self.format.as_deref()
    }

    /// The plan; layers to leave are found by [`PlanArgs::keep`].
    pub(crate) fn plan(&self, formats: &Formats, config: &CoreConfig) -> Result<Plan, CliError> {
        if let Some(path) = &self.plan {
            let text = std::fs::read(path).map_err(CliError::read(path))?;
            let file = PlanFile::parse(&text).map_err(CliError::model(path))?;
            return file.plan(formats).map_err(CliError::model(path));
        }
        let mut plan = Plan::keep();
        plan.accumulator = self.accumulator(config)?;
        if let Some(name) = &self.format {
            let weight = operand(formats, "--format", name)?;
            let input = match &self.format_a {
                Some(name) => operand(formats, "--format-a", name)?,
                None => weight,
            };
            let quantiser = |format, scale| -> Result<Quantiser, CliError> {
                let conversion = Conversion::native(format);
                Ok(Quantiser {
                    conversion: conversion.with_overflow(Overflow::Saturate)?,
                    scale,
                })
            };
            let [a, b] = match self.per {
                "tensor" => [ScalePlan::DynamicTensor, ScalePlan::DynamicTensor],
                "channel" => [ScalePlan::DynamicTensor, ScalePlan::DynamicLines],
                _ => [ScalePlan::DynamicLines, ScalePlan::DynamicLines],
            };
            plan.default = LayerPlan::Quantised {
                input: quantiser(input, a)?,
                weight: quantiser(weight, b)?,
                output: None,
            };
        }
        Ok(plan)
    }

    fn accumulator(&self, config: &CoreConfig) -> Result<Accumulator, CliError> {
        Ok(match (self.accumulator, &self.profile) {
            (Some(row), _) => row.accumulator,
            (None, Some(profile)) => Profile::get(profile)?.accumulator()?.accumulator,
            (None, None) => config.accumulator,
        })
    }

    /// Leaves the layers that `--keep` names; every pattern has to fit one.
    /// So has every layer of a plan's file to be one of the model.
    pub(crate) fn keep(&self, plan: &mut Plan, session: &Session<'_>) -> Result<(), CliError> {
        let known: Vec<&str> = session.layers().map(|(name, _)| name).collect();
        if let Some(name) = plan
            .layers
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            return Err(CliError::option(
                "--plan",
                format!("layer {name}"),
                known.join(", "),
            ));
        }
        for text in self.keep.iter().rev() {
            let (pattern, kept) = text.split_once('=').unwrap_or((text, "fp32"));
            let kept = Kept::ALL.iter().find(|choice| choice.name() == kept);
            let kept = *kept.ok_or_else(|| {
                CliError::option("--keep", text, "LAYER=fp32, LAYER=fp16 or LAYER=bf16")
            })?;
            let fits = |name: &str, operator: &str| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern || operator == pattern,
            };
            let mut found = false;
            for (name, _) in session
                .layers()
                .filter(|(name, operator)| fits(name, operator))
            {
                plan.layers.insert(name.to_owned(), LayerPlan::Keep(kept));
                found = true;
            }
            if !found {
                let layers: Vec<&str> = session.layers().map(|(name, _)| name).collect();
                return Err(CliError::option("--keep", text, layers.join(", ")));
            }
        }
        Ok(())
    }
}

/// A format of at most 8 bits that an array multiplies.
fn operand(
    formats: &Formats,
    option: &'static str,
    name: &str,
) -> Result<&'static Format, CliError> {
    let format = formats.get(name)?;
    match format.is_operand() {
        true => Ok(format),
        false => Err(CliError::option(
            option,
            name,
            "signed formats of at most 8 bits",
        )),
    }
}
