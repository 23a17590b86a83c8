//! ONNX models.

use std::path::Path;
use std::process::Command;

use quaver_fuzz::{field, read_onnx as read};
use quaver_quant::onnx;
use quaver_tests::python;

use crate::{damaged, hold};

/// Bytes of memory for each byte of a model: a node of 5 bytes is a record of 170, and the same again
/// while it is written.
const MULTIPLE: usize = 48;

/// Models of onnx's backend tests that between them have every kind of message: graphs in graphs,
/// tensors of every width in raw and typed fields, types that are no tensors, functions.
const MODELS: &[&str] = &[
    "node/test_add_bcast",
    "node/test_attention_4d_causal_expanded",
    "node/test_constant",
    "node/test_dequantizelinear_e4m3fn",
    "node/test_if_seq",
    "node/test_loop16_seq_none",
    "node/test_quantizelinear_float4e2m1",
    "node/test_scan9_sum",
    "node/test_sequence_map_add_2_sequences",
    "node/test_ai_onnx_ml_label_encoder_tensor_mapping",
    "simple/test_sequence_model4",
    "pytorch-converted/test_Conv2d",
    "pytorch-operator/test_operator_addmm",
];

#[test]
fn damaged_models_are_refused_or_read() {
    let code = "import onnx, pathlib; print(pathlib.Path(onnx.__file__).parent, end='')";
    let output = Command::new(python()).args(["-c", code]).output().unwrap();
    let data = Path::new(str::from_utf8(&output.stdout).unwrap()).join("backend/test/data");
    for name in MODELS {
        let file = std::fs::read(data.join(name).join("model.onnx"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(hold(name, &file, MULTIPLE, &read).0);
        println!("{}", damaged(name, &file, MULTIPLE, &read));
    }
}

/// Messages that take the most memory for their bytes: a megabyte of the shortest of each.
#[test]
fn shortest_messages_keep_to_the_limit_of_memory() {
    const BYTES: usize = 1 << 20;
    let repeated = |message: &[u8]| message.repeat(BYTES / message.len());
    let node = |message: &[u8]| field(1, &[field(4, b"A"), repeated(message)].concat());
    let one_attribute = |rest: Vec<u8>| {
        let attribute = field(5, &[field(1, b"a"), rest].concat());
        field(1, &[field(4, b"A"), attribute].concat())
    };
    let shape = |message: &[u8]| field(5, &[repeated(message), b"\x10\x01".to_vec()].concat());
    let graphs: Vec<(&str, Vec<u8>)> = vec![
        ("nodes", repeated(&field(1, &field(4, b"A")))),
        ("empty nodes", repeated(&field(1, b""))),
        ("inputs of nodes", node(&field(1, b""))),
        ("outputs of nodes", node(&field(2, b"y"))),
        ("attributes", node(&field(5, b"\x0a\x01a\xa0\x01\x02"))),
        ("empty attributes", node(&field(5, b""))),
        (
            "strings",
            one_attribute([repeated(&field(9, b"")), b"\xa0\x01\x08".to_vec()].concat()),
        ),
        ("integers", one_attribute(field(8, &vec![0; BYTES]))),
        ("integers apart", one_attribute(repeated(b"\x40\x00"))),
        ("numbers", one_attribute(field(7, &vec![0; BYTES]))),
        ("tensors", repeated(&field(5, b"\x08\x00\x10\x01"))),
        ("scalars", repeated(&field(5, b"\x10\x03\x4a\x01a"))),
        ("empty tensors", repeated(&field(5, b""))),
        ("lengths", shape(b"\x08\x00")),
        (
            "strings in tensors",
            field(
                5,
                &[b"\x10\x08".to_vec(), repeated(&field(6, b""))].concat(),
            ),
        ),
        (
            "entries",
            field(
                5,
                &[b"\x70\x01\x10\x01".to_vec(), repeated(&field(13, b""))].concat(),
            ),
        ),
        ("inputs", repeated(&field(11, &field(1, b"x")))),
        ("empty inputs", repeated(&field(11, b""))),
        ("outputs", repeated(&field(12, &field(1, b"x")))),
        (
            "dimensions",
            field(
                11,
                &[
                    field(1, b"x"),
                    field(2, &field(1, &field(2, &repeated(&field(1, b""))))),
                ]
                .concat(),
            ),
        ),
        ("documentation", repeated(&field(10, b""))),
    ];
    for (name, graph) in graphs {
        let file = field(7, &graph);
        assert!(file.len() >= BYTES / 2, "{name}: {} bytes", file.len());
        let (accepted, most) = hold(name, &file, MULTIPLE, &read);
        let each = most as f64 / file.len() as f64;
        println!("{name}: accepted {accepted}, {each:.1} bytes of memory for a byte");
    }
}

/// Graphs in attributes of graphs: to the limit, and one beyond it, and far beyond.
#[test]
fn nested_graphs_stop_at_the_limit() {
    let nested = |levels: usize| {
        let mut graph = Vec::new();
        for _ in 1..levels {
            let attribute = [field(1, b"a"), field(6, &graph), b"\xa0\x01\x05".to_vec()].concat();
            graph = field(1, &[field(4, b"If"), field(5, &attribute)].concat());
        }
        field(7, &graph)
    };
    for (levels, accepted) in [(1, true), (33, true), (34, false), (10_000, false)] {
        let file = nested(levels);
        assert_eq!(
            hold("graphs", &file, MULTIPLE, &read).0,
            accepted,
            "{levels} levels"
        );
    }
    let error = onnx::parse(&nested(34), None).unwrap_err().to_string();
    assert!(
        error.ends_with(".g: graphs in more than 33 levels"),
        "{error}"
    );
}
