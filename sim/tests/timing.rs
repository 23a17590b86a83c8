//! The closed form against the stepping model: random jobs on random cores, and how fast it is.

mod random;

use std::time::Instant;

use quaver_contract::{CoreConfig, Formats};
use quaver_drive::{Device, DriveError, Driver, PortId, Random, StallPattern};
use quaver_sim::ModelDevice;
use quaver_sim::timing::{JobShape, Timing, timing};
use random::{random_config, random_shape, zeros};

const CASES: usize = 12_000;
const SEED: u64 = 1;

/// The model, and the beats that moved on its streams.
struct Counting {
    model: ModelDevice,
    /// Valid and ready of a, b, c, p and d.
    handshakes: [[PortId; 2]; 5],
    /// What was last set, by port.
    inputs: Vec<u32>,
    beats: [u64; 5],
}

impl Counting {
    fn new(config: &CoreConfig) -> Self {
        let model = ModelDevice::new(config).unwrap();
        let handshake = |stream: &str| {
            ["tvalid", "tready"].map(|name| model.port(&format!("{stream}_{name}")).unwrap())
        };
        let streams = ["s_axis_a", "s_axis_b", "s_axis_c", "s_axis_p", "m_axis_d"];
        Self {
            handshakes: streams.map(handshake),
            inputs: vec![0; 64],
            beats: [0; 5],
            model,
        }
    }
}

impl Device for Counting {
    fn port(&self, name: &str) -> Result<PortId, DriveError> {
        self.model.port(name)
    }

    fn width(&self, port: PortId) -> u32 {
        self.model.width(port)
    }

    fn set(&mut self, port: PortId, words: &[u32]) {
        self.inputs[port.0] = words[0];
        self.model.set(port, words);
    }

    fn get(&self, port: PortId) -> &[u32] {
        self.model.get(port)
    }

    fn unknown(&self, port: PortId) -> &[u32] {
        self.model.unknown(port)
    }

    fn tick(&mut self) -> Result<(), DriveError> {
        self.model.tick()?;
        for (index, [valid, ready]) in self.handshakes.into_iter().enumerate() {
            let (input, output) = if index == 4 {
                (ready, valid)
            } else {
                (valid, ready)
            };
            let moved = self.inputs[input.0] != 0 && self.model.get(output)[0] != 0;
            self.beats[index] += u64::from(moved);
        }
        Ok(())
    }
}

/// Steps a job of that shape and gives what the closed form must give.
fn step(driver: &mut Driver<Counting>, config: &CoreConfig, shape: &JobShape) -> Timing {
    let zeros = zeros(config, shape);
    let job = zeros.job();
    assert_eq!(JobShape::of(&job), *shape);
    driver.device_mut().beats = [0; 5];
    let counters = driver.run(&job).unwrap().counters.unwrap();
    let stalls = [
        counters.stall_a,
        counters.stall_b,
        counters.stall_c,
        counters.stall_p,
    ];
    assert_eq!((stalls, counters.stall_d), ([0; 4], 0));
    let mut expected = timing(config, shape);
    // Words of the matrices do not depend on time; their sums are checked apart.
    let launcher = *driver.device().model.core().breakdown();
    assert_eq!(launcher.rows, counters.rows);
    let [a, b, c, p, d] = driver.device().beats;
    expected.cycles = counters.cycles;
    expected.launcher = launcher;
    for (traffic, beats) in [
        (&mut expected.a, a),
        (&mut expected.b, b),
        (&mut expected.c, c),
        (&mut expected.p, p),
        (&mut expected.d, d),
    ] {
        traffic.beats = beats;
    }
    expected
}

#[test]
fn random_jobs_on_random_cores_vs_stepping() {
    let mut random = Random::new(SEED);
    let mut cases = 0;
    let mut dataflows = [0; 2];
    while cases < CASES {
        let config = random_config(&mut random);
        let device = Counting::new(&config);
        let mut driver = Driver::new(device, &config, StallPattern::None, 0).unwrap();
        for _ in 0..20 {
            let shape = random_shape(&config, &mut random);
            let stepped = step(&mut driver, &config, &shape);
            assert_eq!(timing(&config, &shape), stepped, "{shape:?} on {config:?}");
            cases += 1;
            dataflows[config.dataflow as usize] += 1;
        }
    }
    println!("{cases} cases, {dataflows:?} of each dataflow, seed {SEED}");
    assert!(cases >= 10_000 && dataflows.iter().all(|&count| count >= 5_000));
}

#[test]
fn hundred_thousand_layers_a_second() {
    let config = CoreConfig::load("large", &Formats::default()).unwrap();
    let mut random = Random::new(SEED);
    let shapes: Vec<JobShape> = (0..100_000)
        .map(|_| JobShape {
            m: random.below(8192).into(),
            n: random.below(8192).into(),
            k: random.below(8192).into(),
            init: random.below(2) == 0,
            parameters: random.below(3).into(),
        })
        .collect();
    let started = Instant::now();
    let cycles: u64 = shapes
        .iter()
        .map(|shape| timing(&config, shape).cycles)
        .sum();
    let seconds = started.elapsed().as_secs_f64();
    println!("{} layers, {cycles} cycles, {seconds:.3} s", shapes.len());
    assert!(cycles > 0 && seconds < 1.0, "{seconds} s");
}
