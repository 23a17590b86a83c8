//! Random jobs without end: 5 seconds of them, or as many as `QUAVER_FUZZ_SECONDS` says. Every job
//! has a seed of its own, printed with a difference, from which it is made again.

use std::time::{Duration, Instant};

use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::{Conversion, Formats, Rounding};

use crate::stimulus::{Random, VALUES, compare, engines, operand_formats, stimulus};

#[test]
fn gemm_random_jobs_vs_golden() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{name} = {text} is no number"))
        })
    };
    let limit = Duration::from_secs(number("QUAVER_FUZZ_SECONDS", 5));
    let first = number("QUAVER_FUZZ_SEED", 1);
    let formats = operand_formats();
    let outputs: Vec<_> = Formats::default().iter().collect();
    let mut engines = engines();
    let start = Instant::now();
    let (mut jobs, mut elements) = (0u64, 0);
    while jobs == 0 || start.elapsed() < limit {
        let seed = first + jobs;
        let mut random = Random(seed);
        let mut pick = |count: usize| random.below(count as u64) as usize;
        let pair = (formats[pick(formats.len())], formats[pick(formats.len())]);
        let row = &ACCUMULATORS[pick(ACCUMULATORS.len())];
        let shape = (pick(40), pick(70), pick(300));
        let values = VALUES[pick(VALUES.len())];
        let output = outputs[pick(outputs.len())];
        let rounding = Rounding::ALL[pick(Rounding::ALL.len())];
        let mut conversion = Conversion::native(output);
        if rounding != Rounding::Stochastic {
            conversion = conversion.with_rounding(rounding);
        }
        jobs += 1;
        if !pair.0.products_fit_fp32(pair.1) {
            continue;
        }
        let stimulus = stimulus(&mut random, shape, pair, values);
        let job = stimulus.job(&mut random, pair, row, conversion);
        let what = format!(
            "QUAVER_FUZZ_SEED={seed}: {} {} x {} -> {}, {shape:?}, {values:?}",
            row.name, pair.0.name, pair.1.name, output.name
        );
        elements += compare(&job, &mut engines, &what);
    }
    println!("{jobs} jobs from seed {first}, {elements} elements, no difference");
    assert!(elements > 0);
}
