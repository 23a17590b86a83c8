//! Every model of onnx's backend tests, read, written and read again.

use std::path::Path;

use quaver_quant::onnx::{self, Storage};

use crate::{backend_tests, run, script};

/// Folders of models in onnx 1.22.0, and how many each one has: none is left out.
const FOLDERS: [(&str, usize); 4] = [
    ("node", 1765),
    ("simple", 23),
    ("pytorch-converted", 82),
    ("pytorch-operator", 35),
];

#[test]
fn models_of_backend_tests_vs_onnx() {
    for (folder, count) in FOLDERS {
        check(&backend_tests().join(folder), count);
    }
}

fn check(originals: &Path, count: usize) {
    let written = tempfile::tempdir().unwrap();
    let (mut models, mut decoded) = (0, 0);
    for entry in originals.read_dir().unwrap() {
        let folder = entry.unwrap().path();
        let original = folder.join("model.onnx");
        if !original.exists() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let model = onnx::read(&original).unwrap_or_else(|error| panic!("{name}: {error}"));
        let path = written.path().join(format!("{name}.onnx"));
        onnx::write(&model, &path, Storage::Auto).unwrap();
        let again = onnx::read(&path).unwrap_or_else(|error| panic!("{name} again: {error}"));
        assert_eq!(model, again, "{name}");
        let from_memory = onnx::parse(&std::fs::read(&original).unwrap(), Some(&folder));
        assert_eq!(model, from_memory.unwrap(), "{name}");
        for tensor in model.graph.tensors() {
            let found = tensor
                .tensor()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.shape(), tensor.shape, "{name}");
            decoded += 1;
        }
        models += 1;
    }
    println!(
        "{}: {models} models, {decoded} tensors",
        originals.display()
    );
    assert_eq!(models, count, "{}", originals.display());
    if count > 0 {
        let report = run(script("onnx-models.py").arg(originals).arg(written.path()));
        assert!(
            report.contains(&format!(": {count} models are equal, 0 are not")),
            "{report}"
        );
    }
}
