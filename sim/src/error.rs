//! What the model can refuse.

use std::path::PathBuf;

use quaver_contract::ContractError;
use quaver_drive::DriveError;

/// Why the model could not be built, or a waveform could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The model does not step cores with that accumulator.
    #[error("{config}.accumulator = {value} is not in the model ({allowed})")]
    Accumulator {
        /// The configuration.
        config: String,
        /// Its accumulator.
        value: String,
        /// The accumulators that the model has.
        allowed: &'static str,
    },
    /// A buffer does not hold two units of its operand.
    #[error("buffer of {operand}: {bytes} bytes (at least {least}: two units of the job)")]
    Buffer {
        /// `a` or `b`.
        operand: char,
        /// Its size.
        bytes: u64,
        /// The least that would do.
        least: u64,
    },
    /// A waveform cannot be read or written.
    #[error("waveform {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A waveform is not one of a core's top.
    #[error("waveform {}: {reason}", path.display())]
    Waveform {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The model could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The configuration or the job contradicts the contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

impl SimError {
    /// A [`SimError::Io`] for `map_err`.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
