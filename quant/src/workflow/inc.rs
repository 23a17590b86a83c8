//! Intel Neural Compressor's FP8 quantisation for Gaudi: measure, then quantise.
//!
//! A JSON configuration says what happens. `MEASURE` runs the model in FP32 on calibration data and
//! keeps the largest magnitude of every input and output of every layer, and of its weights;
//! `QUANTIZE` makes scales of them by a scale method; `AUTO` quantises where the measurements are, and
//! measures where they are not. Source: neural-compressor, `docs/source/3x/PT_FP8Quant.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::Error;
use crate::calibrate::measurement::{Measurement, Mode as Kind, Node};
use crate::graph::{Hook, Layer, Session};
use crate::plan::PlanFile;
use crate::plan::file::{LayerFile, QuantiserFile, ScaleFile};
use crate::scale::gaudi::{Device, Fp8, Gaudi, Method};

/// What a configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// Runs in FP32 and writes measurements.
    Measure,
    /// Makes scales of measurements.
    Quantize,
    /// Either, by whether there are measurements.
    Auto,
}

/// What `measure_exclude` leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Exclude {
    /// Nothing.
    None,
    /// Outputs, whose scales follow from those of the inputs.
    #[default]
    Output,
}

/// Layers by parts of their names, or by types.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// A layer whose name has one of these in it.
    pub names: Vec<String>,
    /// A layer of one of these types: an ONNX operator, or `Linear`, `Conv1d`, `Conv2d`,
    /// `ConvTranspose2d`, `Matmul`.
    pub types: Vec<String>,
}

/// The configuration, by Neural Compressor's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What to do.
    #[serde(default = "auto")]
    pub mode: Mode,
    /// What is kept of each tensor; `maxabs` alone.
    #[serde(default = "maxabs")]
    pub observer: String,
    /// Layers to quantise; empty: all.
    #[serde(default)]
    pub allowlist: List,
    /// Layers not to quantise.
    #[serde(default)]
    pub blocklist: List,
    /// The scale method.
    #[serde(default = "maxabs_hw")]
    pub scale_method: String,
    /// `E4M3` or `E5M2`.
    #[serde(default = "e4m3")]
    pub fp8_config: String,
    /// What other layers are computed in.
    #[serde(default = "bf16")]
    pub hp_dtype: String,
    /// The prefix of the measurement files, its folder included.
    pub dump_stats_path: PathBuf,
    /// What is not measured.
    #[serde(default)]
    pub measure_exclude: Exclude,
}

const fn auto() -> Mode {
    Mode::Auto
}

fn maxabs() -> String {
    "maxabs".to_owned()
}

fn maxabs_hw() -> String {
    "maxabs_hw".to_owned()
}

fn e4m3() -> String {
    "E4M3".to_owned()
}

fn bf16() -> String {
    "bf16".to_owned()
}

/// The row of a table of names, or what there is.
fn named<T: Copy>(key: &str, value: &str, table: &[(T, &str)]) -> Result<T, Error> {
    let row = table.iter().find(|(_, name)| *name == value);
    row.map(|(row, _)| *row).ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(_, name)| *name).collect();
        Error::illegal(key, value, names.join(", "))
    })
}

impl List {
    fn has(&self, name: &str, operator: &str) -> bool {
        let is_type = |wanted: &String| match wanted.as_str() {
            "Linear" => matches!(operator, "Gemm" | "MatMul"),
            "Conv1d" | "Conv2d" => operator == "Conv",
            "ConvTranspose2d" => operator == "ConvTranspose",
            "Matmul" => operator == "MatMul",
            other => operator == other,
        };
        self.names.iter().any(|part| name.contains(part.as_str())) || self.types.iter().any(is_type)
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.types.is_empty()
    }
}

