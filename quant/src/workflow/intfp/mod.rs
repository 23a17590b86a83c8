//! INT-FP-QSim's simulation: a format each for the inputs, the weights and the outputs of layers, and
//! calibrators for their scales.
//!
//! A layer whose operands are both of at most 8 bits is a job; another one is quantised, dequantised
//! and computed on the host in FP32. Source: Nair et al., "INT-FP-QSim" (arXiv 2307.03712).

mod config;

use std::collections::BTreeMap;

use quaver_contract::Formats;

pub use config::{Choice, Config, How, Role, Rule, Setting, Settings};

use super::layers::{LayerName, layers};
use crate::Error;
use crate::calibrate::{Granularity, Observer, ObserverKind};
use crate::graph::{Hook, Layer, Session};
use crate::plan::PlanFile;
use crate::plan::file::{LayerFile, QuantiserFile, ScaleFile};
use crate::scale::{Codec, max_value};

/// What every layer of a model has.
#[derive(Clone, Debug)]
pub struct Decided {
    layers: Vec<Decision>,
}

#[derive(Clone, Debug)]
struct Decision {
    layer: LayerName,
    keep: Option<String>,
    input: Option<Choice>,
    weight: Option<Choice>,
    output: Option<Choice>,
}

impl Decision {
    fn choices(&self) -> [(Role, Option<Choice>); 3] {
        [
            (Role::Input, self.input),
            (Role::Weight, self.weight),
            (Role::Output, self.output),
        ]
    }

    /// Roles whose scales come from calibration data, and by what kind of observer.
    fn observed(&self) -> impl Iterator<Item = (Role, ObserverKind)> {
        let constant = self.layer.constant;
        let kept = self.keep.is_some();
        let choices = self.choices().into_iter();
        choices.filter_map(move |(role, choice)| match choice?.how {
            How::Static { kind, .. } if !(kept || role == Role::Weight && constant) => {
                Some((role, kind))
            }
            _ => None,
        })
    }
}

impl Decided {
    /// Decides by a configuration.
    ///
    /// # Errors
    /// [`Error::Illegal`] naming the key, for a rule that fits no layer or a value that is none.
    pub fn by_config(
        session: &Session<'_>,
        formats: &Formats,
        config: &Config,
    ) -> Result<Self, Error> {
        config.check(&layers(session))?;
        Self::by(session, formats, |layer| config.settings(layer))
    }

    /// Decides layer by layer. Where both operands are activations the input's setting is both's.
    ///
    /// # Errors
    /// [`Error::Illegal`] naming layer and key.
    pub fn by(
        session: &Session<'_>,
        formats: &Formats,
        settings: impl Fn(&LayerName) -> Settings,
    ) -> Result<Self, Error> {
        let mut decided = Vec::new();
        for layer in layers(session) {
            let settings = settings(&layer);
            let choice = |setting: &Option<Setting>, role: Role| {
                let key = format!("{} of layer {}", role.name(), layer.name);
                let choice = setting.as_ref().map(|s| s.choice(&key, role, formats));
                Ok::<_, Error>(choice.transpose()?.flatten())
            };
            let input = choice(&settings.input, Role::Input)?;
            let weight = match layer.constant {
                true => choice(&settings.weight, Role::Weight)?,
                false => input,
            };
            if let Some(keep) = &settings.keep
                && !["fp32", "fp16", "bf16"].contains(&keep.as_str())
            {
                let key = format!("keep of layer {}", layer.name);
                return Err(Error::illegal(key, keep, "fp32, fp16, bf16"));
            }
            decided.push(Decision {
                keep: settings.keep,
                input,
                weight,
                output: choice(&settings.output, Role::Output)?,
                layer,
            });
        }
        Ok(Self { layers: decided })
    }

    /// The watcher of the calibration data; `None` where no scale comes from it.
    ///
    /// # Errors
    /// None in practice: these observers are of whole tensors.
    pub fn observing(&self) -> Result<Option<Observing>, Error> {
        let mut observers = BTreeMap::new();
        for decision in &self.layers {
            let name = &decision.layer.name;
            for (role, kind) in decision.observed() {
                let observer = format!("{} of layer {name}", role.name());
                let observer = Observer::new(&observer, kind, Granularity::Tensor);
                let observer = observer.map_err(Error::scale)?;
                observers.insert((name.clone(), role), observer);
            }
        }
        Ok((!observers.is_empty()).then_some(Observing { observers }))
    }

    /// The plan, with scales from what was observed and from the weights.
    ///
    /// # Errors
    /// [`Error::Illegal`] for a layer that the calibration data did not reach, and weights that are not
    /// finite.
    pub fn plan(
        &self,
        session: &Session<'_>,
        observed: Option<&Observing>,
        accumulator: &str,
    ) -> Result<PlanFile, Error> {
        let mut rows = BTreeMap::new();
        for decision in &self.layers {
            let name = &decision.layer.name;
            let row = match &decision.keep {
                Some(keep) => Some(LayerFile::Keep { keep: keep.clone() }),
                None => decision.row(session, observed)?,
            };
            if let Some(row) = row {
                rows.insert(name.clone(), row);
            }
        }
        Ok(PlanFile {
            accumulator: accumulator.to_owned(),
            default: "fp32".to_owned(),
            layers: rows,
        })
    }
}

