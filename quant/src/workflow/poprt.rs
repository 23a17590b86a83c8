//! Graphcore PopRT's FP8 conversion: one format and scale for all, or a search for those of least loss.
//!
//! Conv, MatMul and Gemm go to FP8; a scale is a power of two, and a code stands for its number in the
//! format times it. Source: PopRT User Guide, "FP8 quantisation".

use std::collections::BTreeMap;

use crate::Error;
use crate::graph::{Hook, Layer, Session};
use crate::loss::Loss;
use crate::plan::PlanFile;
use crate::plan::file::{LayerFile, QuantiserFile, ScaleFile};
use crate::scale::Codec;
use crate::scale::gaudi::power_of_two;
use crate::search::{EXPONENTS, Found, QuantizeRow, Space, search};

use quaver_contract::{Format, Formats};

/// PopRT's names of the formats, and the contract's.
pub const FORMATS: [(&str, &str); 2] = [("F143", "e4m3fnuz"), ("F152", "e5m2fnuz")];

/// Operators that go to FP8.
const OPERATORS: [&str; 3] = ["Conv", "MatMul", "Gemm"];

/// A format and the exponent of its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// The format, by the contract's name.
    pub format: &'static str,
    /// The scale is 2 to this power.
    pub scale: i32,
}

/// `fp8_params`: format of inputs, format of weights, scale of inputs, scale of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Of inputs.
    pub input: Param,
    /// Of weights.
    pub weight: Param,
}

impl Params {
    /// Reads `F143,F143,0,0`.
    ///
    /// # Errors
    /// [`Error::Illegal`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let read = || {
            let parts: Vec<&str> = text.split(',').map(str::trim).collect();
            let &[input, weight, input_scale, weight_scale] = parts.as_slice() else {
                return None;
            };
            let param = |format: &str, scale: &str| {
                let (_, format) = FORMATS.iter().find(|(name, _)| *name == format)?;
                let scale = scale
                    .parse()
                    .ok()
                    .filter(|scale| EXPONENTS.contains(scale))?;
                Some(Param { format, scale })
            };
            Some(Self {
                input: param(input, input_scale)?,
                weight: param(weight, weight_scale)?,
            })
        };
        let allowed = "INPUT,WEIGHT,INPUT_SCALE,WEIGHT_SCALE of F143 or F152 and -32 to 31";
        read().ok_or_else(|| Error::illegal("fp8_params", text, allowed))
    }
}

fn quantiser(param: Param) -> QuantiserFile {
    QuantiserFile {
        format: param.format.to_owned(),
        scale: ScaleFile::Tensor(power_of_two(param.scale)),
    }
}

/// What goes to FP8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Inputs and weights, whose products are in FP8.
    Both,
    /// `fp8_weight`: constant weights alone; the layer is computed in FP16.
    Weights,
}

fn layer(input: Param, weight: Param, stored: Stored) -> LayerFile {
    match stored {
        Stored::Both => LayerFile::Quantised {
            input: quantiser(input),
            weight: quantiser(weight),
            output: None,
        },
        Stored::Weights => LayerFile::Dequantised {
            compute: "fp16".to_owned(),
            input: None,
            weight: Some(quantiser(weight)),
            output: None,
        },
    }
}

/// Layers that go to FP8: all of the operators, but those whose names are skipped.
fn layers<'s>(
    session: &'s Session<'_>,
    skip: &'s [String],
    stored: Stored,
) -> Result<impl Iterator<Item = &'s str>, Error> {
    let known: Vec<&str> = session.layers().map(|(name, _)| name).collect();
    if let Some(name) = skip.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::illegal("fp8_skip_op_names", name, known.join(", ")));
    }
    let wanted = session.layers().filter(move |(name, operator)| {
        let has_one = stored == Stored::Both || session.constant(name).is_some();
        OPERATORS.contains(operator) && has_one && !skip.iter().any(|skipped| skipped == name)
    });
    Ok(wanted.map(|(name, _)| name))
}

fn plan(accumulator: &str, layers: BTreeMap<String, LayerFile>) -> PlanFile {
    PlanFile {
        accumulator: accumulator.to_owned(),
        default: "fp16".to_owned(),
        layers,
    }
}

