//! A folder to run the command in, arrays to give it, and what it answers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndarray::{ArrayD, Dimension, IxDyn, ShapeBuilder as _};
use ndarray_npy::{ReadableElement, WritableElement, read_npy, write_npy};
use serde_json::Value;
use tempfile::TempDir;

/// What a run left.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output, of a run that went well.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Standard output as one JSON value.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// A folder of its own, which the command runs in.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command in this folder, with the cache that all tests share.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quaver"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("QUAVER_CACHE", cache())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a line of arguments separated by spaces.
    pub(crate) fn line(&self, arguments: &str) -> Outcome {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.run(&arguments)
    }

    /// Saves an array of that shape, elements in C order.
    pub(crate) fn save<T: WritableElement>(&self, name: &str, shape: &[usize], elements: Vec<T>) {
        let array = ArrayD::from_shape_vec(IxDyn(shape), elements).unwrap();
        write_npy(self.path(name), &array).unwrap();
    }

    /// Saves the same in Fortran order.
    pub(crate) fn save_fortran<T: WritableElement + Copy>(
        &self,
        name: &str,
        shape: &[usize],
        elements: &[T],
    ) {
        let array = ArrayD::from_shape_vec(IxDyn(shape), elements.to_vec()).unwrap();
        let fortran = ArrayD::from_shape_fn(IxDyn(shape).f(), |index| array[index]);
        write_npy(self.path(name), &fortran).unwrap();
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Shape and elements, in C order.
    pub(crate) fn load<T: ReadableElement + Clone>(&self, name: &str) -> (Vec<usize>, Vec<T>) {
        let array: ArrayD<T> = read_npy(self.path(name)).unwrap();
        (
            array.raw_dim().slice().to_vec(),
            array.iter().cloned().collect(),
        )
    }

    /// All files below the folder, hidden ones too.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                files.insert(path);
            }
        }
        files
    }
}

/// Where the tests' simulations are built, beside what cargo builds.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../quaver-cache")
}

/// An npy file with that header text and no data.
pub(crate) fn npy_header(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len() + 1).unwrap();
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.bytes());
    bytes.push(b'\n');
    bytes
}
