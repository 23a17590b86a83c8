//! The `cycle` engine: jobs on the model.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use quaver_contract::{CoreConfig, Engine, EngineError, Job, JobResult};
use quaver_drive::{Driver, StallPattern};

use crate::SimError;
use crate::device::ModelDevice;

/// The model of a core, driven like the core in a simulator: the same clocks and the same counters
/// for the same job, stalls and seed. What it can do beside running jobs is in [`Driver`].
pub struct CycleEngine {
    driver: Driver<ModelDevice>,
}

impl CycleEngine {
    /// The core of a configuration, reset. `seed` decides the bits that the core must ignore.
    ///
    /// # Errors
    /// [`SimError::Accumulator`] for a configuration that has no Verilog either;
    /// [`SimError::Drive`] for a pattern that stalls forever.
    pub fn new(config: &CoreConfig, stalls: StallPattern, seed: u64) -> Result<Self, SimError> {
        Self::drive(ModelDevice::new(config)?, config, stalls, seed)
    }

    /// As [`CycleEngine::new`], with a waveform of everything from the first reset on.
    ///
    /// # Errors
    /// As [`CycleEngine::new`], and [`SimError::Io`].
    pub fn traced(
        config: &CoreConfig,
        stalls: StallPattern,
        seed: u64,
        vcd: &Path,
    ) -> Result<Self, SimError> {
        let mut device = ModelDevice::new(config)?;
        device.start_trace(vcd, 0)?;
        Self::drive(device, config, stalls, seed)
    }

    fn drive(
        device: ModelDevice,
        config: &CoreConfig,
        stalls: StallPattern,
        seed: u64,
    ) -> Result<Self, SimError> {
        Ok(Self {
            driver: Driver::new(device, config, stalls, seed)?,
        })
    }

    /// Completes the waveform; later clocks are not in it.
    ///
    /// # Errors
    /// [`SimError::Io`].
    pub fn stop_trace(&mut self) -> Result<(), SimError> {
        self.driver.device_mut().stop_trace()
    }
}

impl Deref for CycleEngine {
    type Target = Driver<ModelDevice>;

    fn deref(&self) -> &Self::Target {
        &self.driver
    }
}

impl DerefMut for CycleEngine {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.driver
    }
}

impl Engine for CycleEngine {
    fn name(&self) -> &'static str {
        "cycle"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        Ok(self.driver.run(job)?)
    }
}
