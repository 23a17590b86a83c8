//! Jobs on a core, one after the other.

use quaver_contract::conversion::Nan;
use quaver_contract::{CoreConfig, Format, Job, JobResult, Scale};

use crate::beats::Tiling;
use crate::bus::{Access, Response};
use crate::core::Core;
use crate::registers::pack;
use crate::{Device, DriveError, Run, StallPattern};

/// A core behind its ports. It runs many jobs, one after the other and without a reset between
/// them.
pub struct Driver<D> {
    pub(crate) core: Core<D>,
    pub(crate) config: CoreConfig,
    pub(crate) stalls: StallPattern,
    pub(crate) seed: u64,
    /// Clocks that the device may hold all streams up by itself.
    pub(crate) wait: u64,
    /// The last job was left before its end.
    pub(crate) unfinished: bool,
    /// The last job's shape, and the clocks in which its result beats came.
    pub(crate) last: Option<(Tiling, Vec<u64>)>,
}

impl<D: Device> Driver<D> {
    /// Resets the core. Its ports must be those of `config`.
    ///
    /// `seed` decides the bits that the core must ignore: codes beyond K or N, data without valid.
    ///
    /// # Errors
    /// [`DriveError`] when ports are missing or have other widths, the pattern stalls forever, or
    /// the device failed.
    pub fn new(
        device: D,
        config: &CoreConfig,
        stalls: StallPattern,
        seed: u64,
    ) -> Result<Self, DriveError> {
        stalls.validate()?;
        let mut core = Core::new(device, config)?;
        core.bus.set_delays(stalls.bus_delays());
        Ok(Self {
            core,
            config: config.clone(),
            stalls,
            seed,
            wait: 0,
            unfinished: false,
            last: None,
        })
    }

    /// What is driven.
    pub const fn device(&self) -> &D {
        &self.core.device
    }

    /// What is driven. Setting its ports or clocking it is for the driver alone.
    pub const fn device_mut(&mut self) -> &mut D {
        &mut self.core.device
    }

    /// The configuration.
    pub const fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// Stalls of the jobs to come.
    ///
    /// # Errors
    /// [`DriveError::Option`] for a pattern that stalls forever.
    pub fn set_stalls(&mut self, stalls: StallPattern) -> Result<(), DriveError> {
        stalls.validate()?;
        self.core.bus.set_delays(stalls.bus_delays());
        self.stalls = stalls;
        Ok(())
    }

    /// Seed of the ignored bits of the jobs to come.
    pub const fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Clocks in a row for which the device may hold all streams up, as one behind a slow memory does,
    /// before it counts as hanging.
    pub const fn set_wait(&mut self, clocks: u64) {
        self.wait = clocks;
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
    /// [`DriveError::Device`].
    pub fn reset(&mut self) -> Result<(), DriveError> {
        self.core.reset()?;
        self.unfinished = false;
        Ok(())
    }

    /// Reads any address of the register bus.
    ///
    /// # Errors
    /// [`DriveError::BusTimeout`]; a refusal is not an error but a [`Response`].
    pub fn read(&mut self, offset: u32) -> Result<(Response, u32), DriveError> {
        self.core.access(Access::Read { offset }, None)
    }

    /// Writes any address of the register bus.
    ///
    /// # Errors
    /// [`DriveError::BusTimeout`]; a refusal is not an error but a [`Response`].
    pub fn write(&mut self, offset: u32, value: u32) -> Result<Response, DriveError> {
        let access = Access::Write { offset, value };
        Ok(self.core.access(access, None)?.0)
    }

    /// Writes a job's registers and starts it. A job that was left unfinished before, or that
    /// failed, is ended by a reset first.
    ///
    /// # Errors
    /// [`DriveError::Contract`] and [`DriveError::Unsupported`] for jobs that the core cannot
    /// run, before anything is clocked; else what the core answered.
    pub fn begin<'e, 'j>(&'e mut self, job: &Job<'j>) -> Result<Run<'e, 'j, D>, DriveError> {
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

    /// Runs a job to its end.
    ///
    /// # Errors
    /// As [`Driver::begin`] and [`Run::finish`].
    pub fn run(&mut self, job: &Job<'_>) -> Result<JobResult, DriveError> {
        self.begin(job)?.finish()
    }
}

/// Values of the registers that describe the job, or what the configuration lacks for it.
fn job_registers(
    job: &Job<'_>,
    config: &CoreConfig,
) -> Result<Vec<(&'static str, u32)>, DriveError> {
    let unsupported = |feature, value: &str, allowed: String| DriveError::Unsupported {
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
    let of_job = job.blocks.as_ref();
    let of_core = config.block_scales.as_ref();
    let scales = of_job.map(|blocks| (blocks.format.name, blocks.length));
    if scales != of_core.map(|blocks| (blocks.format.name, blocks.length)) {
        let none = || "none".to_owned();
        return Err(unsupported(
            "block scales",
            &scales.map_or_else(none, |(format, length)| format!("{format}:{length}")),
            of_core.map_or_else(none, ToString::to_string),
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
    // `quaver_convert` gives every NaN the canonical code.
    if output.nan != Nan::Canonical {
        let allowed = Nan::Canonical.name().to_owned();
        return Err(unsupported("output nan", output.nan.name(), allowed));
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
