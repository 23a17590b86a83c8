//! Jobs that are broken off or disturbed.

use quaver_contract::csr::offset;
use quaver_cosim::{Response, RtlEngine};

use super::{Check, field, section, status};
use crate::core::CoreBench;
use crate::stimulus::jobs::JobSource;
use crate::stimulus::owned::OwnedJob;
use crate::{Coverage, Random, VerifyError};

/// Jobs that are broken off in the quick tier.
const INTERRUPTED: u64 = 60;

/// What happens in the middle of a job.
#[derive(Clone, Copy, Debug)]
enum Event {
    Abort,
    Reset,
    /// A write of a register, which is refused.
    Write,
    /// A second start, which is ignored.
    Start,
}

const EVENTS: &[(Event, &str)] = &[
    (Event::Abort, "abort in mid-job"),
    (Event::Reset, "reset in mid-job"),
    (Event::Write, "register write while busy"),
    (Event::Start, "start while busy"),
];

/// Clocks that an access of the register bus takes at most, its random delays included.
const ACCESS_CLOCKS: u64 = 24;

/// Breaks jobs off, or disturbs them, at random clocks; behind it the core runs the same job
/// right.
pub(super) fn interrupted(
    check: &mut Check<'_>,
    core: &mut CoreBench<'_>,
    random: &mut Random,
) -> Result<(), VerifyError> {
    let config = check.context.config;
    let source = JobSource::new(config);
    // The suite promises events, not kinds of jobs.
    let mut uncounted = Coverage::default();
    let job_classes = source.declare(&mut uncounted);
    let stall_classes = CoreBench::declare_stalls(&mut uncounted);
    let mut remaining = check.context.jobs(INTERRUPTED);
    for index in 0.. {
        if remaining == 0 {
            break;
        }
        let job = source.job(index, random, &job_classes, &mut uncounted);
        core.stall_randomly(random, &stall_classes, &mut uncounted)?;
        core.check(&job, check.tally)?;
        let cycles = core.last_cycles();
        // Shorter jobs may end while the register bus is still at work.
        if cycles <= 2 * ACCESS_CLOCKS {
            continue;
        }
        remaining -= 1;
        let (event, class) = EVENTS[index % EVENTS.len()];
        let clocks = random.below((cycles - ACCESS_CLOCKS) as usize);
        let value = random.bits32();
        section(check, core, |check, engine| {
            disturb(check, engine, (&job, clocks, value), (event, class))
        })?;
        core.check(&job, check.tally)?;
    }
    Ok(())
}

/// Starts a job, clocks it and lets the event happen.
fn disturb(
    check: &mut Check<'_>,
    engine: &mut RtlEngine,
    (job, clocks, value): (&OwnedJob, usize, u32),
    (event, class): (Event, &str),
) -> Result<(), VerifyError> {
    let what = format!("{} after {clocks} clocks", job.describe());
    let view = job.job();
    let mut run = engine.begin(&view)?;
    for _ in 0..clocks {
        if run.step()? {
            check.equal(class, &what, "ended", "running");
            return Ok(());
        }
    }
    let m = field("M", "m", view.m() as u32);
    match event {
        Event::Abort => {
            run.abort()?;
            check.equal(class, &what, status(engine)?, (Response::Okay, 0));
            let kept = engine.read(offset("M"))?;
            check.equal(class, &what, kept, (Response::Okay, m));
        }
        Event::Reset => {
            run.reset()?;
            check.equal(class, &what, status(engine)?, (Response::Okay, 0));
            let cleared = engine.read(offset("M"))?;
            check.equal(class, &what, cleared, (Response::Okay, 0));
        }
        Event::Write => {
            let response = run.write(offset("M"), value)?;
            check.equal(class, &what, response, Response::SlaveError);
            let values = run.finish()?.values;
            check.equal(class, &what, values, CoreBench::reference(job)?);
            let kept = engine.read(offset("M"))?;
            check.equal(class, &what, kept, (Response::Okay, m));
            let expected = field("STATUS", "done", 1) | field("STATUS", "write_refused", 1);
            check.equal(class, &what, status(engine)?, (Response::Okay, expected));
        }
        Event::Start => {
            let response = run.write(offset("CONTROL"), field("CONTROL", "start", 1))?;
            check.equal(class, &what, response, Response::Okay);
            let values = run.finish()?.values;
            check.equal(class, &what, values, CoreBench::reference(job)?);
            let expected = field("STATUS", "done", 1);
            check.equal(class, &what, status(engine)?, (Response::Okay, expected));
        }
    }
    Ok(())
}
