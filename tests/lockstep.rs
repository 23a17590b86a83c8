//! The cycle model beside the RTL: every register at every clock.

use std::path::Path;

use quaver_contract::{CoreConfig, Engine as _, Formats, csr};
use quaver_cosim::{PerStream, RtlEngine, RtlOptions, Simulator, StallPattern};
use quaver_hdl::{Design, generate};
use quaver_sim::CycleEngine;
use quaver_sim::trace::{Replay, replay, wavediff};
use quaver_tests::{Tier, artifacts, cache, config, require, tier};
use quaver_verify::stimulus::jobs::JobSource;
use quaver_verify::{Coverage, Random};

/// Clocks of a waveform: 16 x 16 PEs write about 10 kB a clock.
const CLOCKS: u64 = 3_000;

fn stalls(random: &mut Random) -> StallPattern {
    let seed = random.bits64();
    match random.below(5) {
        0 => StallPattern::None,
        1 => StallPattern::random(seed, 0.05),
        2 => StallPattern::random(seed, 0.5),
        3 => StallPattern::Random {
            seed,
            probability: PerStream {
                d: 0.9,
                ..PerStream::default()
            },
        },
        _ => StallPattern::Random {
            seed,
            probability: PerStream {
                d: 0.0,
                ..PerStream::all(0.8)
            },
        },
    }
}

/// Writes random values to registers and starts what they say, mostly nonsense.
fn start_nonsense(engine: &mut RtlEngine, random: &mut Random) {
    for name in ["OPERANDS", "OUTPUT", "EPILOGUE", "SCALE"] {
        let value = random.bits32();
        engine
            .write(csr::offset(name), value)
            .expect("the bus answers");
    }
    engine
        .write(csr::offset("CONTROL"), 1)
        .expect("the bus answers");
    engine
        .write(csr::offset("CONTROL"), 2)
        .expect("the bus answers");
    for register in csr::MAP {
        engine.read(register.offset).expect("the bus answers");
    }
    engine.read(0xffc).expect("the bus answers");
}

/// Records random jobs with random stalls; some are aborted, reset, or written to in their middle.
fn record(config: &CoreConfig, design: &Design, vcd: &Path, seed: u64) -> usize {
    let options = RtlOptions {
        vcd: Some(vcd.to_owned()),
        ..RtlOptions::new(Simulator::Verilator, cache())
    };
    let mut engine = RtlEngine::from_design(config, design, options).expect("the core builds");
    let source = JobSource::new(config);
    let mut coverage = Coverage::default();
    let classes = source.declare(&mut coverage);
    let mut random = Random::new(seed, &config.name);
    let mut jobs = 0;
    while engine.cycle() < CLOCKS {
        let job = source.job(jobs, &mut random, &classes, &mut coverage);
        engine
            .set_stalls(stalls(&mut random))
            .expect("the pattern moves");
        engine.set_seed(random.bits64());
        jobs += 1;
        let ending = random.below(8);
        let mut run = engine.begin(&job.job()).expect("the job is legal");
        let mut left = match ending {
            0..3 => random.below(200),
            _ => (CLOCKS / 3) as usize,
        };
        let mut ended = false;
        while left > 0 && !ended {
            ended = run.step().expect("the job moves");
            left -= 1;
            if ending == 3 && left % 16 == 0 {
                run.write(csr::offset("M"), 7).expect("the bus answers");
            }
        }
        match ending {
            // What is left of a long job is reset too.
            0 => run.reset().expect("the core resets"),
            _ if ended => drop(run.finish().expect("the job ends")),
            _ => run.abort().expect("the core answers"),
        }
        if ending == 1 {
            start_nonsense(&mut engine, &mut random);
        }
    }
    engine.stop_trace().expect("the waveform is written");
    jobs
}

fn check(config: &CoreConfig, replay: &Replay, vcd: &Path, seed: u64) {
    if let Some(divergence) = &replay.divergence {
        panic!(
            "{} with seed {seed}: {divergence}; waveform {}",
            config.name,
            vcd.display()
        );
    }
    assert!(replay.cycles >= CLOCKS && replay.registers > 100);
}

#[test]
fn every_register_of_every_named_core_vs_verilator() {
    require(&["verilator", "g++"]);
    let folder = artifacts("lockstep");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let configs = CoreConfig::named(&Formats::default()).expect("the named ones are legal");
    assert!(!configs.is_empty());
    let wanted = match tier() {
        Tier::Quick => 12,
        Tier::Exhaustive => 50,
        Tier::Extensive => 200,
    };
    for config in &configs {
        let design = generate(config).expect("the core can be generated");
        let (mut jobs, mut cycles) = (0, 0);
        for seed in 0.. {
            let vcd = folder.join(format!("{}-{seed}.vcd", config.name));
            jobs += record(config, &design, &vcd, seed);
            let replay = replay(config, &vcd).expect("the waveform has every register");
            check(config, &replay, &vcd, seed);
            std::fs::remove_file(&vcd).expect("the waveform is there");
            cycles += replay.cycles;
            let Replay {
                registers, bits, ..
            } = replay;
            if jobs >= wanted {
                println!(
                    "{}: {jobs} jobs from {} seeds, {cycles} cycles, {registers} registers, {bits} bits",
                    config.name,
                    seed + 1
                );
                break;
            }
        }
    }
}

