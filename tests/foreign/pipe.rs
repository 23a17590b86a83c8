//! A foreign package behind a script that answers requests.

use std::io::{BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use quaver_contract::Format;
use quaver_tests::{python, root};

fn script(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(root().join("scripts/vectors").join(name));
    command
}

/// The names that a script prints without arguments.
pub(crate) fn names(name: &str) -> Vec<String> {
    let output = script(name).output().expect("the script runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {error}");
    let text = String::from_utf8(output.stdout).expect("names are ASCII");
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(!names.is_empty(), "{name} knows nothing");
    names
}

/// A running script.
pub(crate) struct Pipe {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Pipe {
    pub(crate) fn open(name: &str) -> Self {
        let mut child = script(name)
            .arg("requests")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let output = child.stdout.take().expect("standard output is a pipe");
        Self {
            child,
            output: BufReader::new(output),
        }
    }

    /// Sends a request's line and its bytes; the script reads all of it before it answers.
    pub(crate) fn send(&mut self, line: &str, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("standard input is a pipe");
        let sent = writeln!(stdin, "{line}").and_then(|()| stdin.write_all(bytes));
        sent.and_then(|()| stdin.flush()).expect("the script reads");
    }

    /// The bytes of an answer.
    pub(crate) fn receive(&mut self, bytes: &mut [u8]) {
        self.output.read_exact(bytes).expect("the script answers");
    }

    /// The codes of an answer.
    pub(crate) fn codes(&mut self, count: usize, width: usize) -> Vec<u32> {
        let mut bytes = vec![0; count * width];
        self.receive(&mut bytes);
        let code = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |code, &b| code << 8 | u32::from(b))
        };
        bytes.chunks_exact(width).map(code).collect()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // It may be writing an answer that nobody reads, when the test is unwinding; and it may
        // have ended, which then has failed the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Codes as bytes in a format's width.
pub(crate) fn bytes(codes: &[u32], format: &Format) -> Vec<u8> {
    let width = format.storage_bytes();
    codes
        .iter()
        .flat_map(|code| code.to_le_bytes().into_iter().take(width))
        .collect()
}
