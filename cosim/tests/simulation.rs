//! Small designs on both simulators, against what they compute by hand.

mod support;

use quaver_cosim::{Batch, CosimError, PortId, Random, Simulation, Simulator, Step};
use support::{adder, cache, design, inverter};

const SEED: u64 = 0x51;

fn words(value: u128, count: usize) -> Vec<u32> {
    (0..count).map(|i| (value >> (32 * i)) as u32).collect()
}

fn value(words: &[u32]) -> u128 {
    let pairs = words.iter().enumerate();
    pairs.fold(0, |v, (i, &w)| v | u128::from(w) << (32 * i))
}

const fn mask(width: u32) -> u128 {
    (1 << width) - 1
}

/// The adder in Rust: its registers.
#[derive(Default)]
struct Adder {
    carry: u128,
    word: u128,
    long: u128,
    wide: u128,
}

impl Adder {
    fn clock(&mut self, [narrow, word, long, wide]: [u128; 4]) {
        let sum = self.word + word;
        (self.carry, self.word) = (sum >> 32, sum & mask(32));
        self.long = (self.long + long) & mask(53);
        let rotated = (wide << 1 | wide >> 99) & mask(100);
        self.wide = (rotated + narrow) & mask(100);
    }

    fn outputs(&self, [narrow, ..]: [u128; 4]) -> [u128; 5] {
        [self.carry, self.word, self.long, self.wide, narrow + 1]
    }
}

const INPUTS: [(&str, u32); 4] = [
    ("narrow_i", 7),
    ("word_i", 32),
    ("long_i", 53),
    ("wide_i", 100),
];
const OUTPUTS: [&str; 5] = ["carry_o", "word_o", "long_o", "wide_o", "now_o"];

struct Rig {
    simulation: Box<dyn Simulation>,
    inputs: Vec<PortId>,
    outputs: Vec<PortId>,
}

/// The adder, after its reset.
fn rig(simulator: Simulator, trace: bool) -> Rig {
    let mut simulation = simulator.open(&adder(), &cache(), trace).unwrap();
    simulation.tick().unwrap();
    let reset = simulation.port("rst_ni").unwrap();
    simulation.set(reset, &[1]);
    let port = |name: &str| simulation.port(name).unwrap();
    Rig {
        inputs: INPUTS.map(|(name, _)| port(name)).to_vec(),
        outputs: OUTPUTS.map(port).to_vec(),
        simulation,
    }
}

impl Rig {
    fn set(&mut self, values: [u128; 4]) {
        for (&port, value) in self.inputs.iter().zip(values) {
            let count = self.simulation.signals().words(port);
            self.simulation.set(port, &words(value, count));
        }
    }

    fn get(&self) -> Vec<u128> {
        let get = |&port| value(self.simulation.get(port));
        self.outputs.iter().map(get).collect()
    }
}

fn stimulus(random: &mut Random) -> [u128; 4] {
    INPUTS.map(|(_, width)| {
        let bits = [0; 4].map(|_| random.next_u32());
        match random.below(4) {
            0 => mask(width),
            _ => value(&bits) & mask(width),
        }
    })
}

#[test]
fn adder_random_ticks_vs_rust() {
    println!("seed {SEED}");
    for &simulator in Simulator::ALL {
        let mut rig = rig(simulator, false);
        let mut model = Adder::default();
        let mut random = Random::new(SEED);
        for clock in 0..500 {
            let inputs = stimulus(&mut random);
            rig.set(inputs);
            rig.simulation.tick().unwrap();
            // Before the edge: the registers hold what the clocks before made of them.
            assert_eq!(rig.get(), model.outputs(inputs), "{simulator:?} {clock}");
            model.clock(inputs);
            if random.below(4) == 0 {
                // After it, and with another input: no clock, no change of a register.
                let inputs = stimulus(&mut random);
                rig.set(inputs);
                rig.simulation.eval().unwrap();
                assert_eq!(rig.get(), model.outputs(inputs), "{simulator:?} {clock}");
            }
        }
    }
}

#[test]
fn adder_batches_vs_single_ticks() {
    println!("seed {SEED}");
    for &simulator in Simulator::ALL {
        let mut single = rig(simulator, false);
        let mut many = rig(simulator, false);
        let mut random = Random::new(SEED);
        for count in [0, 1, 2, 1000] {
            let (mut input_words, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let inputs = stimulus(&mut random);
                // All but the word, which keeps its value of the last set.
                single.set([inputs[0], 77, inputs[2], inputs[3]]);
                for (value, count) in [(inputs[3], 4), (inputs[0], 1), (inputs[2], 2)] {
                    // Bits beyond a port's width are dropped.
                    let last = if count == 1 { 1 << 31 } else { 0 };
                    input_words.extend(words(value | last, count));
                }
                single.simulation.tick().unwrap();
                for output in [4, 1, 2, 3] {
                    expected.extend(single.simulation.get(single.outputs[output]));
                }
            }
            many.set([0, 77, 0, 0]);
            let batch = Batch {
                step: Step::Tick,
                count,
                inputs: &[many.inputs[3], many.inputs[0], many.inputs[2]],
                words: &input_words,
                outputs: &[4, 1, 2, 3].map(|i: usize| many.outputs[i]),
            };
            let mut results = vec![0; batch.output_words(many.simulation.signals())];
            many.simulation.batch(&batch, &mut results).unwrap();
            assert_eq!(results, expected, "{simulator:?}, {count} rows");
            assert_eq!(many.simulation.time(), single.simulation.time());
        }
    }
}