impl Decision {
    fn row(
        &self,
        session: &Session<'_>,
        observed: Option<&Observing>,
    ) -> Result<Option<LayerFile>, Error> {
        let file = |role: Role, choice: Option<Choice>| {
            let file = choice.map(|choice| self.quantiser(role, choice, session, observed));
            file.transpose()
        };
        let [input, weight, output] = self.choices().map(|(role, choice)| file(role, choice));
        let (input, weight, output) = (input?, weight?, output?);
        Ok(match (input, weight) {
            (None, None) if output.is_none() => None,
            (Some(input), Some(weight)) if self.is_job() => Some(LayerFile::Quantised {
                input,
                weight,
                output,
            }),
            (input, weight) => Some(LayerFile::Dequantised {
                compute: "fp32".to_owned(),
                input,
                weight,
                output,
            }),
        })
    }

    /// Whether an array multiplies the operands.
    fn is_job(&self) -> bool {
        let formats = (self.input.zip(self.weight)).map(|(a, b)| (a.format, b.format));
        formats.is_some_and(|(a, b)| a.is_operand() && b.is_operand() && a.products_fit_fp32(b))
    }

    fn quantiser(
        &self,
        role: Role,
        choice: Choice,
        session: &Session<'_>,
        observed: Option<&Observing>,
    ) -> Result<QuantiserFile, Error> {
        let name = &self.layer.name;
        let scale = match choice.how {
            How::One => ScaleFile::Tensor(1.0),
            How::Dynamic { percent, lines } => ScaleFile::dynamic(percent, lines),
            How::Blocks(blocks) => ScaleFile::blocks(blocks),
            How::Static { kind, channels } => {
                let codec = Codec::new(choice.format)?;
                let scale = |amax: f32| match amax / max_value(choice.format) {
                    0.0 => 1.0,
                    scale => scale,
                };
                match role == Role::Weight && self.layer.constant {
                    true => weight_scales(session, name, kind, channels, &codec, scale)?,
                    false => {
                        let key = (name.clone(), role);
                        let observer = observed.and_then(|seen| seen.observers.get(&key));
                        let amax = observer.map(|observer| observer.amax(&codec));
                        let amax = amax.as_ref().and_then(|amax| amax.first());
                        let amax = amax.ok_or_else(|| {
                            let allowed = "layers that the calibration data reaches";
                            Error::illegal("layer", name, allowed)
                        })?;
                        let factor = match role {
                            Role::Input => session.factor(name).abs(),
                            Role::Weight | Role::Output => 1.0,
                        };
                        ScaleFile::Tensor(scale(amax * factor))
                    }
                }
            }
        };
        Ok(QuantiserFile {
            format: choice.format.name.to_owned(),
            scale,
        })
    }
}

fn weight_scales(
    session: &Session<'_>,
    name: &str,
    kind: ObserverKind,
    channels: bool,
    codec: &Codec,
    scale: impl Fn(f32) -> f32,
) -> Result<ScaleFile, Error> {
    let missing = || Error::illegal("weight of layer", name, "constants of FP32");
    let (groups, repeat) = session.columns(name).ok_or_else(missing)?;
    let one = |numbers: &[f32]| -> Result<f32, Error> {
        let label = format!("weight of layer {name}");
        let mut observer =
            Observer::new(&label, kind, Granularity::Tensor).map_err(Error::scale)?;
        let seen = observer.observe(ndarray::ArrayView1::from(numbers).into_dyn());
        seen.map_err(Error::scale)?;
        Ok(scale(observer.amax(codec).first().copied().unwrap_or(0.0)))
    };
    match channels {
        false => {
            let weight = session.constant(name).ok_or_else(missing)?;
            let numbers: Vec<f32> = weight.iter().copied().collect();
            Ok(ScaleFile::Tensor(one(&numbers)?))
        }
        true => {
            let scales = groups.iter().map(|numbers| one(numbers));
            let scales = scales.collect::<Result<Vec<_>, _>>()?;
            let each = |&scale: &f32| std::iter::repeat_n(scale, repeat);
            Ok(ScaleFile::Channels(scales.iter().flat_map(each).collect()))
        }
    }
}

/// Watches inputs and outputs over calibration data.
#[derive(Clone, Debug)]
pub struct Observing {
    observers: BTreeMap<(String, Role), Observer>,
}

impl Hook for Observing {
    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        for (role, values) in [
            (Role::Input, &layer.input),
            (Role::Weight, &layer.weight),
            (Role::Output, &layer.output),
        ] {
            let key = (layer.node.to_owned(), role);
            if let Some(observer) = self.observers.get_mut(&key) {
                observer.observe(values.view()).map_err(Error::scale)?;
            }
        }
        Ok(())
    }
}
