//! The `rtl` engine: jobs on the generated core in a simulator.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use quaver_contract::{CoreConfig, Engine, EngineError, Job, JobResult};
use quaver_drive::Driver;
use quaver_hdl::Design;

use crate::{Cache, CosimError, Simulation, Simulator, StallPattern};

/// How a core is simulated.
#[derive(Clone, Debug)]
pub struct RtlOptions {
    /// The simulator.
    pub simulator: Simulator,
    /// Where built simulations are kept.
    pub cache: Cache,
    /// When the streams stall.
    pub stalls: StallPattern,
    /// Seed of the bits that the core must ignore: codes beyond K or N, data without valid.
    pub seed: u64,
    /// A waveform of everything from the first reset on.
    pub vcd: Option<PathBuf>,
}

impl RtlOptions {
    /// No stalls, no waveform, seed 0.
    pub const fn new(simulator: Simulator, cache: Cache) -> Self {
        Self {
            simulator,
            cache,
            stalls: StallPattern::None,
            seed: 0,
            vcd: None,
        }
    }
}

/// A generated core in a simulator. It is built once and runs many jobs, one after the other and
/// without a reset between them. What it can do beside running jobs is in [`Driver`].
pub struct RtlEngine {
    driver: Driver<Box<dyn Simulation>>,
}

impl RtlEngine {
    /// Generates and builds the core of a configuration, and resets it.
    ///
    /// # Errors
    /// [`CosimError`] when the core cannot be generated, built or started.
    pub fn new(config: &CoreConfig, options: RtlOptions) -> Result<Self, CosimError> {
        Self::from_design(config, &quaver_hdl::generate(config)?, options)
    }

    /// The same for a design that is already there; its ports must be those of `config`.
    ///
    /// # Errors
    /// [`CosimError`] when the design cannot be built or started, or has other ports.
    pub fn from_design(
        config: &CoreConfig,
        design: &Design,
        options: RtlOptions,
    ) -> Result<Self, CosimError> {
        let trace = options.vcd.is_some();
        let mut simulation = options.simulator.open(design, &options.cache, trace)?;
        if let Some(path) = &options.vcd {
            simulation.start_trace(path)?;
        }
        let driver = Driver::new(simulation, config, options.stalls, options.seed)?;
        Ok(Self { driver })
    }

    /// Completes the waveform; later clocks are not in it.
    ///
    /// # Errors
    /// [`CosimError::Stopped`] when the simulator ended.
    pub fn stop_trace(&mut self) -> Result<(), CosimError> {
        self.driver.device_mut().stop_trace()
    }
}

impl Deref for RtlEngine {
    type Target = Driver<Box<dyn Simulation>>;

    fn deref(&self) -> &Self::Target {
        &self.driver
    }
}

impl DerefMut for RtlEngine {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.driver
    }
}

impl Engine for RtlEngine {
    fn name(&self) -> &'static str {
        "rtl"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        Ok(self.driver.run(job)?)
    }
}
