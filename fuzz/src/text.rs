//! JSON and TOML: plans, measurements, the configurations of workflows and cores, tables.

use std::path::Path;
use std::sync::OnceLock;

use ndarray::{ArrayD, IxDyn};
use quaver_contract::{CoreConfig, Formats};
use quaver_quant::calibrate::measurement::{Measurement, MeasurementError};
use quaver_quant::export::export;
use quaver_quant::graph::Session;
use quaver_quant::onnx::{Attribute, Dimension, Graph, Initializer, Model, Node, ValueInfo};
use quaver_quant::plan::PlanFile;
use quaver_quant::scale::gaudi::Device;
use quaver_quant::workflow::intfp::{Config as Intfp, Decided};
use quaver_quant::workflow::{inc as gaudi, mixed as precision};
use quaver_quant::{ElementType, Tensor};
use quaver_study::EnergyTable;

use crate::model::{run, said};

/// A model of a convolution `conv`, a layer `fc`, and a product `mm` of two activations.
fn sample() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let node = |name: &str, operator: &str, inputs: &[&str], attributes: &[(&str, i64)]| Node {
            name: name.to_owned(),
            operator: operator.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: vec![format!("{name}_y")],
            attributes: attributes
                .iter()
                .map(|&(name, value)| (name.to_owned(), Attribute::Int(value)))
                .collect(),
            ..Node::default()
        };
        let constant = |name: &str, shape: &[usize]| {
            let mut next = 0.0;
            let values = ArrayD::from_shape_simple_fn(IxDyn(shape), || {
                next += 0.375;
                next % 2.0 - 0.75
            });
            Initializer::new(name, &Tensor::Float(values)).expect("numbers have a type")
        };
        let value = |name: &str| ValueInfo {
            name: name.to_owned(),
            element: Some(ElementType::Float),
            shape: Some([2, 1, 4, 4].map(Dimension::Fixed).to_vec()),
            ..ValueInfo::default()
        };
        Model {
            ir_version: 9,
            opsets: vec![(String::new(), 20)],
            graph: Graph {
                nodes: vec![
                    node("conv", "Conv", &["x", "w"], &[]),
                    node("flat", "Flatten", &["conv_y"], &[]),
                    node("fc", "Gemm", &["flat_y", "v"], &[("transB", 1)]),
                    node("mm", "MatMul", &["x", "x"], &[]),
                ],
                initializers: vec![constant("w", &[2, 1, 3, 3]), constant("v", &[3, 8])],
                inputs: vec![value("x")],
                outputs: vec![value("fc_y"), value("mm_y")],
                ..Graph::default()
            },
            ..Model::default()
        }
    })
}

fn session() -> Session<'static> {
    Session::new(sample()).expect("the model is one")
}

/// A plan: read, written again, run and exported.
pub(crate) fn plan(bytes: &[u8]) -> bool {
    let file = match PlanFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            assert!(error.to_string().contains(" at line "), "{error}");
            return false;
        }
    };
    let plan = match file.plan(&Formats::default()) {
        Ok(plan) => plan,
        Err(error) => return said::<()>(Err(error)),
    };
    let again = PlanFile::parse(file.to_json().as_bytes());
    assert_eq!(again.expect("it was just written"), file);
    said(export(sample(), &plan));
    said(run(sample(), &plan))
}

/// A configuration of Neural Compressor, with measurements of the sample.
pub(crate) fn inc(bytes: &[u8]) -> bool {
    let config = match gaudi::Config::parse(bytes) {
        Ok(config) => config,
        Err(error) => return said::<()>(Err(error)),
    };
    let text = r#"{"GlobalRank": null, "LocalRank": -1, "Mode": "DynamicRange", "Nodes": {
        "conv": {"inputs": [[4.5]]}, "fc": {"inputs": [[0.0]]}, "mm": {"inputs": [[1.0], [2.0]]}}}"#;
    let measured = Measurement::parse(Path::new("x.json"), text.as_bytes());
    let measured = measured.expect("they are measurements");
    let session = session();
    let mut good = true;
    for device in [Device::Gaudi2, Device::Gaudi3] {
        let file = config.quantise(&session, &measured, device);
        let file = file.expect("every layer was measured");
        good &= said(file.plan(&Formats::default()));
    }
    good
}

/// Measurements: read, written again, and quantised with.
///
/// # Panics
/// When an error has no place, or they are others.
pub fn measurement(bytes: &[u8]) -> bool {
    let path = Path::new("x.json");
    let measured = match Measurement::parse(path, bytes) {
        Ok(measured) => measured,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("x.json: "), "{text}");
            // A place: line and column, or module and tensor.
            let place = match error {
                MeasurementError::Json { .. } => text.contains(" at line "),
                MeasurementError::Illegal { .. } => text.contains('/'),
                MeasurementError::File { .. } => false,
            };
            assert!(place, "{text}");
            return false;
        }
    };
    let again = Measurement::parse(path, measured.to_json().as_bytes());
    assert_eq!(again.expect("it was just written"), measured);
    measured.mod_list();
    let config =
        gaudi::Config::parse(br#"{"dump_stats_path": "x", "blocklist": {"names": ["fc"]}}"#);
    let config = config.expect("it is a configuration");
    if let Ok(file) = config.quantise(&session(), &measured, Device::Gaudi2) {
        file.plan(&Formats::default())
            .expect("its scales are legal");
    }
    true
}

/// A configuration of formats and calibrators, in JSON or TOML.
pub(crate) fn intfp(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let toml = !text.trim_start().starts_with('{');
    let config = match Intfp::parse(text, toml) {
        Ok(config) => config,
        Err(error) => return said::<()>(Err(error)),
    };
    let session = session();
    match Decided::by_config(&session, &Formats::default(), &config) {
        Ok(decided) => said(decided.observing()) & said(decided.plan(&session, None, "fp32")),
        Err(error) => said::<()>(Err(error)),
    }
}

/// A configuration of mixed precision.
pub(crate) fn mixed(bytes: &[u8]) -> bool {
    let config = match precision::Config::parse(bytes) {
        Ok(config) => config,
        Err(error) => return said::<()>(Err(error)),
    };
    let calibrators = precision::Calibrators {
        input: "max".to_owned(),
        weight: "max".to_owned(),
        channels: true,
    };
    said(config.decide(&session(), &Formats::default(), &calibrators))
}

/// Configurations of cores.
pub(crate) fn core(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    match CoreConfig::parse(text, "x.toml", &Formats::default()) {
        Ok(configs) => {
            for config in &configs {
                assert!(config.lanes() > 0 && config.tile_k() > 0);
                for format in config.operand_formats.iter().chain(&config.output_formats) {
                    assert!(config.format_id(format).is_some());
                }
            }
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Formats, and every code of those that have few.
pub(crate) fn formats(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let mut formats = Formats::default();
    let known = formats.iter().count();
    let result = formats.add(text, "x.toml");
    for format in formats.iter().skip(known) {
        format.validate().expect("what is added is legal");
        for code in 0..=format.code_mask().min(0xff) {
            quaver_golden::to_fp32(code, format);
        }
    }
    result.is_ok()
}

/// A table of energies.
pub(crate) fn energy(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    match EnergyTable::parse(text, "x.toml") {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("x.toml"), "{error}");
            false
        }
    }
}
