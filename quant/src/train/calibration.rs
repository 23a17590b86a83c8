//! Static scales of a plan, from the weights and data of now.

use std::collections::BTreeMap;

use quaver_contract::{Engine, Formats};

use super::{Examples, Trainer};
use crate::Error;
use crate::graph::Session;
use crate::plan::file::{LayerFile, QuantiserFile};
use crate::plan::{LayerPlan, Plan, Quantiser, ScalePlan};
use crate::workflow::intfp::{Decided, Setting, Settings};

/// A plan whose dynamic scales of tensors and of weights' channels are static, for [`calibrate`] to find.
///
/// # Errors
/// [`Error::Illegal`] naming the layer, for dynamic scales of rows.
pub fn fixed(plan: &Plan, session: &Session<'_>) -> Result<Plan, Error> {
    let mut result = plan.clone();
    for (name, _) in session.layers() {
        let mut layer = plan.layer(name).clone();
        let [input, weight, output] = quantisers(&mut layer);
        for quantiser in [input, output].into_iter().flatten() {
            fix(quantiser, name, false)?;
        }
        if let Some(quantiser) = weight {
            fix(quantiser, name, session.constant(name).is_some())?;
        }
        result.layers.insert(name.to_owned(), layer);
    }
    Ok(result)
}

fn fix(quantiser: &mut Quantiser, name: &str, channels: bool) -> Result<(), Error> {
    let scale = match quantiser.scale {
        ScalePlan::DynamicTensor | ScalePlan::DynamicPercentile { lines: false, .. } => {
            ScalePlan::Tensor(1.0)
        }
        ScalePlan::DynamicLines | ScalePlan::DynamicPercentile { .. } if channels => {
            ScalePlan::Channels(Vec::new())
        }
        ScalePlan::DynamicLines | ScalePlan::DynamicPercentile { .. } => {
            let allowed = "one for the tensor, or for each output channel of a constant weight";
            return Err(Error::illegal(
                format!("static scales of layer {name}"),
                "one a row",
                allowed,
            ));
        }
        _ => return Ok(()),
    };
    quantiser.scale = scale;
    Ok(())
}

/// The plan with every static scale found anew by a calibrator (`max`, `percentile:P`, `mse`, and but
/// for weights `entropy`), as the workflow of INT-FP-QSim finds them: of inputs and results over the
/// examples in FP32, of weights from their numbers. Other scales stay.
///
/// # Errors
/// [`Error::Illegal`] for a calibrator that is none, and weights that are not finite; those of the run.
pub fn calibrate(
    plan: &Plan,
    trainer: &mut Trainer<'_>,
    examples: &Examples,
    (calibrator, formats): (&str, &Formats),
    engine: &mut dyn Engine,
) -> Result<Plan, Error> {
    let setting = |quantiser: Option<&mut Quantiser>| {
        let quantiser = quantiser?;
        let per = match quantiser.scale {
            ScalePlan::Tensor(_) => "tensor",
            ScalePlan::Channels(_) => "channel",
            _ => return None,
        };
        Some(Setting {
            format: quantiser.conversion.format.name.to_owned(),
            calibrator: Some(calibrator.to_owned()),
            per: Some(per.to_owned()),
            blocks: None,
        })
    };
    let decided = Decided::by(trainer.session(), formats, |layer| {
        let mut own = plan.layer(&layer.name).clone();
        let [input, weight, output] = quantisers(&mut own).map(setting);
        Settings {
            input,
            weight,
            output,
            keep: None,
        }
    })?;
    let mut observing = decided.observing()?;
    if let Some(observing) = &mut observing {
        trainer.run(examples, &Plan::keep(), engine, observing)?;
    }
    let found = decided.plan(
        trainer.session(),
        observing.as_ref(),
        plan.accumulator.name(),
    )?;
    let found = rows(&found.layers);
    let mut result = plan.clone();
    for (name, _) in trainer.session().layers() {
        let Some(row) = found.get(name) else { continue };
        let mut layer = plan.layer(name).clone();
        let places = quantisers(&mut layer).into_iter().zip(row);
        for (place, found) in places {
            if let (Some(place), Some(found)) = (place, found) {
                let static_scale =
                    matches!(place.scale, ScalePlan::Tensor(_) | ScalePlan::Channels(_));
                if static_scale {
                    place.scale = found.quantiser(name, formats)?.scale;
                }
            }
        }
        result.layers.insert(name.to_owned(), layer);
    }
    Ok(result)
}

/// Quantisers of input, weight and output.
fn quantisers(layer: &mut LayerPlan) -> [Option<&mut Quantiser>; 3] {
    match layer {
        LayerPlan::Keep(_) => [None, None, None],
        LayerPlan::Quantised {
            input,
            weight,
            output,
        } => [Some(input), Some(weight), output.as_mut()],
        LayerPlan::Dequantised {
            input,
            weight,
            output,
            ..
        } => [input.as_mut(), weight.as_mut(), output.as_mut()],
    }
}

type Rows<'a> = BTreeMap<&'a str, [Option<&'a QuantiserFile>; 3]>;

fn rows(layers: &BTreeMap<String, LayerFile>) -> Rows<'_> {
    let row = |layer| match layer {
        &LayerFile::Keep { .. } => [None, None, None],
        LayerFile::Quantised {
            input,
            weight,
            output,
        } => [Some(input), Some(weight), output.as_ref()],
        LayerFile::Dequantised {
            input,
            weight,
            output,
            ..
        } => [input.as_ref(), weight.as_ref(), output.as_ref()],
    };
    let rows = layers
        .iter()
        .map(|(name, layer)| (name.as_str(), row(layer)));
    rows.collect()
}
