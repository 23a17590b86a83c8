//! `cycle`: the cycle model beside the RTL and the golden model.

use quaver_contract::{Engine as _, JobResult};
use quaver_sim::CycleEngine;

use crate::core::CoreBench;
use crate::stimulus::jobs::JobSource;
use crate::stimulus::owned::OwnedJob;
use crate::{SuiteContext, Tally, VerifyError};

/// Jobs in the quick tier.
const JOBS: u64 = 100;

/// Runs random jobs under random stalls on both: the RTL's results are held to the golden model's,
/// the model's to the RTL's, with every counter and the clock of every beat of the result.
pub(super) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let source = JobSource::new(context.config);
    let classes = source.declare(&mut tally.coverage);
    let stall_classes = CoreBench::declare_stalls(&mut tally.coverage);
    let mut core = CoreBench::open(context, context.config)?;
    let mut model = CycleEngine::new(context.config, Default::default(), 0)?;
    let mut random = context.random("cycle");
    for index in 0..context.jobs(JOBS) {
        let job = source.job(index as usize, &mut random, &classes, &mut tally.coverage);
        core.stall_randomly(&mut random, &stall_classes, &mut tally.coverage)?;
        let wrong = tally.mismatches;
        core.check(&job, tally)?;
        if tally.mismatches > wrong {
            // The RTL has its own failure, and nothing to hold the model to.
            continue;
        }
        model.set_seed(core.setting().seed);
        model.set_stalls(core.setting().stalls.clone())?;
        let found = (model.run(&job.job())?, model.beat_cycles().to_vec());
        // The same job again on the RTL, for its counters.
        let expected = (
            core.engine().run(&job.job())?,
            core.engine().beat_cycles().to_vec(),
        );
        compare(context, &job, index, (&expected, &found), tally);
    }
    Ok(())
}

/// Results, and the clocks of their beats.
type Outcome = (JobResult, Vec<u64>);

fn compare(
    context: &SuiteContext<'_>,
    job: &OwnedJob,
    index: u64,
    (expected, found): (&Outcome, &Outcome),
    tally: &mut Tally,
) {
    tally.cases += 1;
    let clocks = |(_, beats): &Outcome| -> Vec<u64> {
        let first = beats.first().copied().unwrap_or(0);
        beats.iter().map(|beat| beat - first).collect()
    };
    if expected.0 == found.0 && clocks(expected) == clocks(found) {
        return;
    }
    tally.mismatches += 1;
    if tally.wants_failure() {
        tally.failures.push(format!(
            "job {index}, {}: the cycle model has {:?}, the RTL {:?}; repeat with {}",
            job.describe(),
            found.0.counters,
            expected.0.counters,
            context.rerun()
        ));
    }
}
