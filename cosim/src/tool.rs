//! Runs the programs that build a simulation.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use crate::CosimError;

/// A program of a simulator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// Its name on the PATH.
    pub(crate) name: &'static str,
    /// The simulator that needs it.
    pub(crate) simulator: &'static str,
}

/// Lines of a failed program that are worth showing.
const SHOWN_LINES: usize = 12;

impl Tool {
    /// Runs the program and returns what it printed on its standard output.
    pub(crate) fn run<S: AsRef<OsStr>>(
        self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String, CosimError> {
        let output = Command::new(self.name)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| self.not_started(e))?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let mut lines: Vec<&str> = stderr.lines().chain(stdout.lines()).collect();
        let hidden = lines.len().saturating_sub(SHOWN_LINES);
        lines.truncate(SHOWN_LINES);
        let mut output = match lines.is_empty() {
            true => format!("(nothing printed; {})", output.status),
            false => lines.join("\n"),
        };
        if hidden > 0 {
            output.push_str(&format!("\n... and {hidden} lines more"));
        }
        Err(CosimError::ToolFailed {
            tool: self.name,
            output,
        })
    }

    /// The first line of what `flag` prints: the version, as part of a cache key.
    pub(crate) fn version(self, flag: &str) -> Result<String, CosimError> {
        let output = self.run([flag])?;
        Ok(output.lines().next().unwrap_or_default().to_owned())
    }

    /// Why the program could not even be started.
    pub(crate) fn not_started(self, error: std::io::Error) -> CosimError {
        match error.kind() {
            ErrorKind::NotFound => CosimError::ToolMissing {
                tool: self.name,
                simulator: self.simulator,
            },
            _ => CosimError::io("start", self.name)(error),
        }
    }
}
