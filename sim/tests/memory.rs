//! The closed form with a memory against the model behind one, clock by clock.

mod random;

use std::time::Instant;

use quaver_contract::config::Dataflow;
use quaver_contract::{CoreConfig, Formats};
use quaver_drive::{Driver, Random, StallPattern};
use quaver_sim::memory::{Memory, MemoryDevice, MemoryTiming, memory_timing};
use quaver_sim::timing::{JobShape, timing};
use random::{random_config, random_shape, zeros};

const CASES: usize = 3_000;
const SEED: u64 = 2;

/// A memory that may be slow, near or far, with buffers that may hold an operand.
fn random_memory(random: &mut Random, config: &CoreConfig, shape: &JobShape) -> Memory {
    let terms = match config.dataflow {
        Dataflow::WeightStationary => config.tile_k() as u64,
        Dataflow::OutputStationary => shape.k.max(1),
    };
    let mut buffer = |unit: u64, all: u64| match random.below(3) {
        0 => all,
        1 => (2 + u64::from(random.below(20))) * unit,
        _ => 2 * unit + u64::from(random.below(64)),
    };
    let rows = (config.tile_rows as u64).min(shape.m);
    let cols = (config.cols as u64).min(shape.n);
    let buffer_a = buffer(rows * terms, shape.m * shape.k);
    let buffer_b = buffer(cols * terms, 2 * cols * shape.k);
    let bandwidth = match random.below(3) {
        0 => [1 + random.below(4), 1 + random.below(4)],
        1 => [1 + random.below(64), 1 + random.below(8)],
        _ => [1000, 1],
    };
    let latency = match random.below(2) {
        0 => random.below(4),
        _ => random.below(200),
    };
    Memory {
        bandwidth,
        latency,
        // The units are the smaller of tile and job.
        buffer_a: buffer_a.max(2 * rows * terms.min(shape.k)),
        buffer_b: buffer_b.max(2 * cols * terms.min(shape.k)),
        code_bits: [8, 8, 32],
    }
}

#[test]
fn random_jobs_on_random_cores_vs_stepping() {
    let mut random = Random::new(SEED);
    let (mut cases, mut stalled, mut dataflows) = (0, 0, [0; 2]);
    while cases < CASES {
        let config = random_config(&mut random);
        let device = MemoryDevice::new(&config).unwrap();
        let mut driver = Driver::new(device, &config, StallPattern::None, 0).unwrap();
        for _ in 0..10 {
            let shape = random_shape(&config, &mut random);
            let memory = random_memory(&mut random, &config, &shape);
            let what = format!("{shape:?}, {memory:?} on {config:?}");
            let expected = memory_timing(&config, &shape, &memory).expect(&what);
            driver.device_mut().begin(&config, &shape, &memory).unwrap();
            driver.set_wait(100_000);
            let job = zeros(&config, &shape);
            let counters = driver.run(&job.job()).expect(&what).counters.unwrap();
            let launcher = *driver.device().core().breakdown();
            assert_eq!(counters.cycles, expected.cycles, "{what}");
            assert_eq!(launcher, expected.launcher, "{what}");
            assert!(expected.cycles >= timing(&config, &shape).cycles, "{what}");
            stalled += usize::from(expected.cycles > timing(&config, &shape).cycles);
            cases += 1;
            dataflows[config.dataflow as usize] += 1;
        }
    }
    println!("{cases} cases, {dataflows:?} of each dataflow, {stalled} with stalls, seed {SEED}");
    assert!(stalled >= 1_000 && dataflows.iter().all(|&count| count >= 1_000));
}

/// Read by hand: four tiles of A and of B that stay, or do not.
#[test]
fn traffic_directed_vs_sums() {
    let config = CoreConfig::load("small", &Formats::default()).unwrap();
    let [m, n, k] = [2 * config.tile_rows, 2 * config.cols, 2 * config.rows].map(|x| x as u64);
    let shape = JobShape {
        m,
        n,
        k,
        init: true,
        parameters: 2,
    };
    let memory = |buffer_a, buffer_b| Memory {
        bandwidth: [8, 1],
        latency: 20,
        buffer_a,
        buffer_b,
        code_bits: [8, 4, 16],
    };
    let read = |memory| memory_timing(&config, &shape, &memory).unwrap();
    let others = [4 * m * n, 8 * n];
    for (buffer_a, buffer_b, times_a, times_b) in [
        (m * k, n * k / 2, 1, 1),
        (m * k - 1, n * k / 2, 2, 1),
        (m * k, n * k / 2 - 1, 1, 2),
    ] {
        let MemoryTiming {
            read,
            written,
            stays,
            ..
        } = read(memory(buffer_a, buffer_b));
        let expected = [times_a * m * k, times_b * n * k / 2, others[0], others[1]];
        assert_eq!((read, written), (expected, 2 * m * n));
        assert_eq!(stays, [times_a == 1, times_b == 1]);
    }
    let least = config.tile_rows as u64 * config.rows as u64 * 2;
    let error = memory_timing(&config, &shape, &memory(least - 1, 1 << 20)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("buffer of a") && text.contains(&least.to_string()),
        "{text}"
    );
}

#[test]
fn a_hundred_thousand_layers_a_second() {
    let config = CoreConfig::load("large", &Formats::default()).unwrap();
    let memory = Memory {
        bandwidth: [25, 2],
        latency: 90,
        buffer_a: 1 << 17,
        buffer_b: 1 << 17,
        code_bits: [8, 8, 8],
    };
    let mut random = Random::new(SEED);
    let shapes: Vec<JobShape> = (0..20_000)
        .map(|_| JobShape {
            m: random.below(8192).into(),
            n: random.below(8192).into(),
            k: random.below(8192).into(),
            init: random.below(2) == 0,
            parameters: random.below(3).into(),
        })
        .collect();
    // The best of some runs: the machine may be busy with other tests.
    let runs = [(); 5].map(|()| {
        let started = Instant::now();
        let cycles: u64 = shapes
            .iter()
            .map(|shape| memory_timing(&config, shape, &memory).unwrap().cycles)
            .sum();
        assert!(cycles > 0);
        started.elapsed().as_secs_f64()
    });
    let seconds = runs.into_iter().fold(f64::INFINITY, f64::min);
    let a_second = shapes.len() as f64 / seconds;
    println!("{} layers, {a_second:.0} a second", shapes.len());
    assert!(a_second >= 100_000.0, "{runs:?} s");
}
