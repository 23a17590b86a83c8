//! The engines that a job can run on: one row an engine.

use std::path::PathBuf;

use quaver_contract::{CoreConfig, Engine};
use quaver_cosim::{RtlEngine, RtlOptions, Simulator, StallPattern};

use crate::args::{Global, one_of};
use crate::error::CliError;

/// What an engine is made of; each takes what concerns it.
#[derive(Debug)]
pub(crate) struct EngineOptions<'a> {
    /// The core, for engines that have one.
    pub(crate) config: CoreConfig,
    /// Threads of engines that use several; 0 for one a core.
    pub(crate) threads: usize,
    /// The simulator of the Verilog.
    pub(crate) simulator: Simulator,
    /// Seed of random stalls on every stream; `None` stalls nothing.
    pub(crate) stalls: Option<u64>,
    /// Where a waveform goes.
    pub(crate) vcd: Option<PathBuf>,
    /// Where built simulations are kept.
    pub(crate) global: &'a Global,
}

/// Probability that a stream stalls in a clock, when stalls are asked for.
const STALL_PROBABILITY: f64 = 0.3;

/// One engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineRow {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Whether it simulates a core: it then has a clock, a waveform and stalls.
    pub(crate) clocked: bool,
    /// Makes one.
    pub(crate) make: fn(&EngineOptions<'_>) -> Result<Box<dyn Engine>, CliError>,
}

/// Every engine.
pub(crate) const ENGINES: &[EngineRow] = &[
    EngineRow {
        name: "golden",
        clocked: false,
        make: |_| Ok(Box::new(quaver_golden::Golden)),
    },
    EngineRow {
        name: "fast",
        clocked: false,
        make: |options| {
            let fast = quaver_fast::Fast::new(options.threads).map_err(CliError::other)?;
            Ok(Box::new(fast))
        },
    },
    EngineRow {
        name: "rtl",
        clocked: true,
        make: |options| {
            let rtl = RtlOptions {
                stalls: match options.stalls {
                    Some(seed) => StallPattern::random(seed, STALL_PROBABILITY),
                    None => StallPattern::None,
                },
                vcd: options.vcd.clone(),
                ..RtlOptions::new(options.simulator, options.global.cache()?)
            };
            let engine = RtlEngine::new(&options.config, rtl).map_err(CliError::other)?;
            Ok(Box::new(engine))
        },
    },
];

/// How the Verilog is simulated.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulatorArgs {
    /// Simulator of the Verilog
    #[arg(long, value_name = "NAME", default_value = Simulator::Verilator.name(),
        value_parser = one_of(Simulator::ALL, |simulator| simulator.name()))]
    pub(crate) simulator: Simulator,
}
