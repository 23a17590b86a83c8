//! The cycle engine against the RTL and the golden model: same bits, same clocks, same counters.

use std::time::Instant;

use ndarray::Array2;
use quaver_contract::{Conversion, CoreConfig, Engine as _, Formats, csr};
use quaver_cosim::{PerStream, Response, RtlEngine, RtlOptions, Simulator, StallPattern};
use quaver_golden::Golden;
use quaver_sim::CycleEngine;
use quaver_sim::timing::{JobShape, timing};
use quaver_tests::{Tier, cache, config, require, tier};
use quaver_verify::stimulus::jobs::JobSource;
use quaver_verify::stimulus::owned::OwnedJob;
use quaver_verify::{Coverage, Random};

/// The pattern of a job: none, all streams alike, or each with a probability of its own.
fn stalls(random: &mut Random) -> StallPattern {
    let seed = random.bits64();
    let mut probability = || random.below(10) as f64 / 10.0;
    let each = PerStream {
        a: probability(),
        b: probability(),
        c: probability(),
        p: probability(),
        d: probability(),
    };
    match random.below(3) {
        0 => StallPattern::None,
        1 => StallPattern::random(seed, each.a),
        _ => StallPattern::Random {
            seed,
            probability: each,
        },
    }
}

#[test]
fn random_jobs_on_every_named_core_vs_rtl_and_golden() {
    require(&["verilator", "g++"]);
    let configs = CoreConfig::named(&Formats::default()).expect("the named ones are legal");
    assert!(!configs.is_empty());
    let jobs = match tier() {
        Tier::Quick => 40,
        Tier::Exhaustive => 400,
        Tier::Extensive => 4_000,
    };
    let mut compared = 0;
    for config in &configs {
        let options = RtlOptions::new(Simulator::Verilator, cache());
        let mut rtl = RtlEngine::new(config, options).expect("the core builds");
        let mut cycle = CycleEngine::new(config, StallPattern::None, 0).expect("a legal core");
        let source = JobSource::new(config);
        let mut coverage = Coverage::default();
        let classes = source.declare(&mut coverage);
        let mut random = Random::new(0, &config.name);
        let mut clocks = 0;
        for index in 0..jobs {
            let job = source.job(index, &mut random, &classes, &mut coverage);
            let (stalls, seed) = (stalls(&mut random), random.bits64());
            for engine in [&mut *rtl as &mut dyn Settings, &mut *cycle] {
                engine.set(&stalls, seed);
            }
            let job = job.job();
            let expected = Golden.run(&job).expect("the job is legal");
            let from_rtl = rtl.run(&job).expect("the core runs it");
            let from_cycle = cycle.run(&job).expect("the model runs it");
            let what = format!("{} job {index}, {stalls:?}, seed {seed}", config.name);
            assert_eq!(from_cycle, from_rtl, "{what}");
            assert_eq!(from_cycle.values, expected.values, "{what}");
            assert_eq!(cycle.beat_cycles(), rtl.beat_cycles(), "{what}");
            assert_eq!(cycle.cycle(), rtl.cycle(), "{what}");
            clocks = cycle.cycle();
            compared += 1;
        }
        println!("{}: {jobs} jobs, {clocks} clocks", config.name);
    }
    assert_eq!(compared, jobs * configs.len());
    assert!(compared > 0);
}

/// What disturbs a job of the model, at a random clock under random stalls. The RTL's own are in
/// `quaver verify`'s suite `protocol`.
#[test]
fn disturbed_jobs_on_every_named_core_vs_golden() {
    let configs = CoreConfig::named(&Formats::default()).expect("the named ones are legal");
    assert!(!configs.is_empty());
    let jobs = match tier() {
        Tier::Quick => 30,
        Tier::Exhaustive => 300,
        Tier::Extensive => 3_000,
    };
    let (m, status) = (csr::offset("M"), csr::offset("STATUS"));
    let mut counts = [0; 4];
    for config in &configs {
        let mut cycle = CycleEngine::new(config, StallPattern::None, 0).expect("a legal core");
        let source = JobSource::new(config);
        let mut coverage = Coverage::default();
        let classes = source.declare(&mut coverage);
        let mut random = Random::new(2, &config.name);
        for index in 0..jobs {
            let job = source.job(index, &mut random, &classes, &mut coverage);
            cycle.set(&stalls(&mut random), random.bits64());
            let job = job.job();
            let what = format!("{} job {index}, seed 2", config.name);
            let expected = Golden.run(&job).expect("the job is legal").values;
            let mut run = cycle.begin(&job).expect("the job is legal");
            let mut ended = false;
            for _ in 0..random.below(300) {
                ended = ended || run.step().expect("the job moves");
            }
            let event = if ended { 3 } else { random.below(3) };
            match event {
                0 => run.abort().expect("the core answers"),
                1 => run.reset().expect("the core resets"),
                2 => {
                    let busy = run.read(status).expect("the bus answers").1 & 1 != 0;
                    let answer = run.write(m, 7).expect("the bus answers");
                    let values = run.finish().expect("the job ends").values;
                    assert_eq!(values, expected, "{what}");
                    // The job may have ended between the two.
                    let flags = cycle.read(status).expect("the bus answers").1;
                    let refused = flags & 1 << 2 != 0;
                    assert_eq!(answer == Response::SlaveError, refused, "{what}");
                    assert!(busy || !refused, "{what}");
                    counts[event] += usize::from(refused);
                }
                _ => assert_eq!(
                    run.finish().expect("the job ends").values,
                    expected,
                    "{what}"
                ),
            }
            counts[event] += usize::from(event != 2);
            // Whatever happened, the next job is right.
            let values = cycle.run(&job).expect("the model runs it").values;
            assert_eq!(values, expected, "{what}");
        }
    }
    println!("abort, reset, refused write, nothing: {counts:?}");
    assert!(counts.iter().all(|&count| count > configs.len()));
}

