//! Scales: what a tensor is divided by before its numbers become codes.
//!
//! [`Codec`] converts with a scale, in the fast engine's vectorised loops; [`gaudi`] has the scale
//! methods of Intel Neural Compressor; [`blocks`] scales of blocks.

pub mod blocks;
mod codec;
pub mod gaudi;

pub use codec::{Codec, max_value};

/// Why a tensor has no scale.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    /// A name or value that the contract refuses.
    #[error(transparent)]
    Contract(#[from] quaver_contract::ContractError),
    /// A tensor with NaN or infinity, whose largest magnitude means nothing.
    #[error("{what}: element {index} is {value}, and scales need finite numbers")]
    NotFinite {
        /// The tensor.
        what: String,
        /// Its element in C order.
        index: usize,
        /// What stands there.
        value: f32,
    },
    /// A key or option whose value cannot be used.
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

impl ScaleError {
    /// An [`ScaleError::Illegal`].
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

/// Checks that every number of a tensor is finite.
///
/// # Errors
/// [`ScaleError::NotFinite`] with the first that is not.
pub fn check_finite(what: &str, values: &[f32]) -> Result<(), ScaleError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(ScaleError::NotFinite {
            what: what.to_owned(),
            index,
            value: values[index],
        }),
    }
}

/// The largest magnitude; NaN counts for nothing, and no number gives 0.
pub fn amax(values: &[f32]) -> f32 {
    values
        .iter()
        .fold(0.0, |largest: f32, value| largest.max(value.abs()))
}
