//! ONNX's backend node tests, through the command.

use std::path::Path;
use std::process::Command;

#[test]
fn convert_vs_onnx_node_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/setup",
        python.display()
    );
    let output = Command::new(python)
        .arg(root.join("scripts/onnx-nodes.py"))
        .arg(env!("CARGO_BIN_EXE_quaver"))
        .output()
        .unwrap();
    let (report, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{report}");
    assert!(output.status.success(), "{report}{errors}");
    // As many as that version has: none is left out.
    assert!(
        report.contains("onnx 1.22.0: 96 node tests pass, 0 fail"),
        "{report}"
    );
}