/// The closed form alone, without the model that it is derived from.
#[test]
fn closed_form_of_every_named_core_vs_rtl() {
    require(&["verilator", "g++"]);
    let configs = CoreConfig::named(&Formats::default()).expect("the named ones are legal");
    assert!(!configs.is_empty());
    for config in &configs {
        let options = RtlOptions::new(Simulator::Verilator, cache());
        let mut rtl = RtlEngine::new(config, options).expect("the core builds");
        let source = JobSource::new(config);
        let mut coverage = Coverage::default();
        let classes = source.declare(&mut coverage);
        let mut random = Random::new(1, &config.name);
        // The stepping model, on hundreds of random cores, is the closed form's other check.
        let jobs = 20;
        for index in 0..jobs {
            let job = source.job(index, &mut random, &classes, &mut coverage);
            let counters = rtl.run(&job.job()).expect("the core runs it").counters;
            let counters = counters.expect("the core counts");
            let timing = timing(config, &JobShape::of(&job.job()));
            let expected = (timing.cycles, timing.launcher.rows);
            let shape = (job.a.dim(), job.b.dim());
            assert_eq!(
                (counters.cycles, counters.rows),
                expected,
                "{} {shape:?}",
                config.name
            );
        }
        println!("{}: {jobs} jobs", config.name);
    }
}

#[test]
fn clocks_a_second_vs_verilator() {
    require(&["verilator", "g++"]);
    // 16 x 16, the largest of the named cores.
    let config = config("large");
    let options = RtlOptions::new(Simulator::Verilator, cache());
    let mut rtl = RtlEngine::new(&config, options).expect("the core builds");
    let mut cycle = CycleEngine::new(&config, StallPattern::None, 0).expect("a legal core");
    let format = config.operand_formats[0];
    // Every finite number of e4m3fn, with both signs.
    let codes = |rows, cols| {
        let code = |(i, j)| ((i * 31 + j * 7) % 127) as u8 | ((i ^ j) as u8 & 1) << 7;
        Array2::from_shape_fn((rows, cols), code)
    };
    let (a, b) = (codes(512, 64), codes(64, 32));
    let output = Conversion::native(config.output_formats[0]);
    let job = OwnedJob::plain((format, a), (format, b), config.accumulator, output);
    let expected = rtl.run(&job.job()).expect("the core runs it");
    let mut clocks = [0.0, 0.0];
    for _ in 0..3 {
        let (before, started) = (rtl.cycle(), Instant::now());
        assert_eq!(rtl.run(&job.job()).expect("the core runs it"), expected);
        clocks[0] = rate(rtl.cycle() - before, started).max(clocks[0]);
        let (before, started) = (cycle.cycle(), Instant::now());
        assert_eq!(cycle.run(&job.job()).expect("the model runs it"), expected);
        clocks[1] = rate(cycle.cycle() - before, started).max(clocks[1]);
    }
    let [rtl, cycle] = clocks;
    println!(
        "clocks a second: {rtl:.0} in Verilator, {cycle:.0} in the model, {:.1} times",
        cycle / rtl
    );
    assert!(cycle > 10.0 * rtl);
}

fn rate(clocks: u64, started: Instant) -> f64 {
    clocks as f64 / started.elapsed().as_secs_f64()
}

/// What both drivers are told alike.
trait Settings {
    fn set(&mut self, stalls: &StallPattern, seed: u64);
}

impl<D: quaver_drive::Device> Settings for quaver_drive::Driver<D> {
    fn set(&mut self, stalls: &StallPattern, seed: u64) {
        self.set_stalls(stalls.clone()).expect("the pattern moves");
        self.set_seed(seed);
    }
}
