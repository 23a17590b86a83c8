//! The engines that a job can run on: one row an engine.

use std::path::PathBuf;

use quaver_contract::{CoreConfig, Engine};
use quaver_cosim::{RtlEngine, RtlOptions, Simulator, StallPattern};
use quaver_sim::CycleEngine;

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
pub(crate) const STALL_PROBABILITY: f64 = 0.3;

/// Seed of the bits that a core must ignore, on every engine that has them.
const IGNORED_BITS: u64 = 0;

impl EngineOptions<'_> {
    fn stall_pattern(&self) -> StallPattern {
        match self.stalls {
            Some(seed) => StallPattern::random(seed, STALL_PROBABILITY),
            None => StallPattern::None,
        }
    }
}

/// One engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineRow {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Whether it simulates a core: it then has a clock, and streams that can stall.
    pub(crate) clocked: bool,
    /// Whether it writes waveforms.
    pub(crate) waveforms: bool,
    /// Makes one.
    pub(crate) make: fn(&EngineOptions<'_>) -> Result<Box<dyn Engine>, CliError>,
}

/// Every engine.
pub(crate) const ENGINES: &[EngineRow] = &[
    EngineRow {
        name: "golden",
        clocked: false,
        waveforms: false,
        make: |_| Ok(Box::new(quaver_golden::Golden)),
    },
    EngineRow {
        name: "fast",
        clocked: false,
        waveforms: false,
        make: |options| {
            let fast = quaver_fast::Fast::new(options.threads).map_err(CliError::other)?;
            Ok(Box::new(fast))
        },
    },
    EngineRow {
        name: "cycle",
        clocked: true,
        waveforms: false,
        make: |options| {
            let engine = CycleEngine::new(&options.config, options.stall_pattern(), IGNORED_BITS)
                .map_err(CliError::other)?;
            Ok(Box::new(engine))
        },
    },
    EngineRow {
        name: "rtl",
        clocked: true,
        waveforms: true,
        make: |options| {
            let rtl = RtlOptions {
                stalls: options.stall_pattern(),
                seed: IGNORED_BITS,
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
