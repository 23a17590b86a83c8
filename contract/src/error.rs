//! What can be wrong with a declaration.

use std::path::PathBuf;

/// An illegal declaration, named by key, value and what would be allowed.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// A name that is in no table.
    #[error("unknown {kind} '{name}' (known: {known})")]
    Unknown {
        /// What was looked up: `format`, `rounding`, `configuration`, ...
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The names that would have been found.
        known: String,
    },
    /// A value outside its range.
    #[error("{key} = {value} is not allowed ({allowed})")]
    Illegal {
        /// The key, with its table where it has one.
        key: String,
        /// The value as given.
        value: String,
        /// The allowed range, in words.
        allowed: String,
    },
    /// Text that is not a declaration at all: bad TOML, a missing key, an unknown key.
    #[error("{path}: {message}")]
    Syntax {
        /// The file, or the name of the built-in text.
        path: String,
        /// The parser's first line.
        message: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl ContractError {
    /// An [`ContractError::Unknown`] that lists what is known.
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

    /// An [`ContractError::Illegal`].
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
