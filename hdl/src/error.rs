//! What can go wrong while a design is assembled or written.

use std::path::PathBuf;

/// Why there is no design, or why it is not on the disk.
#[derive(Debug, thiserror::Error)]
pub enum HdlError {
    /// A declaration of the contract that does not hold.
    #[error(transparent)]
    Contract(#[from] quaver_contract::ContractError),
    /// A unit that is neither in `hdl/rtl/` nor generated.
    #[error("unknown unit '{name}' (known: {known})")]
    UnknownUnit {
        /// The name as given.
        name: String,
        /// The names that would have been found.
        known: String,
    },
    /// A unit's module header is not in the shape that the reader knows.
    #[error("{unit}, line {line}: found {found}, expected {expected}")]
    Header {
        /// The unit.
        unit: String,
        /// Line in its file, from 1.
        line: usize,
        /// The token that was found.
        found: String,
        /// What the grammar allows there.
        expected: String,
    },
    /// A parameter that the unit does not declare, is not given, or has no usable value.
    #[error("{unit}: parameter {name} = {value} is not allowed ({allowed})")]
    Parameter {
        /// The unit.
        unit: String,
        /// The parameter.
        name: String,
        /// Its value as given.
        value: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A configuration that has no core.
    #[error("{config}.{key} = {value} has no core ({allowed})")]
    Configuration {
        /// The configuration.
        config: String,
        /// Its key.
        key: &'static str,
        /// The value.
        value: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A constant field of the CSR map that the generator gives no value.
    #[error("{register}.{field} of the CSR map is constant, but nothing gives its value")]
    Constant {
        /// The register.
        register: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A port's width does not come out as a number of bits.
    #[error("{unit}: port {port} has range [{range}] ({allowed})")]
    Width {
        /// The unit.
        unit: String,
        /// The port.
        port: String,
        /// The range as declared.
        range: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A file of a design could not be written.
    #[error("cannot {action} {}: {source}", path.display())]
    Write {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}
