//! What PyPI onnx and onnxruntime make of the same files, through the command.

use std::path::Path;
use std::process::Command;

/// What a script prints that is given the command; it has to succeed.
fn script(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/setup",
        python.display()
    );
    let output = Command::new(python)
        .arg(root.join("scripts").join(name))
        .arg(env!("CARGO_BIN_EXE_quaver"))
        .output()
        .unwrap();
    let (report, errors) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{report}");
    assert!(output.status.success(), "{report}{errors}");
    report
}

#[test]
fn convert_vs_onnx_node_tests() {
    let report = script("onnx-nodes.py");
    // As many as that version has: none is left out.
    assert!(
        report.contains("onnx 1.22.0: 96 node tests pass, 0 fail"),
        "{report}"
    );
}

#[test]
fn exported_models_vs_onnxruntime() {
    let report = script("onnx-export.py");
    let counts = "134 exports, 4 of them not loaded by onnxruntime, 11 refused; 0 fail";
    assert!(report.contains(counts), "{report}");
}

#[test]
fn fnuz_models_vs_ocp_models() {
    let report = script("onnx-fnuz.py");
    let counts = "22 conversions, 4 models left alone; 0 fail";
    assert!(report.contains(counts), "{report}");
}
