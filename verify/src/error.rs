//! Why a suite cannot run, as opposed to what it finds.

use std::path::PathBuf;

use quaver_contract::{ContractError, EngineError};
use quaver_cosim::{CosimError, DriveError};
use quaver_hdl::HdlError;

/// What stops a suite.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A name that is in no table.
    #[error("unknown {kind} '{name}' (known: {known})")]
    Unknown {
        /// What was looked up.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The names that would have been found.
        known: String,
    },
    /// A parameter that a unit needs and that the core does not have.
    #[error("the core of {config} has no parameter {name}")]
    Parameter {
        /// The configuration.
        config: String,
        /// The parameter.
        name: &'static str,
    },
    /// A unit's port that does not fit one word.
    #[error("port {port} of {unit} has {width} bits (1 to 32)")]
    Width {
        /// The unit.
        unit: &'static str,
        /// The port.
        port: &'static str,
        /// Its width.
        width: u32,
    },
    /// A file of a failure could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The cycle model could not be made.
    #[error(transparent)]
    Sim(#[from] quaver_sim::SimError),
    /// The configuration or a job is illegal.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The Verilog could not be generated.
    #[error(transparent)]
    Hdl(#[from] HdlError),
    /// The simulation could not be built, or failed.
    #[error(transparent)]
    Cosim(#[from] CosimError),
    /// The core could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The reference could not run a job.
    #[error("golden: {0}")]
    Golden(#[from] EngineError),
}

impl VerifyError {
    /// A [`VerifyError::Unknown`] that lists what is known.
    pub(crate) fn unknown<'a>(
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::Unknown {
            kind,
            name: name.to_owned(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        }
    }
}
