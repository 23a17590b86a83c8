//! What the command line reports: one line, naming the file or key, what it has and what it may.

use std::path::{Path, PathBuf};

use quaver_contract::{ContractError, EngineError};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A name, key or value that the contract refuses.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A job that an engine could not run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An option whose value cannot be used.
    #[error("{option} {value} is not allowed ({allowed})")]
    Option {
        /// The option with its dashes.
        option: &'static str,
        /// Its value as given.
        value: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A file that cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file or folder that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file that is no array, or not a whole one.
    #[error("{}: {message}", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file that is no model.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: quaver_quant::Error,
    },
    /// An array of another kind, rank or shape than the option takes.
    #[error("{}: {what} {found} is not allowed ({allowed})", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// `dtype`, `shape` or `code`.
        what: &'static str,
        /// What the file has.
        found: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A suite that could not run to its end.
    #[error("suite {suite} stopped: {message}")]
    Suite {
        /// Its name.
        suite: &'static str,
        /// Why.
        message: String,
    },
    /// Standard output that takes no more, for another reason than a closed pipe.
    #[error("cannot write standard output: {source}")]
    Stdout {
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A failure of another crate that names its own subject.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl CliError {
    /// An [`CliError::Option`].
    pub(crate) fn option(
        option: &'static str,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Option {
            option,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// A [`CliError::Read`] of that file, for `map_err`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// A [`CliError::Write`] of that file, for `map_err`.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// The error of reading a model's file, for `map_err`.
    pub(crate) fn model(path: &Path) -> impl FnOnce(quaver_quant::Error) -> Self {
        let path = path.to_owned();
        move |error| match error {
            quaver_quant::Error::File { path, source } => Self::Read { path, source },
            source => Self::Model { path, source },
        }
    }

    /// An [`CliError::Array`].
    pub(crate) fn array(
        path: &Path,
        what: &'static str,
        found: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Array {
            path: path.to_owned(),
            what,
            found: found.to_string(),
            allowed: allowed.into(),
        }
    }

    /// An [`CliError::Other`].
    pub(crate) fn other(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Other(Box::new(error))
    }
}

/// The one line for standard error: line breaks inside a message become `; `.
pub(crate) fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    // A line that ends in a colon introduces the next.
    format!("quaver: error: {}", lines.join("; ").replace(":; ", ": "))
}

/// A usage error in one line: clap's message and tip, and where the help is.
pub(crate) fn usage_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut parts = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("Usage: ") {
            Some(usage) => {
                let command: Vec<&str> = usage
                    .split(' ')
                    .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
                    .collect();
                parts.push(format!("see '{} --help'", command.join(" ")));
                break;
            }
            None if line.starts_with("For more information") => break,
            None => parts.push(line.strip_prefix("error: ").unwrap_or(line).to_owned()),
        }
    }
    one_line(&parts.join("\n"))
}
