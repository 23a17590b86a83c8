//! A job under way on a driven core.

use quaver_contract::job::Counters;
use quaver_contract::{Job, JobResult};

use crate::bus::{Access, Response};
use crate::core::Core;
use crate::registers::{self, describe, pack, unpack};
use crate::streams::Streams;
use crate::{Device, DriveError, Driver};

/// A job that has been started. [`Run::finish`] brings it to its end; [`Run::step`] clocks it once,
/// so that a test can do something in its middle. A run that is dropped leaves the core busy, and
/// the engine's next job resets it.
pub struct Run<'e, 'j, D: Device> {
    engine: &'e mut Driver<D>,
    /// `None` once the job has ended.
    streams: Option<Streams<'j>>,
    /// Clocks without progress that mean a hang.
    patience: u64,
}

impl<'e, 'j, D: Device> Run<'e, 'j, D> {
    /// Starts the job whose registers have been written. The streams begin in the clock in which
    /// the core writes CONTROL.start.
    pub(crate) fn start(engine: &'e mut Driver<D>, job: &Job<'j>) -> Result<Self, DriveError> {
        let streams = Streams::new(
            job,
            &engine.config,
            &engine.core.stream_ports,
            &engine.core.device,
            &engine.stalls,
            engine.seed,
        );
        let start = control("start");
        engine.unfinished = true;
        engine.core.issue(start, None)?;
        let mut run = Self {
            patience: patience(engine),
            engine,
            streams: Some(streams),
        };
        // The interrupt of the job before is over when the answer comes.
        let (response, _) = run.engine.core.complete(start, run.streams.as_mut())?;
        run.engine.core.expect_okay(start, response)?;
        Ok(run)
    }

    /// Clocks since the simulation began.
    pub fn cycle(&self) -> u64 {
        self.engine.cycle()
    }

    /// What is driven. Setting its ports or clocking it is for the driver alone.
    pub const fn device_mut(&mut self) -> &mut D {
        self.engine.device_mut()
    }

    /// One clock. True when the core says that the job has ended.
    ///
    /// # Errors
    /// [`DriveError::Hang`], [`DriveError::Protocol`], or the simulator's own end.
    pub fn step(&mut self) -> Result<bool, DriveError> {
        if self.engine.core.irq() {
            return Ok(true);
        }
        self.engine.core.clock(self.streams.as_mut())?;
        let idle = self.streams.as_ref().map_or(0, |s| s.idle);
        match idle > self.patience {
            true => Err(self.hang(idle)),
            false => Ok(self.engine.core.irq()),
        }
    }

    /// Reads any address of the register bus while the streams go on.
    ///
    /// # Errors
    /// As [`Driver::read`] and [`Run::step`].
    pub fn read(&mut self, offset: u32) -> Result<(Response, u32), DriveError> {
        let access = Access::Read { offset };
        self.engine.core.access(access, self.streams.as_mut())
    }

    /// Writes any address of the register bus while the streams go on.
    ///
    /// # Errors
    /// As [`Driver::write`] and [`Run::step`].
    pub fn write(&mut self, offset: u32, value: u32) -> Result<Response, DriveError> {
        let access = Access::Write { offset, value };
        Ok(self.engine.core.access(access, self.streams.as_mut())?.0)
    }

    /// Ends the job by CONTROL.abort: beats move until the core has taken the write.
    ///
    /// # Errors
    /// As [`Driver::write`] and [`Run::step`].
    pub fn abort(mut self) -> Result<(), DriveError> {
        let abort = control("abort");
        self.engine.core.issue(abort, self.streams.as_mut())?;
        self.engine.core.idle_streams();
        let (response, _) = self.engine.core.complete(abort, None)?;
        self.engine.core.expect_okay(abort, response)?;
        self.engine.unfinished = false;
        Ok(())
    }

    /// Ends the job by a reset.
    ///
    /// # Errors
    /// [`DriveError`] when the device fails.
    pub fn reset(self) -> Result<(), DriveError> {
        self.engine.reset()
    }

