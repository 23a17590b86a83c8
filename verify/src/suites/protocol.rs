//! `protocol`: registers, refusals, abort and reset. The rules of the streams (valid until ready,
//! tkeep, tlast, no beat too many) are checked by the testbench in every job of every suite.

use std::fmt::Debug;

use quaver_contract::csr::{Access, MAP, Register, offset};
use quaver_contract::{CoreConfig, Format};
use quaver_cosim::{Response, RtlEngine};

use crate::core::{CoreBench, is_fault};
use crate::stimulus::jobs::{JobSource, job_roundings};
use crate::stimulus::owned::OwnedJob;
use crate::{Coverage, Random, SuiteContext, Tally, VerifyError};

/// Jobs that are broken off in the quick tier.
const INTERRUPTED: u64 = 60;

/// Counts checks.
struct Check<'a> {
    context: &'a SuiteContext<'a>,
    tally: &'a mut Tally,
}

impl Check<'_> {
    /// Counts a case of a class, and a mismatch unless `actual` is `expected`.
    fn equal<T: PartialEq + Debug>(&mut self, class: &str, what: &str, actual: T, expected: T) {
        let class_index = self.tally.coverage.class(class);
        self.tally.coverage.count(class_index);
        self.tally.cases += 1;
        if actual == expected {
            return;
        }
        self.tally.mismatches += 1;
        if self.tally.wants_failure() {
            let (context, options) = (self.context, self.context.options);
            self.tally.failures.push(format!(
                "mismatch in suite {}\n  check          {class}: {what}\n  \
                 configuration  {}\n  simulator      {}\n  seed           {}\n  \
                 expected       {expected:x?}\n  actual         {actual:x?}\n  \
                 repeat with    {}\n",
                context.suite,
                context.config.name,
                options.simulator.name(),
                options.seed,
                context.rerun()
            ));
        }
    }
}

/// Runs checks on the core just reset; when one fails, runs them again with a waveform.
fn section(
    check: &mut Check<'_>,
    core: &mut CoreBench<'_>,
    mut run: impl FnMut(&mut Check<'_>, &mut RtlEngine) -> Result<(), VerifyError>,
) -> Result<(), VerifyError> {
    // A core that hangs or breaks a rule of its interfaces fails the check that it was in.
    let mut guarded = |check: &mut Check<'_>, engine: &mut RtlEngine| match run(check, engine) {
        Err(VerifyError::Drive(error)) if is_fault(&error) => {
            check.equal("interfaces", "", error.to_string(), String::new());
            Ok(())
        }
        result => result,
    };
    let before = check.tally.failures.len();
    core.engine().reset()?;
    guarded(check, core.engine())?;
    if check.tally.failures.len() > before {
        let (mut engine, waveform) = core.traced(before + 1)?;
        let mut again = Check {
            context: check.context,
            tally: &mut Tally::default(),
        };
        guarded(&mut again, &mut engine)?;
        engine.stop_trace()?;
        for failure in &mut check.tally.failures[before..] {
            *failure += &format!("  waveform       {}\n", waveform.display());
        }
    }
    Ok(())
}

/// Runs all checks on one core.
pub(crate) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let mut core = CoreBench::open(context, context.config)?;
    let mut random = context.random("protocol");
    let mut check = Check { context, tally };
    section(&mut check, &mut core, |check, engine| {
        registers(check, engine, &mut random.clone())
    })?;
    section(&mut check, &mut core, unmapped)?;
    section(&mut check, &mut core, bad_jobs)?;
    interrupted(&mut check, &mut core, &mut random)
}

/// The bits of a register that hold what is written.
fn writable(register: &Register) -> u32 {
    let fields = register.fields.iter();
    let fields = fields.filter(|field| field.access == Access::ReadWrite);
    fields.fold(0, |mask, field| {
        mask | (u32::MAX >> (32 - field.width)) << field.lsb
    })
}

/// Every register keeps what its fields can hold, and nothing else; constants stay.
fn registers(
    check: &mut Check<'_>,
    engine: &mut RtlEngine,
    random: &mut Random,
) -> Result<(), VerifyError> {
    let fixed = constants(engine.config());
    for (name, expected) in fixed {
        let (response, value) = engine.read(offset(name))?;
        check.equal(
            "constants",
            name,
            (response, value),
            (Response::Okay, expected),
        );
    }
    for register in MAP {
        let mask = writable(register);
        if mask == 0 {
            continue;
        }
        for value in [u32::MAX, 0, random.bits32(), random.bits32()] {
            let response = engine.write(register.offset, value)?;
            check.equal("read and write", register.name, response, Response::Okay);
            let read = engine.read(register.offset)?;
            let expected = (Response::Okay, value & mask);
            check.equal("read and write", register.name, read, expected);
        }
    }
    for register in MAP.iter().filter(|register| writable(register) == 0) {
        if register
            .fields
            .iter()
            .any(|field| field.access == Access::Pulse)
        {
            continue;
        }
        let before = engine.read(register.offset)?;
        engine.write(register.offset, random.bits32())?;
        let after = engine.read(register.offset)?;
        check.equal("read only", register.name, after, before);
    }
    Ok(())
}

