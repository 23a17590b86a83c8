//! `gemm`: random jobs of every kind under random stalls.

use crate::core::CoreBench;
use crate::stimulus::jobs::JobSource;
use crate::{SuiteContext, Tally, VerifyError};

/// Jobs in the quick tier.
const JOBS: u64 = 400;

/// Runs random jobs on one core, one after the other, without a reset between them: what a job
/// leaves behind must not reach the next.
pub(super) fn run(context: &SuiteContext<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
    let source = JobSource::new(context.config);
    let classes = source.declare(&mut tally.coverage);
    let stall_classes = CoreBench::declare_stalls(&mut tally.coverage);
    let mut core = CoreBench::open(context, context.config)?;
    let mut random = context.random("gemm");
    for index in 0..context.jobs(JOBS) {
        let job = source.job(index as usize, &mut random, &classes, &mut tally.coverage);
        core.stall_randomly(&mut random, &stall_classes, &mut tally.coverage)?;
        core.check(&job, tally)?;
    }
    Ok(())
}