/// The conversion without data: the same parameters for every layer. The IPU's sums are not public, so
/// the accumulator is the caller's.
///
/// # Errors
/// [`Error::Illegal`] for a name to skip that is none.
pub fn convert(
    session: &Session<'_>,
    accumulator: &str,
    params: Params,
    (skip, stored): (&[String], Stored),
) -> Result<PlanFile, Error> {
    let layers = layers(session, skip, stored)?
        .map(|name| (name.to_owned(), layer(params.input, params.weight, stored)))
        .collect();
    Ok(plan(accumulator, layers))
}

/// What a search found for a model.
#[derive(Clone, Debug)]
pub struct Searched {
    /// The plan.
    pub plan: PlanFile,
    /// The rows of `quantize.log`: of every layer input and weight.
    pub log: Vec<QuantizeRow>,
    /// Layers that are left in FP16 because they lose most.
    pub kept: Vec<String>,
}

/// The search: for the inputs and weights of every layer the format and scale of least loss. The
/// `keep` layers whose inputs and weights lose most together stay in FP16.
///
/// # Errors
/// [`Error::Illegal`] for a name to skip that is none, or numbers that are not finite.
pub fn quantise(
    session: &Session<'_>,
    collected: &Collecting,
    accumulator: &str,
    (low, high): (i32, i32),
    loss: Loss,
    (skip, keep, stored): (&[String], usize, Stored),
) -> Result<Searched, Error> {
    let table = Formats::default();
    let formats: Vec<&'static Format> = FORMATS
        .iter()
        .map(|(_, name)| table.get(name))
        .collect::<Result<_, _>>()?;
    let space = Space { formats, low, high };
    let mut rows = BTreeMap::new();
    let mut log = Vec::new();
    let mut losses: Vec<(f64, String)> = Vec::new();
    for name in layers(session, skip, stored)? {
        let missing = || Error::illegal("layer", name, "layers that the calibration data reaches");
        let operands = collected.operands.get(name).ok_or_else(missing)?;
        let weight: Vec<f32> = match session.weight(name) {
            Some(channels) => channels.concat(),
            None => operands[1].clone(),
        };
        let mut total = 0.0;
        let mut params = Vec::new();
        for (operand, values) in [("input", &operands[0]), ("weight", &weight)] {
            if operand == "input" && stored == Stored::Weights {
                continue;
            }
            let name = format!("{name}/{operand}");
            let found = search(&name, values, &space, loss).map_err(Error::scale)?;
            log.push(row(&name, loss, &found, values, &space)?);
            total += found.best.loss;
            params.push(Param {
                format: found.best.format,
                scale: found.best.scale,
            });
        }
        losses.push((total, name.to_owned()));
        let (first, last) = (params[0], params[params.len() - 1]);
        rows.insert(name.to_owned(), layer(first, last, stored));
    }
    losses.sort_by(|a, b| b.0.total_cmp(&a.0));
    let kept: Vec<String> = losses
        .into_iter()
        .take(keep)
        .map(|(_, name)| name)
        .collect();
    for name in &kept {
        rows.remove(name);
    }
    Ok(Searched {
        plan: plan(accumulator, rows),
        log,
        kept,
    })
}

fn row(
    name: &str,
    loss: Loss,
    found: &Found,
    values: &[f32],
    space: &Space,
) -> Result<QuantizeRow, Error> {
    let best = &found.best;
    let format = space
        .formats
        .iter()
        .find(|format| format.name == best.format);
    let codec = Codec::new(format.expect("the winner is one of them"))?;
    let mut quantised = vec![0.0; values.len()];
    codec.round_trip(values, power_of_two(best.scale), &mut quantised);
    Ok(QuantizeRow::new(name, loss, found, values, &quantised))
}

/// Keeps what goes into every layer while a model runs, and what comes out.
#[derive(Clone, Debug, Default)]
pub struct Collecting {
    /// By layer: inputs, and second operands that are no constants.
    operands: BTreeMap<String, [Vec<f32>; 2]>,
    /// By layer: outputs.
    pub outputs: BTreeMap<String, Vec<f32>>,
}

impl Hook for Collecting {
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        let [inputs, others] = self.operands.entry(layer.node.to_owned()).or_default();
        inputs.extend(layer.input.iter());
        if !layer.constant {
            others.extend(layer.weight.iter());
        }
        let outputs = self.outputs.entry(layer.node.to_owned()).or_default();
        outputs.extend(layer.output.iter());
        Ok(())
    }
}
