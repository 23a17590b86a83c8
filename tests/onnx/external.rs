//! Tensors in files beside the model.

use std::path::Path;
use std::process::Command;

use ndarray::{ArrayD, IxDyn};
use quaver_quant::onnx::{self, Bytes, Initializer, Model, Storage};
use quaver_quant::{Error, Tensor};
use quaver_tests::python;

use crate::run;

/// Writes a model with the tensor `w`, FLOAT \[2, 4\] of 0 to 7, beside it.
const WRITE: &str = "
import sys, numpy as np, onnx
from onnx import helper, numpy_helper
x = helper.make_tensor_value_info('x', 1, [4, 2])
y = helper.make_tensor_value_info('y', 1, [4, 4])
w = numpy_helper.from_array(np.arange(8, dtype=np.float32).reshape(2, 4), 'w')
graph = helper.make_graph([helper.make_node('MatMul', ['x', 'w'], ['y'])], 'g', [x], [y], [w])
model = helper.make_model(graph)
onnx.save(model, sys.argv[1], save_as_external_data=True, location='w.bin', size_threshold=0)
";

/// Replaces what the model says about its external tensor: keys and values in turn.
const RENAME: &str = "
import sys, onnx
model = onnx.load(sys.argv[1], load_external_data=False)
tensor = model.graph.initializer[0]
del tensor.external_data[:]
for key, value in zip(sys.argv[2::2], sys.argv[3::2]):
    tensor.external_data.add(key=key, value=value)
onnx.save(model, sys.argv[1])
";

/// Checks a model and prints the sum of its tensors' elements.
const SUM: &str = "
import sys, onnx
from onnx import numpy_helper
onnx.checker.check_model(sys.argv[1])
model = onnx.load(sys.argv[1])
print(sum(float(numpy_helper.to_array(x).sum()) for x in model.graph.initializer))
";

fn python_with(code: &str, arguments: &[&str], path: &Path) -> String {
    let mut command = Command::new(python());
    run(command.args(["-c", code]).arg(path).args(arguments))
}

fn weight(model: &Model) -> &Initializer {
    &model.graph.initializers[0]
}

#[test]
fn external_tensors_vs_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    python_with(WRITE, &[], &path);
    let model = onnx::read(&path).unwrap();
    assert!(matches!(weight(&model).bytes, Bytes::Mapped(..)));
    let values = (0..8u8).map(f32::from).collect();
    let values = ArrayD::from_shape_vec(IxDyn(&[2, 4]), values).unwrap();
    assert_eq!(weight(&model).tensor().unwrap(), Tensor::Float(values));

    // From the folder, and from memory.
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(onnx::parse(&bytes, Some(folder.path())).unwrap(), model);
    let error = onnx::parse(&bytes, None).unwrap_err().to_string();
    assert!(
        error.contains("graph.initializer[0].external_data"),
        "{error}"
    );

    // A model is written over itself while its tensors are mapped.
    onnx::write(&model, &path, Storage::Auto).unwrap();
    std::fs::remove_file(folder.path().join("w.bin")).unwrap();
    assert_eq!(onnx::read(&path).unwrap(), model);
}

#[test]
fn written_external_tensors_vs_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    python_with(WRITE, &[], &path);
    let mut model = onnx::read(&path).unwrap();
    let tensors = [("a", 1000), ("b", 255), ("c", 256), ("d", 5000)];
    for (name, length) in tensors {
        let ones = Tensor::Float(ArrayD::ones(IxDyn(&[length])));
        model
            .graph
            .initializers
            .push(Initializer::new(name, &ones).unwrap());
    }
    let inside = folder.path().join("inside.onnx");
    let outside = folder.path().join("outside.onnx");
    onnx::write(&model, &inside, Storage::Auto).unwrap();
    onnx::write(&model, &outside, Storage::External).unwrap();
    // Over itself, too.
    let again = onnx::read(&outside).unwrap();
    onnx::write(&again, &outside, Storage::External).unwrap();
    let mapped =
        |x: &&Initializer| matches!(&x.bytes, Bytes::Mapped(_, range) if range.start % 4096 == 0);
    let again = onnx::read(&outside).unwrap();
    assert_eq!(again.graph.initializers.iter().filter(mapped).count(), 3);
    assert_eq!(
        std::fs::metadata(folder.path().join("outside.onnx.data"))
            .unwrap()
            .len(),
        28_192
    );
    for path in [&inside, &outside] {
        assert_eq!(onnx::read(path).unwrap(), model);
        let sum: f64 = python_with(SUM, &[], path).trim().parse().unwrap();
        let ones: usize = tensors.iter().map(|(_, length)| length).sum();
        assert_eq!(sum, 28.0 + ones as f64);
    }
}

