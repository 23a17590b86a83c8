//! Models that are run: constants, operators, plans, export and conversion.

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};
use quaver_contract::{Conversion, formats::E4M3FN};
use quaver_fast::Fast;
use quaver_quant::export::export;
use quaver_quant::graph::{NoHook, Session};
use quaver_quant::onnx::{self, Dimension, Model, ValueInfo};
use quaver_quant::plan::{LayerPlan, Plan, Quantiser, ScalePlan};
use quaver_quant::workflow::layers::layers;
use quaver_quant::workflow::migraphx::{self, Compensate};
use quaver_quant::{ElementType, Error, Tensor};

/// Most elements that a node may make here.
const ELEMENTS: usize = 1 << 14;

/// Reads a model, runs it, exports and converts it.
///
/// # Panics
/// When an error says nothing of what it is about.
pub fn read(bytes: &[u8]) -> bool {
    let Ok(model) = onnx::parse(bytes, None) else {
        return false;
    };
    let plans = [Plan::keep(), quantised()];
    let mut good = false;
    for plan in &plans {
        good |= said(run(&model, plan));
        said(export(&model, plan));
    }
    said(migraphx::convert(&model, Compensate::Scale));
    good
}

/// Every layer in E4M3FN with scales that its operands say.
fn quantised() -> Plan {
    let quantiser = || Quantiser {
        conversion: Conversion::native(E4M3FN),
        scale: ScalePlan::DynamicTensor,
    };
    let mut plan = Plan::keep();
    plan.default = LayerPlan::Quantised {
        input: quantiser(),
        weight: quantiser(),
        output: Some(quantiser()),
    };
    plan
}

/// Whether it went well; an error says why.
pub(crate) fn said<T>(result: Result<T, Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => {
            let named = match &error {
                Error::Node {
                    operator, message, ..
                } => !operator.is_empty() && !message.is_empty(),
                Error::Illegal { key, allowed, .. } => !key.is_empty() && !allowed.is_empty(),
                Error::File { .. } | Error::Npz { .. } => false,
                Error::Onnx { .. } | Error::Contract(_) | Error::Engine { .. } => true,
            };
            assert!(named, "{error:?}");
            false
        }
    }
}

/// Runs a model on numbers of the shapes that it says.
pub(crate) fn run(model: &Model, plan: &Plan) -> Result<(), Error> {
    let mut engine = Fast::new(1).expect("a thread starts");
    let mut session = Session::new(model)?;
    session.limit(ELEMENTS);
    for layer in layers(&session) {
        session.weight(&layer.name);
        session.columns(&layer.name);
        session.factor(&layer.name);
    }
    let names: Vec<&str> = session.inputs().collect();
    let inputs = model.graph.inputs.iter();
    let inputs = inputs.filter(|input| names.contains(&input.name.as_str()));
    let inputs: BTreeMap<String, Tensor> = inputs
        .map(|input| (input.name.clone(), numbers(input)))
        .collect();
    session.run(inputs, plan, &mut engine, &mut NoHook)?;
    Ok(())
}

fn numbers(input: &ValueInfo) -> Tensor {
    let length = |dimension: &Dimension| match dimension {
        Dimension::Fixed(length) => *length,
        Dimension::Symbolic(_) => 2,
    };
    let shape = input.shape.as_deref().unwrap_or(&[]);
    let mut lengths: Vec<usize> = shape.iter().map(length).collect();
    let product = |all: usize, length: &usize| all.checked_mul((*length).max(1));
    let all = lengths.iter().try_fold(1, product);
    if all.is_none_or(|all| all > ELEMENTS) {
        lengths.clear();
    }
    let mut next = 0u8;
    let mut number = || {
        next = next.wrapping_add(37);
        i64::from(next % 8) - 3
    };
    let shape = IxDyn(&lengths);
    match input.element {
        Some(ElementType::Bool) => {
            Tensor::Bool(ArrayD::from_shape_simple_fn(shape, || number() > 0))
        }
        Some(element) if element.is_integer() => {
            let low = |value: i64| {
                if element.is_signed() {
                    value
                } else {
                    value.abs()
                }
            };
            Tensor::Int(
                element,
                ArrayD::from_shape_simple_fn(shape, || low(number())),
            )
        }
        _ => Tensor::Float(ArrayD::from_shape_simple_fn(shape, || {
            number() as f32 / 2.0
        })),
    }
}
