//! `protocol`: registers, refusals, abort and reset. The rules of the streams (valid until ready,
//! tkeep, tlast, no beat too many) are checked by the testbench in every job of every suite.

mod interrupted;
mod registers;

use std::fmt::Debug;

use quaver_contract::csr::{MAP, offset};
use quaver_cosim::{Response, RtlEngine};

use crate::core::{CoreBench, is_fault};
use crate::{SuiteContext, Tally, VerifyError};

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
        registers::registers(check, engine, &mut random.clone())
    })?;
    section(&mut check, &mut core, registers::unmapped)?;
    section(&mut check, &mut core, registers::bad_jobs)?;
    interrupted::interrupted(&mut check, &mut core, &mut random)
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
