//! The interpreter on onnx's own node tests: every operator of its table has cases there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quaver_fast::Fast;
use quaver_fuzz::field;
use quaver_quant::graph::{NoHook, Session, operators_markdown, supported};
use quaver_quant::{Plan, Tensor, onnx};

use super::backend_tests;

/// The relative and absolute distance that onnx's own runner allows.
const TOLERANCE: [f32; 2] = [1e-3, 1e-7];

/// Cases outside what the interpreter does, by the beginning of their name, and why.
const OUTSIDE: &[(&str, &str)] = &[
    ("test_maxpool_with_argmax", "indices of MaxPool"),
    ("test_maxpool_3d", "three axes of places"),
    ("test_averagepool_3d", "three axes of places"),
    ("test_convtranspose_3d", "three axes of places"),
    ("test_maxpool_2d_uint8", "MaxPool of integers"),
    ("test_training_dropout", "training"),
    ("test_batchnorm_epsilon_training_mode", "training"),
    ("test_batchnorm_example_training_mode", "training"),
    ("test_dequantizelinear_e4m3fn_float16", "scales in FP16"),
    ("test_edge_pad", "other modes of Pad"),
    ("test_reflect_pad", "other modes of Pad"),
    ("test_wrap_pad", "other modes of Pad"),
    ("test_cast_", "narrow types, which `quaver convert` has"),
];

/// A serialised `TensorProto` as the constant of a model.
fn tensor(path: &Path) -> Option<Tensor> {
    let tensor = std::fs::read(path).expect("the case has the file");
    // Fields 5 of a graph and 7 of a model are such messages.
    let model = onnx::parse(&field(7, &field(5, &tensor)), None).ok()?;
    model.graph.initializers.first()?.tensor().ok()
}

/// Files `prefix_0.pb`, `prefix_1.pb`, ... of a case.
fn tensors(folder: &Path, prefix: &str) -> Option<Vec<Tensor>> {
    let paths = (0..).map(|i| folder.join(format!("{prefix}_{i}.pb")));
    paths
        .take_while(|path| path.exists())
        .map(|path| tensor(&path))
        .collect()
}

fn close(a: f32, b: f32) -> bool {
    let [relative, absolute] = TOLERANCE;
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= absolute + relative * b.abs()
}

/// What is different between a result and what it should be.
pub(crate) fn difference(result: &Tensor, expected: &Tensor) -> Option<String> {
    if result.shape() != expected.shape() {
        return Some(format!(
            "shape {:?}, not {:?}",
            result.shape(),
            expected.shape()
        ));
    }
    match (result, expected) {
        (Tensor::Float(result), Tensor::Float(expected)) => {
            let pairs = result.iter().zip(expected);
            let mut far = pairs.filter(|&(&a, &b)| !close(a, b));
            far.next().map(|(a, b)| format!("{a}, not {b}"))
        }
        _ => (result != expected).then(|| format!("{result:?}, not {expected:?}")),
    }
}

#[test]
fn every_operator_vs_onnx_node_tests() {
    let names: BTreeSet<&str> = supported().map(|operator| operator.name).collect();
    let mut cases: BTreeMap<&str, usize> = names.iter().map(|&name| (name, 0)).collect();
    let (mut outside, mut failed) = (0, Vec::new());
    let mut excluded = BTreeSet::new();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(backend_tests().join("node"))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    folders.sort();
    let mut engine = Fast::new(1).expect("a thread starts");
    for folder in folders {
        let name = folder
            .file_name()
            .expect("a folder")
            .to_string_lossy()
            .into_owned();
        let model = onnx::read(&folder.join("model.onnx"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let graph = &model.graph;
        let used: BTreeSet<&str> = graph.nodes.iter().map(|n| n.operator.as_str()).collect();
        let own = graph.nodes.iter().all(|node| node.domain.is_empty());
        if !own || !used.is_subset(&names) || graph.nodes.is_empty() {
            continue;
        }
        let data = folder.join("test_data_set_0");
        let (inputs, expected) = (tensors(&data, "input"), tensors(&data, "output"));
        let (Some(inputs), Some(expected)) = (inputs, expected) else {
            println!("outside: {name}: tensors of strings, complex numbers or sequences");
            outside += 1;
            continue;
        };
        // DOUBLE is read as FP32 and FP16 as codes: those are other tests.
        let narrow = |tensor: &Tensor| matches!(tensor, Tensor::Codes(..));
        let is_cast = !used.contains("QuantizeLinear") && !used.contains("DequantizeLinear");
        if is_cast && inputs.iter().chain(&expected).any(narrow) {
            println!("outside: {name}: elements of FP16, BF16 or FP8");
            outside += 1;
            continue;
        }
        let place = OUTSIDE
            .iter()
            .position(|(start, _)| name.starts_with(start));
        if let Some(place) = place {
            let (start, reason) = OUTSIDE[place];
            excluded.insert(start);
            println!("outside: {name}: {reason}");
            outside += 1;
            continue;
        }
        let mut run = || {
            let mut session = Session::new(&model)?;
            let inputs = graph
                .inputs
                .iter()
                .map(|input| input.name.clone())
                .zip(inputs.clone());
            session.run(inputs.collect(), &Plan::keep(), &mut engine, &mut NoHook)
        };
        match run() {
            Err(error) => failed.push(format!("{name}: {error}")),
            Ok(results) => {
                if results.len() != expected.len() {
                    failed.push(format!("{name}: {} outputs", results.len()));
                }
                for ((_, result), expected) in results.iter().zip(&expected) {
                    if let Some(difference) = difference(result, expected) {
                        failed.push(format!("{name}: {difference}"));
                    }
                }
                for operator in used {
                    *cases.get_mut(operator).expect("it is in the table") += 1;
                }
            }
        }
    }
    let count: usize = cases.values().sum();
    println!(
        "{count} cases of {} operators, {outside} outside",
        names.len()
    );
    let none: Vec<&&str> = cases
        .iter()
        .filter(|(_, n)| **n == 0)
        .map(|(name, _)| name)
        .collect();
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(none.is_empty(), "without a case: {none:?}");
}

/// `docs/operators.md` beside the table that it is made of.
#[test]
fn documentation_vs_table() {
    let path = quaver_tests::root().join("docs/operators.md");
    let text = operators_markdown();
    if std::env::var_os("QUAVER_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).expect("the file can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, text,
        "docs/operators.md is out of date; scripts/bless rewrites it"
    );
}
