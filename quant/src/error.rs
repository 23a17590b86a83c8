//! Why a model could not be read or run.

use std::path::PathBuf;

use quaver_contract::{ContractError, EngineError};

use crate::scale::ScaleError;

/// Everything that can be wrong with a model, a plan or a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name or value that the contract refuses.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A job that its engine could not run.
    #[error("node {node}: {source}")]
    Engine {
        /// The node whose product it was.
        node: String,
        /// The engine's reason.
        source: EngineError,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Bytes that are no ONNX model.
    #[error("byte {offset}: {field}: {message}")]
    Onnx {
        /// Where in the file, counted from 0.
        offset: usize,
        /// The field's path, as `graph.node[3].attribute[0].t`.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// Bytes that are no archive of arrays.
    #[error("{place}: {message}")]
    Npz {
        /// `archive`, or the array as `array x`.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A node that cannot be run.
    #[error("node {node} ({operator}): {message}")]
    Node {
        /// The node's name, or that of its first output where it has none.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong.
        message: String,
    },
    /// A key of a plan, or an input, whose value cannot be used.
    #[error("{key} {value} is not allowed ({allowed})")]
    Illegal {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What would be allowed.
        allowed: String,
    },
}

impl Error {
    /// The error of a scale.
    pub(crate) fn scale(error: ScaleError) -> Self {
        match error {
            ScaleError::Contract(error) => Self::Contract(error),
            ScaleError::Illegal {
                key,
                value,
                allowed,
            } => Self::Illegal {
                key,
                value,
                allowed,
            },
            ScaleError::NotFinite { what, index, value } => {
                Self::illegal(format!("{what}, element {index}"), value, "finite numbers")
            }
        }
    }

    /// An [`Error::Illegal`].
    pub fn illegal(
        key: impl Into<String>,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Illegal {
            key: key.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}
