//! What can go wrong between a job and the simulated core.

use std::path::PathBuf;

use quaver_contract::EngineError;
use quaver_drive::DriveError;
use quaver_hdl::HdlError;

/// Why a design could not be built, or a job could not be run on it.
#[derive(Debug, thiserror::Error)]
pub enum CosimError {
    /// A program that the simulator needs is not on the PATH.
    #[error(
        "'{tool}' was not found, and {simulator} simulation needs it: run scripts/setup, which installs it"
    )]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// The simulator.
        simulator: &'static str,
    },
    /// A program ran and refused its input.
    #[error("{tool} failed:\n{output}")]
    ToolFailed {
        /// The program.
        tool: &'static str,
        /// The first lines of what it said.
        output: String,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// There is no place for built simulations.
    #[error("no cache folder: set QUAVER_CACHE, XDG_CACHE_HOME or HOME, or name one")]
    NoCache,
    /// A built simulation cannot be loaded.
    #[error("cannot load {}: {message}", path.display())]
    Library {
        /// The shared library.
        path: PathBuf,
        /// The loader's words.
        message: String,
    },
    /// The simulator's process ended, or said something that it should not.
    #[error("the {simulator} simulation stopped at cycle {cycle}: {message}")]
    Stopped {
        /// The simulator.
        simulator: &'static str,
        /// Clocks since the simulation began.
        cycle: u64,
        /// Its last lines.
        message: String,
    },
    /// A clock was asked for, and the design has no input `clk_i`.
    #[error("{design} has no input clk_i, so it cannot be clocked")]
    NoClock {
        /// The top module.
        design: String,
    },
    /// A batch's words do not fit its ports and count.
    #[error("a batch of {count} rows needs {expected} {what} words and has {found}")]
    BatchShape {
        /// `input` or `output`.
        what: &'static str,
        /// Rows.
        count: usize,
        /// Words that the ports of that many rows hold.
        expected: usize,
        /// Words given.
        found: usize,
    },
    /// Waveforms were asked for, and cannot be had.
    #[error("cannot write the waveform {}: {reason}", path.display())]
    Trace {
        /// The VCD file.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// The design could not be generated.
    #[error(transparent)]
    Hdl(#[from] HdlError),
    /// The core could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

impl CosimError {
    /// An [`CosimError::Io`] for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

impl From<CosimError> for EngineError {
    fn from(error: CosimError) -> Self {
        match error {
            CosimError::Drive(error) => error.into(),
            other => Self::Engine(Box::new(other)),
        }
    }
}
