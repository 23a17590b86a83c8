//! The `rtl` engine: jobs on the generated core in a simulator.

use std::path::PathBuf;

use quaver_contract::{CoreConfig, Engine, EngineError, Format, Job, JobResult, Rounding, Scale};
use quaver_hdl::Design;

use crate::beats::Tiling;
use crate::bus::{Access, Response};
use crate::core::Core;
use crate::registers::pack;
use crate::{Cache, CosimError, Run, Simulator, StallPattern};

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
/// without a reset between them.
pub struct RtlEngine {
    pub(crate) core: Core,
    pub(crate) config: CoreConfig,
    pub(crate) stalls: StallPattern,
    pub(crate) seed: u64,
    /// The last job was left before its end.
    pub(crate) unfinished: bool,
    /// The last job's shape, and the clocks in which its result beats came.
    pub(crate) last: Option<(Tiling, Vec<u64>)>,
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
        options.stalls.validate()?;
        let trace = options.vcd.is_some();
        let simulation = options.simulator.open(design, &options.cache, trace)?;
        let mut core = Core::new(simulation, config, options.vcd.as_deref())?;
        core.bus.set_delays(options.stalls.bus_delays());
        Ok(Self {
            core,
            config: config.clone(),
            stalls: options.stalls,
            seed: options.seed,
            unfinished: false,
            last: None,
        })
    }

    /// The configuration.
    pub const fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// Stalls of the jobs to come.
    ///
    /// # Errors
    /// [`CosimError::Option`] for a pattern that stalls forever.
    pub fn set_stalls(&mut self, stalls: StallPattern) -> Result<(), CosimError> {
        stalls.validate()?;
        self.core.bus.set_delays(stalls.bus_delays());
        self.stalls = stalls;
        Ok(())
    }

    /// Seed of the ignored bits of the jobs to come.
    pub const fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Clocks since the simulation began; cycle `n` is at times `2n` and `2n + 1` of a waveform.
    pub const fn cycle(&self) -> u64 {
        self.core.cycle()
    }

    /// The clock in which an element of the last job's result was taken, also of a job that
    /// failed later. `None` when it was not.
    pub fn result_cycle(&self, row: usize, column: usize) -> Option<u64> {
        let (tiling, cycles) = self.last.as_ref()?;
        let inside = row < tiling.m && column < tiling.n;
        inside.then(|| cycles.get(tiling.d_position(row, column)).copied())?
    }

    /// The clocks in which the last job's result beats were taken, in their order.
    pub fn beat_cycles(&self) -> &[u64] {
        self.last.as_ref().map_or(&[], |(_, cycles)| cycles)
    }

    /// Resets the core.
    ///
    /// # Errors
    /// [`CosimError::Stopped`] when the simulator ended.
    pub fn reset(&mut self) -> Result<(), CosimError> {
        self.core.reset()?;
        self.unfinished = false;
        Ok(())
    }

    /// Completes the waveform; later clocks are not in it.
    ///
    /// # Errors
    /// [`CosimError::Stopped`] when the simulator ended.
    pub fn stop_trace(&mut self) -> Result<(), CosimError> {
        self.core.stop_trace()
    }

    /// Reads any address of the register bus.
    ///
    /// # Errors
    /// [`CosimError::BusTimeout`]; a refusal is not an error but a [`Response`].
    pub fn read(&mut self, offset: u32) -> Result<(Response, u32), CosimError> {
        self.core.access(Access::Read { offset }, None)
    }

    /// Writes any address of the register bus.
    ///
    /// # Errors
    /// [`CosimError::BusTimeout`]; a refusal is not an error but a [`Response`].
    pub fn write(&mut self, offset: u32, value: u32) -> Result<Response, CosimError> {
        let access = Access::Write { offset, value };
        Ok(self.core.access(access, None)?.0)
    }

    /// Writes a job's registers and starts it. A job that was left unfinished before, or that
    /// failed, is ended by a reset first.
    ///
    /// # Errors
    /// [`CosimError::Contract`] and [`CosimError::Unsupported`] for jobs that the core cannot
    /// run, before anything is clocked; else what the core answered.
    pub fn begin<'e, 'j>(&'e mut self, job: &Job<'j>) -> Result<Run<'e, 'j>, CosimError> {
        job.validate()?;
        let registers = job_registers(job, &self.config)?;
        if self.unfinished {
            self.reset()?;
        }
        self.last = None;
        for (name, value) in registers {
            self.core.write(name, value)?;
        }
        Run::start(self, job)
    }
}

impl Engine for RtlEngine {
    fn name(&self) -> &'static str {
        "rtl"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        Ok(self.begin(job)?.finish()?)
    }
}

/// Values of the registers that describe the job, or what the configuration lacks for it.
fn job_registers(
    job: &Job<'_>,
    config: &CoreConfig,
) -> Result<Vec<(&'static str, u32)>, CosimError> {
    let unsupported = |feature, value: &str, allowed: String| CosimError::Unsupported {
        feature,
        value: value.to_owned(),
        config: config.name.clone(),
        allowed,
    };
    if job.accumulator != config.accumulator {
        return Err(unsupported(
            "accumulator",
            job.accumulator.name(),
            config.accumulator_name.to_owned(),
        ));
    }
    let number = |feature, format: &Format, enabled: &[&'static Format]| {
        let id = match enabled.iter().any(|f| f.name == format.name) {
            true => config.format_id(format),
            false => None,
        };
        id.map(u32::from).ok_or_else(|| {
            let names: Vec<&str> = enabled.iter().map(|f| f.name).collect();
            unsupported(feature, format.name, names.join(", "))
        })
    };
    let size = |feature, value: usize| {
        u32::try_from(value)
            .map_err(|_| unsupported(feature, &value.to_string(), format!("0 to {}", u32::MAX)))
    };
    let output = job.output;
    if !has_rounding(output.rounding) {
        let all = Rounding::ALL.iter().copied();
        let names: Vec<_> = all
            .filter(|&r| has_rounding(r))
            .map(Rounding::name)
            .collect();
        return Err(unsupported(
            "rounding",
            output.rounding.name(),
            names.join(", "),
        ));
    }
    let (scale_mode, scale) = match job.scale {
        Scale::None => (0, 0),
        Scale::Tensor(scale) => (1, scale),
        Scale::PerColumn(_) => (2, 0),
    };
    let operands = [
        (
            "format_a",
            number("format_a", job.format_a, &config.operand_formats)?,
        ),
        (
            "format_b",
            number("format_b", job.format_b, &config.operand_formats)?,
        ),
    ];
    let conversion = [
        (
            "format",
            number("output format", output.format, &config.output_formats)?,
        ),
        ("rounding", output.rounding.number()),
        ("overflow", output.overflow.number()),
        ("infinity", output.infinity.number()),
    ];
    let epilogue = [
        ("init", u32::from(job.init.is_some())),
        ("bias", u32::from(job.bias.is_some())),
        ("relu", u32::from(job.relu)),
        ("scale_mode", scale_mode),
    ];
    Ok(vec![
        ("M", size("m", job.m())?),
        ("N", size("n", job.n())?),
        ("K", size("k", job.k())?),
        ("OPERANDS", pack("OPERANDS", &operands)),
        ("OUTPUT", pack("OUTPUT", &conversion)),
        ("EPILOGUE", pack("EPILOGUE", &epilogue)),
        ("SCALE", scale),
    ])
}

/// Whether `quaver_convert` has the rounding: it has no source of random bits.
const fn has_rounding(rounding: Rounding) -> bool {
    !matches!(rounding, Rounding::Stochastic)
}