#[test]
fn waveform_of_the_model_vs_verilator() {
    require(&["verilator", "g++"]);
    let folder = artifacts("lockstep-waveforms");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let config = config("odd");
    let paths = ["rtl.vcd", "cycle.vcd"].map(|name| folder.join(name));
    let (stalls, seed) = (StallPattern::random(5, 0.3), 5);
    let options = RtlOptions {
        vcd: Some(paths[0].clone()),
        stalls: stalls.clone(),
        seed,
        ..RtlOptions::new(Simulator::Verilator, cache())
    };
    let mut rtl = RtlEngine::new(&config, options).expect("the core builds");
    let mut cycle = CycleEngine::traced(&config, stalls, seed, &paths[1]).expect("a legal core");
    let source = JobSource::new(&config);
    let mut coverage = Coverage::default();
    let classes = source.declare(&mut coverage);
    let mut random = Random::new(seed, "waveforms");
    for index in 0..10 {
        let job = source.job(index, &mut random, &classes, &mut coverage);
        rtl.run(&job.job()).expect("the core runs it");
        cycle.run(&job.job()).expect("the model runs it");
    }
    rtl.stop_trace().expect("the waveform is written");
    cycle.stop_trace().expect("the waveform is written");
    let diff = wavediff(&paths[0], &paths[1]).expect("two waveforms of a core");
    println!("{} variables, {} cycles", diff.common, diff.cycles);
    assert_eq!(diff.divergence, None);
    // Every register, and the ports.
    let replay = replay(&config, &paths[0]).expect("the waveform has every register");
    assert!(
        diff.common > 200 && diff.cycles + 1 >= replay.cycles,
        "{diff:?}"
    );
}

/// Mistakes in the RTL's timing or state, and the register that shows each first.
const MUTATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "rtl/quaver_preloader.v",
        "bank_q <= !bank_q;",
        "bank_q <= bank_q;",
        "u_core.u_preloader.bank_q",
    ),
    (
        "rtl/quaver_loader.v",
        "travel_q <= SWAP_TRAVEL[TRAVEL_W-1:0];",
        "travel_q <= SWAP_TRAVEL[TRAVEL_W-1:0] - 1'b1;",
        "u_core.u_loader.travel_q",
    ),
    (
        "rtl/quaver_pe.v",
        "if (swap_i)  active_q <= shadow_q;",
        "if (swap_q)  active_q <= shadow_q;",
        "u_core.u_array.gen_row[0].gen_col[0].u_pe.active_q",
    ),
];

#[test]
fn first_divergence_of_a_mutated_core_is_named() {
    require(&["verilator", "g++"]);
    let folder = artifacts("lockstep-mutations");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let config = config("odd");
    for (index, &(file, right, wrong, register)) in MUTATIONS.iter().enumerate() {
        let mut design = generate(&config).expect("the core can be generated");
        let source = design
            .files
            .iter_mut()
            .find(|f| f.path == file)
            .expect("a unit");
        assert!(source.contents.contains(right), "{file} has no {right}");
        source.contents = source.contents.replace(right, wrong);
        let vcd = folder.join(format!("{index}.vcd"));
        record_plain(&config, &design, &vcd);
        let replay = replay(&config, &vcd).expect("the waveform has every register");
        let divergence = replay.divergence.expect("the mistake shows");
        println!("{file}: {divergence}");
        assert_eq!(divergence.register, register, "{divergence}");
    }
}

/// Records the clocks of one job, whether or not it ends well.
fn record_plain(config: &CoreConfig, design: &Design, vcd: &Path) {
    let options = RtlOptions {
        vcd: Some(vcd.to_owned()),
        ..RtlOptions::new(Simulator::Verilator, cache())
    };
    let mut engine = RtlEngine::from_design(config, design, options).expect("the core builds");
    let source = JobSource::new(config);
    let mut coverage = Coverage::default();
    let classes = source.declare(&mut coverage);
    let mut random = Random::new(1, "mutations");
    let job = (0..)
        .map(|index| source.job(index, &mut random, &classes, &mut coverage))
        .find(|job| job.a.nrows() > config.tile_rows && job.a.ncols() > 2 * config.rows)
        .expect("jobs are endless");
    let mut run = engine.begin(&job.job()).expect("the job is legal");
    for _ in 0..300 {
        if !matches!(run.step(), Ok(false)) {
            break;
        }
    }
    drop(run);
    engine.stop_trace().expect("the waveform is written");
}
