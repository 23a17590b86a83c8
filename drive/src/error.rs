//! What can go wrong between a job and the driven core.

use quaver_contract::{ContractError, EngineError};

/// Why a job could not be run on a core.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A port that the design does not have.
    #[error("{design} has no port '{name}' (it has: {known})")]
    UnknownPort {
        /// The top module.
        design: String,
        /// The name as given.
        name: String,
        /// The ports that it has.
        known: String,
    },
    /// A port whose width is not what the configuration asks for.
    #[error("port {name} is {width} bits wide, not {expected}")]
    PortWidth {
        /// The port.
        name: String,
        /// Its width in the design.
        width: u32,
        /// The width that follows from the configuration.
        expected: u32,
    },
    /// The configuration lacks what the job needs.
    #[error("{feature} = {value} is not in configuration {config} (it has: {allowed})")]
    Unsupported {
        /// The job's field.
        feature: &'static str,
        /// Its value.
        value: String,
        /// The configuration.
        config: String,
        /// What the configuration has.
        allowed: String,
    },
    /// An option that makes no sense.
    #[error("{option} = {value} is not allowed ({allowed})")]
    Option {
        /// The option.
        option: String,
        /// Its value as given.
        value: String,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// The core stopped making progress.
    #[error("no progress for {idle} clocks, at cycle {cycle}: {state}")]
    Hang {
        /// Clocks since the simulation began.
        cycle: u64,
        /// Clocks without a transfer on any stream.
        idle: u64,
        /// Status, counters and streams.
        state: String,
    },
    /// The core says that it cannot run the job.
    #[error("the core refused the job at cycle {cycle} (STATUS.bad_job): {state}")]
    BadJob {
        /// Clocks since the simulation began.
        cycle: u64,
        /// Status and the registers that describe the job.
        state: String,
    },
    /// A register access that should have worked was answered with an error.
    #[error("{access} of register {register} was answered {response} at cycle {cycle}")]
    Bus {
        /// `read` or `write`.
        access: &'static str,
        /// The register, by name or by offset.
        register: String,
        /// The response.
        response: String,
        /// Clocks since the simulation began.
        cycle: u64,
    },
    /// The register bus did not answer.
    #[error("{access} of offset {offset:#05x} got no answer for {clocks} clocks, at cycle {cycle}")]
    BusTimeout {
        /// `read` or `write`.
        access: &'static str,
        /// Byte offset.
        offset: u32,
        /// Clocks waited.
        clocks: u64,
        /// Clocks since the simulation began.
        cycle: u64,
    },
    /// The core broke the rules of a stream.
    #[error("{stream}, cycle {cycle}: {what}")]
    Protocol {
        /// The stream or bus.
        stream: &'static str,
        /// Clocks since the simulation began.
        cycle: u64,
        /// The rule, and what was seen.
        what: String,
    },
    /// The device failed for a reason of its own.
    #[error(transparent)]
    Device(Box<dyn std::error::Error + Send + Sync>),
    /// The job contradicts the contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

impl From<DriveError> for EngineError {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Contract(error) => Self::Job(error),
            other => Self::Engine(Box::new(other)),
        }
    }
}