/// Every way for a file of tensors to be wrong: what the model says, and what the error says.
const WRONG: &[(&[&str], &str)] = &[
    (&[], "has no location"),
    (&["location", ""], "is a directory"),
    (&["location", "/dev/zero"], "is not a relative path"),
    (&["location", "../w.bin"], "is not a relative path"),
    (&["location", "inner/../../w.bin"], "is not a relative path"),
    (&["location", "link.bin"], "leads out of the model's folder"),
    (
        &["location", "linked/secret.bin"],
        "leads out of the model's folder",
    ),
    (&["location", "absent.bin"], "cannot read \"absent.bin\""),
    (&["location", "a\0b"], "cannot read"),
    (&["location", "."], "is a directory"),
    (&["location", "pipe"], "not a regular file"),
    (
        &["location", "short.bin"],
        "32 bytes from offset 0 of \"short.bin\", which has 31",
    ),
    (
        &["location", "empty.bin"],
        "32 bytes from offset 0 of \"empty.bin\", which has 0",
    ),
    (
        &["location", "w.bin", "offset", "1"],
        "32 bytes from offset 1",
    ),
    (
        &["location", "w.bin", "offset", "18446744073709551615"],
        "from offset 18446744073709551615",
    ),
    (
        &["location", "w.bin", "offset", "-1"],
        "offset \"-1\" is not a number of bytes",
    ),
    (
        &["location", "w.bin", "offset", "0x0"],
        "offset \"0x0\" is not a number of bytes",
    ),
    (
        &["location", "w.bin", "length", "31"],
        "31 bytes where FLOAT [2, 4] has 32",
    ),
    (
        &["location", "w.bin", "length", "99999999999999999999"],
        "is not a number of bytes",
    ),
];

#[cfg(unix)]
#[test]
fn wrong_external_tensors_are_refused() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("model.onnx");
    python_with(WRITE, &[], &path);
    onnx::read(&path).unwrap();
    std::fs::write(folder.join("short.bin"), [0; 31]).unwrap();
    std::fs::write(folder.join("empty.bin"), []).unwrap();
    std::fs::write(outer.path().join("secret.bin"), [0; 32]).unwrap();
    std::os::unix::fs::symlink("../secret.bin", folder.join("link.bin")).unwrap();
    std::os::unix::fs::symlink("..", folder.join("linked")).unwrap();
    run(Command::new("mkfifo").arg(folder.join("pipe")));
    for (entries, expected) in WRONG {
        // A command line has no NUL.
        let entries: Vec<String> = entries.iter().map(|x| x.replace('\0', "\\0")).collect();
        let code = RENAME.replace("value=value", "value=value.replace('\\\\0', '\\0')");
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        python_with(&code, &entries, &path);
        let error = onnx::read(&path).unwrap_err();
        assert!(matches!(error, Error::Onnx { .. }), "{entries:?}: {error}");
        let text = error.to_string();
        assert!(text.contains("graph.initializer[0]"), "{entries:?}: {text}");
        assert!(text.contains(expected), "{entries:?}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn models_that_are_no_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    run(Command::new("mkfifo").arg(&pipe));
    let rows: [(&Path, &str); 4] = [
        (&pipe, "not a regular file"),
        (Path::new("/dev/zero"), "not a regular file"),
        (folder.path(), "is a directory"),
        (&folder.path().join("absent.onnx"), "No such file"),
    ];
    for (path, expected) in rows {
        let error = onnx::read(path).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let empty = folder.path().join("empty.onnx");
    std::fs::write(&empty, []).unwrap();
    assert_eq!(
        onnx::read(&empty).unwrap_err().to_string(),
        "byte 0: model: has no graph"
    );
}
