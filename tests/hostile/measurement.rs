//! Measurement files of Neural Compressor.

use quaver_fuzz::measurement as read;

use crate::{damaged, hold};

/// Bytes of memory for each byte: an empty object of a module, in about 8 bytes, is a record of 100
/// in a tree.
const MULTIPLE: usize = 48;

/// What Neural Compressor writes for a model of two layers.
const FILE: &str = r#"{
    "GlobalRank": null,
    "LocalRank": -1,
    "Mode": "DynamicRange",
    "Nodes": {
        "fc1": {
            "inputs": [[4.21875]],
            "outputs": [[1.5e2]],
            "params": {"weight": [[0.099609375], [0.5]]}
        },
        "attention.matmul": {"inputs": [[1], [0.0, 2]]},
        "f\u00fcnf \"5\"": {"inputs": []}
    }
}"#;

#[test]
fn damaged_measurements_are_refused_or_read() {
    let scale = FILE
        .replace("DynamicRange", "Scale")
        .replace("0.0", "0.125");
    for (name, file) in [("ranges", FILE), ("scales", &scale)] {
        assert!(hold(name, file.as_bytes(), MULTIPLE, &read).0);
        println!("{}", damaged(name, file.as_bytes(), MULTIPLE, &read));
    }
}

/// What takes the most memory for its bytes, and nests.
#[test]
fn large_measurements_keep_to_the_limit_of_memory() {
    const BYTES: usize = 1 << 20;
    let file =
        |nodes: &str| format!(r#"{{"GlobalRank":0,"LocalRank":0,"Mode":"Scale","Nodes":{nodes}}}"#);
    let list = |item: &str, times: usize| vec![item; times].join(",");
    let module = |inputs: &str| file(&format!(r#"{{"a":{{"inputs":[{inputs}]}}}}"#));
    let modules: Vec<String> = (0..BYTES / 20)
        .map(|i| format!(r#""{i}":{{"inputs":[]}}"#))
        .collect();
    let files = [
        ("lists", module(&list("[]", BYTES / 3))),
        ("numbers", module(&format!("[{}]", list("1", BYTES / 2)))),
        ("modules", file(&format!("{{{}}}", modules.join(",")))),
        ("brackets", module(&"[".repeat(BYTES))),
        ("objects", file(&r#"{"a":"#.repeat(BYTES / 5))),
    ];
    for (name, file) in files {
        let (accepted, most) = hold(name, file.as_bytes(), MULTIPLE, &read);
        let each = most as f64 / file.len() as f64;
        println!("{name}: accepted {accepted}, {each:.1} bytes of memory for a byte");
    }
}