    /// Runs the job to its end and collects its result.
    ///
    /// # Errors
    /// [`DriveError::BadJob`] when the core refused it; else as [`Run::step`].
    pub fn finish(mut self) -> Result<JobResult, DriveError> {
        while !self.step()? {}
        let cycle = self.engine.core.cycle() - 1;
        let status = self.engine.core.read("STATUS", self.streams.as_mut())?;
        if unpack("STATUS", "bad_job", status) != 0 {
            return Err(DriveError::BadJob {
                cycle,
                state: registers_in_words(&mut self.engine.core, JOB_REGISTERS)?,
            });
        }
        let moved = self.streams.as_mut().is_none_or(Streams::is_complete);
        if unpack("STATUS", "done", status) == 0 || !moved {
            let streams = self.streams.as_mut().map(Streams::state);
            return Err(DriveError::Protocol {
                stream: "irq_o",
                cycle,
                what: format!(
                    "raised before the job's end: {}; {}",
                    describe("STATUS", status),
                    streams.unwrap_or_default()
                ),
            });
        }
        let mut counters = [0; COUNTERS.len()];
        for (counter, name) in counters.iter_mut().zip(COUNTERS) {
            *counter = u64::from(self.engine.core.read(name, self.streams.as_mut())?);
        }
        let [cycles, rows, stall_a, stall_b, stall_c, stall_p, stall_d] = counters;
        self.engine.unfinished = false;
        let streams = self.leave().expect("the streams are there until here");
        Ok(JobResult {
            values: streams.into_values(),
            counters: Some(Counters {
                cycles,
                rows,
                stall_a,
                stall_b,
                stall_c,
                stall_p,
                stall_d,
            }),
        })
    }

    /// Stops the streams and leaves their record with the engine.
    fn leave(&mut self) -> Option<Streams<'j>> {
        self.engine.core.idle_streams();
        let mut streams = self.streams.take()?;
        let cycles = std::mem::take(&mut streams.beat_cycles);
        self.engine.last = Some((streams.tiling(), cycles));
        Some(streams)
    }

    fn hang(&mut self, idle: u64) -> DriveError {
        let cycle = self.engine.core.cycle() - 1;
        let streams = self.streams.as_mut().map(Streams::state);
        let registers = registers_in_words(&mut self.engine.core, STATE_REGISTERS)
            .unwrap_or_else(|error| error.to_string());
        DriveError::Hang {
            cycle,
            idle,
            state: format!("{registers}; {}", streams.unwrap_or_default()),
        }
    }
}

impl<D: Device> Drop for Run<'_, '_, D> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The counters, in the order of `Counters`.
const COUNTERS: [&str; 7] = [
    "CYCLES", "ROWS", "STALL_A", "STALL_B", "STALL_C", "STALL_P", "STALL_D",
];

const STATE_REGISTERS: &[&str] = &[
    "STATUS", "CYCLES", "ROWS", "STALL_A", "STALL_B", "STALL_C", "STALL_P", "STALL_D",
];

const JOB_REGISTERS: &[&str] = &["STATUS", "M", "N", "K", "OPERANDS", "OUTPUT", "EPILOGUE"];

fn registers_in_words<D: Device>(core: &mut Core<D>, names: &[&str]) -> Result<String, DriveError> {
    let mut parts = Vec::new();
    for name in names {
        parts.push(describe(name, core.read(name, None)?));
    }
    Ok(parts.join(", "))
}

fn control(field: &str) -> Access {
    Access::Write {
        offset: registers::offset("CONTROL"),
        value: pack("CONTROL", &[(field, 1)]),
    }
}

/// Clocks without a transfer that no healthy core lets pass: several times its longest path from
/// a beat to the next, plus the longest stall of the testbench and of what
/// the device is behind.
fn patience<D: Device>(engine: &Driver<D>) -> u64 {
    let c = &engine.config;
    let path = c.rows * c.pe_latency + c.rows + c.cols + c.tile_rows;
    1000 + 4 * path as u64 + engine.stalls.longest() + engine.wait
}
