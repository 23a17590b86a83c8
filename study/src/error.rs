//! What can go wrong in a study.

/// Why a study could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// A name or value outside the contract.
    #[error(transparent)]
    Contract(#[from] quaver_contract::ContractError),
    /// An engine's failure.
    #[error(transparent)]
    Engine(#[from] quaver_contract::EngineError),
    /// The engine's threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// A distribution that does not exist.
    #[error("unknown distribution '{name}' (known: {known})")]
    Distribution {
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// The measurements of area.
    #[error("area.json: {0}")]
    Area(String),
    /// A table of energies.
    #[error("{file}: {reason}")]
    Energy {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The drawing library's failure.
    #[error("cannot draw: {0}")]
    Plot(String),
}
