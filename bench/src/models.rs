//! Whole models in FP8, every product a job, against onnxruntime's FP32 of the same model.

use quaver_contract::{Accumulator, Conversion, Formats, Overflow};
use quaver_fast::Fast;
use quaver_quant::graph::{NoHook, Session};
use quaver_quant::plan::{LayerPlan, Quantiser, ScalePlan};
use quaver_quant::{Error, Plan, npz, onnx};

use crate::{Amount, BenchError, Measurement, Options, pairs, seconds, start_peer};

/// Models of `scripts/models/write`, and their inputs.
const MODELS: &[(&str, &str)] = &[("minilm", "minilm-8x128"), ("resnet50", "resnet50")];
/// What the products are in.
const FORMAT: &str = "e4m3fn";

/// Inputs with one scale, found at run time; weights with one for each output channel.
fn plan() -> Result<Plan, BenchError> {
    let format = Formats::default().get(FORMAT)?;
    let quantiser = |scale| -> Result<Quantiser, BenchError> {
        let conversion = Conversion::native(format).with_overflow(Overflow::Saturate)?;
        Ok(Quantiser { conversion, scale })
    };
    Ok(Plan {
        accumulator: Accumulator::Fp32,
        default: LayerPlan::Quantised {
            input: quantiser(ScalePlan::DynamicTensor)?,
            weight: quantiser(ScalePlan::DynamicLines)?,
            output: None,
        },
        ..Plan::keep()
    })
}

pub(crate) fn run(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let plan = plan()?;
    for &(name, input) in MODELS {
        let file = |name: &str, kind: &str| options.models.join(format!("{name}.{kind}"));
        let (path, inputs_path) = (file(name, "onnx"), file(input, "npz"));
        let failed = |source: Error| BenchError::Model {
            path: path.clone(),
            source: Box::new(source),
        };
        for threads in [1, 2] {
            let name = format!("model {input} in {FORMAT}, {threads} threads");
            if !options.takes(&name) {
                continue;
            }
            let model = onnx::read(&path).map_err(failed)?;
            let inputs = npz::read(&inputs_path).map_err(failed)?;
            let mut session = Session::new(&model).map_err(failed)?;
            let start = |error: rayon::ThreadPoolBuildError| BenchError::Threads(error.to_string());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().map_err(start)?;
            let mut engine = Fast::new(threads).map_err(start)?;
            let (mut peer, python) = start_peer(options, threads)?;
            let question = format!(
                "onnx {threads} {} {}",
                path.display(),
                inputs_path.display()
            );
            let peer_name = peer.onnxruntime.clone();
            let ours = || {
                let inputs = inputs.clone();
                seconds(|| {
                    pool.install(|| session.run(inputs, &plan, &mut engine, &mut NoHook))
                        .map_err(failed)
                })
            };
            let theirs = || peer.seconds(python, &question);
            let amount = Amount::of(1.0, "runs/s");
            report(pairs(options, name, amount, &peer_name, ours, theirs)?);
        }
    }
    Ok(())
}