/// Registers whose values follow from the configuration.
fn constants(config: &CoreConfig) -> [(&'static str, u32); 4] {
    let word = |value: usize| u32::try_from(value).expect("dimensions are small");
    let shape = word(config.rows)
        | word(config.cols) << 8
        | word(config.lanes()) << 16
        | word(config.pe_latency) << 24;
    [
        ("ID", quaver_contract::csr::ID),
        ("VERSION", quaver_contract::csr::VERSION),
        ("SHAPE", shape),
        ("DEPTH", word(config.tile_rows)),
    ]
}

/// Addresses between and behind the registers are refused, reads and writes, and so are writes of
/// registers without a field that could be written.
fn unmapped(check: &mut Check<'_>, engine: &mut RtlEngine) -> Result<(), VerifyError> {
    let mapped = |address: u32| MAP.iter().any(|register| register.offset == address);
    let last = MAP
        .iter()
        .map(|register| register.offset)
        .max()
        .unwrap_or(0);
    let addresses = (0..last).step_by(4).chain([last + 4, 0x800, 0xffc]);
    for address in addresses.filter(|&address| !mapped(address)) {
        let what = format!("{address:#05x}");
        let (response, _) = engine.read(address)?;
        check.equal("unknown address", &what, response, Response::SlaveError);
        let response = engine.write(address, u32::MAX)?;
        check.equal("unknown address", &what, response, Response::SlaveError);
    }
    Ok(())
}

/// The value of a register with one field set.
fn field(register: &str, name: &str, value: u32) -> u32 {
    let register = MAP.iter().find(|r| r.name == register);
    let field = register.and_then(|r| r.fields.iter().find(|f| f.name == name));
    value << field.expect("the map has the field").lsb
}

fn status(engine: &mut RtlEngine) -> Result<(Response, u32), VerifyError> {
    Ok(engine.read(offset("STATUS"))?)
}

/// A start with a format, rounding, policy or scale mode that the core does not have runs nothing
/// and says so; abort clears it.
fn bad_jobs(check: &mut Check<'_>, engine: &mut RtlEngine) -> Result<(), VerifyError> {
    let config = engine.config().clone();
    let ids = |formats: &[&'static Format]| -> Vec<u32> {
        let ids = formats.iter().filter_map(|format| config.format_id(format));
        ids.map(u32::from).collect()
    };
    let (operands, outputs) = (ids(&config.operand_formats), ids(&config.output_formats));
    let good = [
        ("OPERANDS", "format_a", operands[0]),
        ("OPERANDS", "format_b", operands[0]),
        ("OUTPUT", "format", outputs[0]),
    ];
    let mut bad = Vec::new();
    for id in 0..=255 {
        if !operands.contains(&id) {
            bad.push(vec![("OPERANDS", "format_a", id)]);
            bad.push(vec![("OPERANDS", "format_b", id)]);
        }
        if !outputs.contains(&id) {
            bad.push(vec![("OUTPUT", "format", id)]);
        }
    }
    for rounding in (0..8).filter(|&r| job_roundings().iter().all(|known| known.number() != r)) {
        bad.push(vec![("OUTPUT", "rounding", rounding)]);
    }
    for (format, id) in config.output_formats.iter().zip(&outputs) {
        for policy in 0..4 {
            let legal = match policy {
                0 => true,
                1 => format.infinity_code().is_some(),
                2 => format.nan_code().is_some(),
                _ => false,
            };
            if !legal {
                bad.push(vec![
                    ("OUTPUT", "format", *id),
                    ("OUTPUT", "overflow", policy),
                ]);
                bad.push(vec![
                    ("OUTPUT", "format", *id),
                    ("OUTPUT", "infinity", policy),
                ]);
            }
        }
    }
    bad.push(vec![("EPILOGUE", "scale_mode", 3)]);

    for name in ["M", "N", "K"] {
        engine.write(offset(name), 1)?;
    }
    let bad_job = field("STATUS", "bad_job", 1);
    for fields in bad {
        for register in ["OPERANDS", "OUTPUT", "EPILOGUE"] {
            // A field that is wrong stands in for the same field that is right.
            let is_wrong = |name| fields.iter().any(|&(r, n, _)| (r, n) == (register, name));
            let right = good
                .iter()
                .filter(|(r, name, _)| *r == register && !is_wrong(*name));
            let wrong = fields.iter().filter(|(r, ..)| *r == register);
            let word = right
                .chain(wrong)
                .fold(0, |word, &(r, n, v)| word | field(r, n, v));
            engine.write(offset(register), word)?;
        }
        engine.write(offset("CONTROL"), field("CONTROL", "start", 1))?;
        let what = format!("{fields:?}");
        check.equal("bad job", &what, status(engine)?, (Response::Okay, bad_job));
        engine.write(offset("CONTROL"), field("CONTROL", "abort", 1))?;
        check.equal("bad job", &what, status(engine)?, (Response::Okay, 0));
    }
    Ok(())
}

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
fn interrupted(
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