impl Config {
    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// [`Error::Illegal`] with line and column, or the key whose value cannot be used.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let config: Self = serde_json::from_slice(text).map_err(|error| {
            Error::illegal("configuration", error, "the keys of docs/workflows.md")
        })?;
        named("observer", &config.observer, &[((), "maxabs")])?;
        let types = [((), "bf16"), ((), "fp16"), ((), "fp32")];
        named("hp_dtype", &config.hp_dtype, &types)?;
        config.gaudi(Device::Gaudi2)?;
        Ok(config)
    }

    fn gaudi(&self, device: Device) -> Result<Gaudi, Error> {
        Ok(Gaudi {
            device,
            fp8: named("fp8_config", &self.fp8_config, Fp8::ALL)?,
            method: named("scale_method", &self.scale_method, Method::ALL)?,
        })
    }

    /// Whether a layer is to be quantised.
    pub fn quantises(&self, name: &str, operator: &str) -> bool {
        let allowed = self.allowlist.is_empty() || self.allowlist.has(name, operator);
        allowed && !self.blocklist.has(name, operator)
    }

    /// Scales of all layers that are to be quantised, from their measurements.
    ///
    /// # Errors
    /// [`Error::Illegal`] for a layer without measurements, or a number that has no scale.
    pub fn quantise(
        &self,
        session: &Session<'_>,
        measured: &Measurement,
        device: Device,
    ) -> Result<PlanFile, Error> {
        if measured.mode != Kind::DynamicRange {
            return Err(Error::illegal(
                "Mode",
                "Scale",
                "measurements of DynamicRange",
            ));
        }
        let gaudi = self.gaudi(device)?;
        let format = gaudi.fp8.format(device).name.to_owned();
        let quantiser = |scale| QuantiserFile {
            format: format.clone(),
            scale,
        };
        let mut layers = BTreeMap::new();
        for (name, operator) in session.layers() {
            if !self.quantises(name, operator) {
                continue;
            }
            let node = measured.nodes.get(name);
            let node = node.ok_or_else(|| {
                Error::illegal("layer", name, "layers that were measured; measure again")
            })?;
            let input = |place: usize| -> Result<ScaleFile, Error> {
                let amax = node.inputs.get(place).and_then(|amax| amax.first());
                let amax = amax.ok_or_else(|| {
                    Error::illegal(format!("{name}/inputs/{place}"), "missing", "measurements")
                })?;
                Ok(ScaleFile::Tensor(
                    gaudi.activation(*amax).map_err(Error::scale)?,
                ))
            };
            let weight = match session.weight(name) {
                None => input(1)?,
                Some(channels) => {
                    match *gaudi
                        .weight(name, &channels)
                        .map_err(Error::scale)?
                        .as_slice()
                    {
                        [scale] => ScaleFile::Tensor(scale),
                        ref scales => ScaleFile::Channels(scales.to_vec()),
                    }
                }
            };
            let layer = LayerFile::Quantised {
                input: quantiser(input(0)?),
                weight: quantiser(weight),
                output: None,
            };
            layers.insert(name.to_owned(), layer);
        }
        let accumulator = match device {
            Device::Gaudi2 => "dot_gaudi2",
            Device::Gaudi3 => "dot_gaudi3",
        };
        Ok(PlanFile {
            accumulator: accumulator.to_owned(),
            default: self.hp_dtype.clone(),
            layers,
        })
    }
}

/// Keeps largest magnitudes while a model runs.
#[derive(Debug)]
pub struct Measuring {
    measurement: Measurement,
    outputs: bool,
}

impl Measuring {
    /// Without measurements.
    pub fn new(exclude: Exclude) -> Self {
        Self {
            measurement: Measurement::new(Kind::DynamicRange),
            outputs: exclude == Exclude::None,
        }
    }

    /// What was measured.
    pub fn finish(self) -> Measurement {
        self.measurement
    }
}

/// The largest magnitude; infinite or NaN where one is.
fn amax<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.fold(0.0, |largest, value| match value.is_nan() {
        true => f32::NAN,
        false => largest.max(value.abs()),
    })
}

impl Hook for Measuring {
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        let node: &mut Node = self
            .measurement
            .nodes
            .entry(layer.node.to_owned())
            .or_default();
        let keep = |kept: &mut Vec<Vec<f32>>, place: usize, found: f32| {
            if !found.is_finite() {
                let allowed = "finite numbers, which alone have scales";
                return Err(Error::illegal(
                    format!("layer {}", layer.node),
                    found,
                    allowed,
                ));
            }
            kept.resize(kept.len().max(place + 1), vec![0.0]);
            kept[place][0] = kept[place][0].max(found);
            Ok(())
        };
        keep(&mut node.inputs, 0, amax(layer.input.iter()))?;
        match layer.constant {
            true => {
                let weight = node.params.entry("weight".to_owned()).or_default();
                keep(weight, 0, amax(layer.weight.iter()))?;
            }
            false => keep(&mut node.inputs, 1, amax(layer.weight.iter()))?,
        }
        if self.outputs {
            let outputs = node.outputs.get_or_insert_default();
            keep(outputs, 0, amax(layer.output.iter()))?;
        }
        Ok(())
    }
}
