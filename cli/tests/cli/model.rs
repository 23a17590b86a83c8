//! `quaver model`.

use std::path::Path;
use std::process::Command;

use quaver_quant::onnx::{
    Attribute, Bytes, Dimension, Graph, Initializer, Model, Node, Storage, ValueInfo, write,
};
use quaver_quant::{ElementType, Tensor};
use serde_json::{Value, json};

use crate::support::Sandbox;

/// A model with two operator sets, a branch, tensors of three types, and lengths of every kind.
fn model() -> Model {
    let ones = ndarray::ArrayD::ones(ndarray::IxDyn(&[8, 40]));
    let tensor = |name: &str, element, shape: &[usize], bytes: usize| Initializer {
        name: name.to_owned(),
        element,
        shape: shape.to_vec(),
        bytes: Bytes::Owned(vec![1; bytes]),
    };
    let node = |operator: &str, attributes: Vec<(&str, Attribute)>| Node {
        operator: operator.to_owned(),
        attributes: attributes
            .into_iter()
            .map(|(name, x)| (name.to_owned(), x))
            .collect(),
        ..Node::default()
    };
    let constant = tensor("", ElementType::Int64, &[], 8);
    let branch = Graph {
        nodes: vec![
            node("Constant", vec![("value", Attribute::Tensor(constant))]),
            node("MatMul", Vec::new()),
        ],
        ..Graph::default()
    };
    let value = |name: &str, element, shape: Option<Vec<Dimension>>| ValueInfo {
        name: name.to_owned(),
        element,
        shape,
        ..ValueInfo::default()
    };
    let shape = vec![
        Dimension::Symbolic("batch".to_owned()),
        Dimension::Fixed(40),
        Dimension::Symbolic(String::new()),
    ];
    Model {
        ir_version: 10,
        producer: "a\u{1b}[2Jtool".to_owned(),
        opsets: vec![(String::new(), 23), ("mine".to_owned(), 1)],
        graph: Graph {
            name: "graph".to_owned(),
            nodes: vec![
                node("MatMul", Vec::new()),
                Node {
                    domain: "mine".to_owned(),
                    ..node("Fold", Vec::new())
                },
                node("If", vec![("then_branch", Attribute::Graph(branch))]),
            ],
            initializers: vec![
                Initializer::new("w", &Tensor::Float(ones)).unwrap(),
                tensor("w8", ElementType::Float8E4m3fn, &[2, 3], 6),
                tensor("w4", ElementType::Float4E2m1, &[3], 2),
            ],
            inputs: vec![
                value("x", Some(ElementType::Float), Some(shape)),
                value("y", None, None),
            ],
            outputs: vec![value("z", Some(ElementType::Bool), Some(Vec::new()))],
            ..Graph::default()
        },
        ..Model::default()
    }
}

const TEXT: &str = "\
IR version 10, by a\\u{1b}[2Jtool, ai.onnx 23, mine 1

inputs
  name  type   shape
  x     FLOAT  batch x 40 x ?
  y     other  ?

outputs
  name  type  shape
  z     BOOL  scalar

nodes: 5
  operator   nodes
  MatMul     2
  Constant   1
  mine.Fold  1
  If         1

tensors: 4
  name  type          shape   bytes
  w     FLOAT         8 x 40  1280
  w8    FLOAT8E4M3FN  2 x 3   6
  w4    FLOAT4E2M1    3       2
        INT64         scalar  8

elements: 330 in 1296 bytes
  type          tensors  elements  bytes
  FLOAT         1        320       1280
  INT64         1        1         8
  FLOAT8E4M3FN  1        6         6
  FLOAT4E2M1    1        3         2
";

#[test]
fn model_prints_what_the_file_has() {
    let sandbox = Sandbox::new();
    for storage in [Storage::Auto, Storage::External] {
        write(&model(), &sandbox.path("x.onnx"), storage).unwrap();
        assert_eq!(sandbox.line("model x.onnx").ok(), TEXT);
        let report = sandbox.line("model x.onnx --json").json();
        assert_eq!(report["inputs"][0]["shape"], json!(["batch", 40, ""]));
        assert_eq!(
            report["inputs"][1],
            json!({"name": "y", "type": null, "shape": null})
        );
        assert_eq!(report["opsets"][1], json!({"domain": "mine", "version": 1}));
        assert_eq!(
            report["operators"][2],
            json!({"domain": "mine", "operator": "Fold", "count": 1})
        );
        let tensor = json!({"name": "w8", "type": "FLOAT8E4M3FN", "shape": [2, 3], "bytes": 6});
        assert_eq!(report["tensors"][1], tensor);
        assert_eq!(report["nodes"], 5);
        assert_eq!(report["elements"], 330);
        assert_eq!(report["bytes"], 1296);
    }
    assert!(sandbox.path("x.onnx.data").exists());
    write(
        &Model::default(),
        &sandbox.path("empty.onnx"),
        Storage::Auto,
    )
    .unwrap();
    let text = sandbox.line("model empty.onnx").ok();
    assert_eq!(text.matches("none").count(), 5, "{text}");
}

/// Prints what `quaver model --json` has of a model's graph.
const SCRIPT: &str = "
import collections, json, sys, onnx
from onnx import TensorProto, numpy_helper
graph = onnx.load(sys.argv[1]).graph
name = TensorProto.DataType.Name
def length(dim):
    return dim.dim_value if dim.HasField('dim_value') else dim.dim_param
def value(x):
    tensor = x.type.tensor_type
    return [x.name, name(tensor.elem_type), [length(dim) for dim in tensor.shape.dim]]
print(json.dumps({
    'inputs': [value(x) for x in graph.input],
    'outputs': [value(x) for x in graph.output],
    'operators': collections.Counter(node.op_type for node in graph.node),
    'tensors': [[x.name, name(x.data_type), list(x.dims), numpy_helper.to_array(x).nbytes]
                for x in graph.initializer],
}))
";

#[test]
fn model_of_pytorch_vs_onnx() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/setup",
        python.display()
    );
    let run = |arguments: &[&str]| {
        let output = Command::new(&python).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let data =
        "import onnx, pathlib; print(pathlib.Path(onnx.__file__).parent / 'backend/test/data')";
    let data = run(&["-c", data]);
    for model in [
        "pytorch-converted/test_Conv2d",
        "pytorch-converted/test_BatchNorm1d_3d_input_eval",
    ] {
        let path = Path::new(data.trim()).join(model).join("model.onnx");
        let path = path.to_str().unwrap();
        let expected: Value = serde_json::from_str(&run(&["-c", SCRIPT, path])).unwrap();
        let report = Sandbox::new().run(&["model", path, "--json"]).json();
        let rows = |key: &str, columns: &[&str]| -> Value {
            let rows = report[key].as_array().unwrap().iter();
            rows.map(|row| columns.iter().map(|c| row[c].clone()).collect::<Value>())
                .collect()
        };
        assert_eq!(
            rows("inputs", &["name", "type", "shape"]),
            expected["inputs"]
        );
        assert_eq!(
            rows("outputs", &["name", "type", "shape"]),
            expected["outputs"]
        );
        let tensors = rows("tensors", &["name", "type", "shape", "bytes"]);
        assert_eq!(tensors, expected["tensors"]);
        assert!(!tensors.as_array().unwrap().is_empty());
        let operators = report["operators"].as_array().unwrap().iter();
        let operators = operators.map(|row| {
            (
                row["operator"].as_str().unwrap().to_owned(),
                row["count"].clone(),
            )
        });
        let operators: serde_json::Map<String, Value> = operators.collect();
        assert_eq!(Value::Object(operators), expected["operators"]);
    }
}
