//! What can go wrong between a job and the simulated core.

use std::path::PathBuf;

use quaver_contract::{ContractError, EngineError};
use quaver_hdl::HdlError;

/// Why a design could not be built, or a job could not be run on it.
#[derive(Debug, thiserror::Error)]
pub enum CosimError {
    /// A program that the simulator needs is not on the PATH.
    #[error(
        "'{tool}' was not found, and {simulator} simulation needs it: run scripts/setup, which installs it"
    )]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// The simulator.
        simulator: &'static str,
    },
    /// A program ran and refused its input.
    #[error("{tool} failed:\n{output}")]
    ToolFailed {
        /// The program.
        tool: &'static str,
        /// The first lines of what it said.
        output: String,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// There is no place for built simulations.
    #[error("no cache folder: set QUAVER_CACHE, XDG_CACHE_HOME or HOME, or name one")]
    NoCache,
    /// A built simulation cannot be loaded.
    #[error("cannot load {}: {message}", path.display())]
    Library {
        /// The shared library.
        path: PathBuf,
        /// The loader's words.
        message: String,
    },
    /// The simulator's process ended, or said something that it should not.
    #[error("the {simulator} simulation stopped at cycle {cycle}: {message}")]
    Stopped {
        /// The simulator.
        simulator: &'static str,
        /// Clocks since the simulation began.
        cycle: u64,
        /// Its last lines.
        message: String,
    },
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
    /// A clock was asked for, and the design has no input `clk_i`.
    #[error("{design} has no input clk_i, so it cannot be clocked")]
    NoClock {
        /// The top module.
        design: String,
    },
    /// A batch's words do not fit its ports and count.
    #[error("a batch of {count} rows needs {expected} {what} words and has {found}")]
    BatchShape {
        /// `input` or `output`.
        what: &'static str,
        /// Rows.
        count: usize,
        /// Words that the ports of that many rows hold.
        expected: usize,
        /// Words given.
        found: usize,
    },
    /// Waveforms were asked for, and cannot be had.
    #[error("cannot write the waveform {}: {reason}", path.display())]
    Trace {
        /// The VCD file.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
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
    /// The design could not be generated.
    #[error(transparent)]
    Hdl(#[from] HdlError),
    /// The job contradicts the contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

impl CosimError {
    /// An [`CosimError::Io`] for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

impl From<CosimError> for EngineError {
    fn from(error: CosimError) -> Self {
        match error {
            CosimError::Contract(error) => Self::Job(error),
            other => Self::Engine(Box::new(other)),
        }
    }
}
