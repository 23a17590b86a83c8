//! What the golden model refuses.

use quaver_contract::ContractError;

/// Why a conversion or a job cannot be done; each names key, value and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// A format, policy, shape or code that breaks the contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// Stochastic rounding without random bits (numerics.md, 5.4: they are an explicit input).
    #[error("rounding = sr is not allowed (this conversion carries no random bits)")]
    NoRandomBits,
}