#[test]
fn inverter_all_codes_vs_rust() {
    for &simulator in Simulator::ALL {
        let mut simulation = simulator.open(&inverter(), &cache(), false).unwrap();
        let (d, q) = (
            simulation.port("d_i").unwrap(),
            simulation.port("q_o").unwrap(),
        );
        let codes: Vec<u32> = (0..512).collect();
        let batch = Batch {
            step: Step::Eval,
            count: codes.len(),
            inputs: &[d],
            words: &codes,
            outputs: &[q],
        };
        let mut results = vec![0; codes.len()];
        simulation.batch(&batch, &mut results).unwrap();
        for (code, result) in codes.iter().zip(&results) {
            assert_eq!(*result, !code & 0x1ff, "{simulator:?}");
        }
        assert!(matches!(simulation.tick(), Err(CosimError::NoClock { .. })));
        let short = simulation.batch(&batch, &mut results[1..]).unwrap_err();
        assert_eq!(
            short.to_string(),
            "a batch of 512 rows needs 512 output words and has 511"
        );
    }
}

#[test]
fn unreset_registers_are_unknown_to_icarus_alone() {
    for &simulator in Simulator::ALL {
        let mut simulation = simulator.open(&adder(), &cache(), false).unwrap();
        let (word, now) = (
            simulation.port("word_o").unwrap(),
            simulation.port("now_o").unwrap(),
        );
        simulation.eval().unwrap();
        let expected = match simulator {
            Simulator::Verilator => 0,
            Simulator::Icarus => u32::MAX,
        };
        assert_eq!(simulation.signals().unknown(word), [expected]);
        assert_eq!(simulation.get(word), [0]);
        assert_eq!(simulation.signals().unknown(now), [0]);
        assert_eq!(simulation.get(now), [1]);
    }
}

#[test]
fn waveform_shows_signals_and_times() {
    let folder = tempfile::tempdir().unwrap();
    for &simulator in Simulator::ALL {
        let path = folder
            .path()
            .join(format!("with space {}.vcd", simulator.name()));
        let mut rig = rig(simulator, true);
        rig.simulation.start_trace(&path).unwrap();
        let again = rig.simulation.start_trace(&path).unwrap_err();
        assert!(again.to_string().contains("being written"), "{again}");
        rig.set([1, 0x1234_5678, 3, 4]);
        for _ in 0..3 {
            rig.simulation.tick().unwrap();
        }
        rig.simulation.stop_trace().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for (name, _) in INPUTS {
            assert!(text.contains(name), "{simulator:?}: no {name}");
        }
        let sum = format!("{:b} ", 0x1234_5678 * 2);
        assert!(text.contains(&sum), "{simulator:?}: no {sum}");
        // The tick of the reset was at 0 and 1.
        for time in ["#3\n", "#4\n", "#5\n", "#6\n", "#7\n"] {
            assert!(text.contains(time), "{simulator:?}: no {time}");
        }
        rig.simulation.tick().unwrap();
        assert_eq!(rig.simulation.time(), 10);

        let mut rig = self::rig(simulator, false);
        let refused = rig.simulation.start_trace(&path).unwrap_err();
        assert!(refused.to_string().contains("without tracing"), "{refused}");
    }
}

#[test]
fn dropped_simulation_leaves_a_whole_waveform() {
    let folder = tempfile::tempdir().unwrap();
    for &simulator in Simulator::ALL {
        let path = folder.path().join(format!("{}.vcd", simulator.name()));
        let mut rig = rig(simulator, true);
        rig.simulation.start_trace(&path).unwrap();
        for _ in 0..50 {
            rig.simulation.tick().unwrap();
        }
        drop(rig);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("#100\n"), "{simulator:?}");
    }
}

#[test]
fn unwritable_waveform_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("x.vcd");
    for &simulator in Simulator::ALL {
        let mut rig = rig(simulator, true);
        let error = rig.simulation.start_trace(&path).unwrap_err();
        assert!(error.to_string().contains("x.vcd"), "{error}");
        rig.simulation.tick().unwrap();
    }
}

#[test]
fn unknown_port_is_named() {
    let simulation = Simulator::Icarus
        .open(&inverter(), &cache(), false)
        .unwrap();
    let error = simulation.port("clk_i").unwrap_err().to_string();
    assert_eq!(
        error,
        "test_inverter has no port 'clk_i' (it has: d_i, q_o)"
    );
}

#[test]
fn bad_verilog_shows_the_tools_first_lines() {
    let source =
        "module test_bad (output wire q_o);\n    assign q_o = nowhere;\n    xyzzy\nendmodule\n";
    for (simulator, tool) in [
        (Simulator::Verilator, "verilator failed"),
        (Simulator::Icarus, "iverilog failed"),
    ] {
        let bad = design("test_bad", source, &[], &[("q_o", 1)]);
        let Err(error) = simulator.open(&bad, &cache(), false) else {
            panic!("{simulator:?} built what is no Verilog");
        };
        let error = error.to_string();
        assert!(
            error.contains(tool) && error.contains("test_bad.v"),
            "{error}"
        );
        assert!(error.contains("syntax error"), "{error}");
        assert!(error.lines().count() <= 14, "{error}");
    }
}
