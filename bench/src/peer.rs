//! A peer library in a Python process of its own, asked for one timed run at a time.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::{BenchError, WARM_UP};

/// Idle threads of OpenBLAS hold their processors for 0.1 s before they sleep; what runs next would
/// have to share with them.
const UNTIL_THREADS_SLEEP: Duration = Duration::from_millis(150);

const SCRIPT: &str = include_str!("peer.py");

/// A running peer; it ends when dropped.
pub(crate) struct Peer {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    threads: usize,
    /// numpy with its BLAS.
    pub(crate) numpy: String,
    /// ml_dtypes.
    pub(crate) ml_dtypes: String,
    /// onnxruntime.
    pub(crate) onnxruntime: String,
}

impl Peer {
    /// Starts a peer whose BLAS has that many threads.
    pub(crate) fn start(python: &Path, threads: usize) -> Result<Self, BenchError> {
        let failed = |reason: String| BenchError::Peer {
            python: python.to_owned(),
            reason,
        };
        let count = threads.to_string();
        let mut process = Command::new(python)
            .args(["-c", SCRIPT, &WARM_UP.as_secs_f64().to_string()])
            .env("OPENBLAS_NUM_THREADS", &count)
            .env("OMP_NUM_THREADS", &count)
            .env("MKL_NUM_THREADS", &count)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let questions = process.stdin.take();
        let Some(answers) = process.stdout.take() else {
            return Err(failed("no output".to_owned()));
        };
        let mut peer = Self {
            process,
            questions,
            answers: BufReader::new(answers),
            threads,
            numpy: String::new(),
            ml_dtypes: String::new(),
            onnxruntime: String::new(),
        };
        let names = peer.answer(python)?;
        let [numpy, ml_dtypes, onnxruntime] = names.split('\t').collect::<Vec<_>>()[..] else {
            return Err(failed(format!("unexpected answer '{names}'")));
        };
        peer.numpy = numpy.to_owned();
        peer.ml_dtypes = ml_dtypes.to_owned();
        peer.onnxruntime = onnxruntime.to_owned();
        Ok(peer)
    }

    fn answer(&mut self, python: &Path) -> Result<String, BenchError> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        let line = line.trim();
        match (read, line.strip_prefix("error: ")) {
            (Ok(1..), None) => Ok(line.to_owned()),
            (Ok(1..), Some(reason)) => Err(BenchError::Peer {
                python: python.to_owned(),
                reason: reason.to_owned(),
            }),
            _ => Err(BenchError::Peer {
                python: python.to_owned(),
                reason: "it ended early".to_owned(),
            }),
        }
    }

    /// Seconds of one run of an operation, after others of it.
    pub(crate) fn seconds(&mut self, python: &Path, operation: &str) -> Result<f64, BenchError> {
        let asked = match &mut self.questions {
            Some(questions) => writeln!(questions, "{operation}").and_then(|()| questions.flush()),
            None => Ok(()),
        };
        asked.map_err(|error| BenchError::Peer {
            python: python.to_owned(),
            reason: error.to_string(),
        })?;
        let answer = self.answer(python)?;
        if self.threads > 1 {
            thread::sleep(UNTIL_THREADS_SLEEP);
        }
        answer.parse().map_err(|_| BenchError::Peer {
            python: python.to_owned(),
            reason: format!("unexpected answer '{answer}'"),
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        self.questions = None;
        let _ = self.process.wait();
    }
}
