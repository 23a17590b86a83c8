//! ONNX models and archives of arrays: what readers and writers make of real ones, beside PyPI onnx
//! and numpy.

mod arrays;
mod external;
mod nodes;
mod operators;
mod tensors;
mod versions;

use std::path::PathBuf;
use std::process::Command;

use quaver_tests::{python, root};

/// The folder of onnx's backend tests.
fn backend_tests() -> PathBuf {
    let code =
        "import onnx, pathlib; print(pathlib.Path(onnx.__file__).parent / 'backend/test/data')";
    PathBuf::from(run(Command::new(python()).args(["-c", code])).trim())
}

/// A script of the project, in the virtual environment.
fn script(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(root().join("scripts").join(name));
    command
}

/// What a command prints; it has to succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("Python runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}
