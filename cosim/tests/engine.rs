//! The generated core on both simulators, against the host's f32.

mod support;

use quaver_contract::config::Dataflow;
use quaver_contract::{Conversion, CoreConfig, Engine as _, Formats, Rounding};
use quaver_cosim::{
    DriveError, PerStream, Random, Response, RtlEngine, RtlOptions, Simulator, StallPattern,
};
use support::cache;
use support::gemm::{OwnedJob, format};

const SEED: u64 = 0x9e;

fn engine(config: &str, simulator: Simulator) -> RtlEngine {
    let config = CoreConfig::load(config, &Formats::default()).unwrap();
    RtlEngine::new(&config, RtlOptions::new(simulator, cache())).unwrap()
}

/// Nothing, one of everything, exact tiles, one more and one less, several tiles each way.
fn shapes(config: &CoreConfig) -> Vec<[usize; 3]> {
    let (m, n, k) = (config.tile_rows.min(12), config.cols, config.tile_k());
    vec![
        [0, 0, 0],
        [0, 3, 3],
        [3, 0, 3],
        [3, 4, 0],
        [1, 1, 0],
        [1, 1, 1],
        [m, n, k],
        [m + 1, n + 1, k + 1],
        [m.max(2) - 1, n.max(2) - 1, k.max(2) - 1],
        [2 * m + 1, 2 * n + 1, 3 * k + 1],
        [1, 5 * n, 1],
        [5, 1, 7 * k],
    ]
}

fn stall_patterns(seed: u64) -> [StallPattern; 4] {
    let explicit = PerStream {
        a: vec![true, false],
        b: vec![],
        c: vec![false, false, true],
        p: vec![true, true, true, true, true, true, true, false],
        d: vec![true, true, false],
    };
    [
        StallPattern::None,
        StallPattern::random(seed, 0.3),
        StallPattern::random(seed, 0.8),
        StallPattern::Explicit(explicit),
    ]
}

/// Runs every shape with every stall pattern, without a reset between jobs.
fn check_shapes(name: &str, simulator: Simulator, rounds: u64) {
    let mut engine = engine(name, simulator);
    let mut cases = 0;
    for round in 0..rounds {
        for shape in shapes(engine.config()) {
            let seed = SEED + 1000 * round + cases;
            let mut random = Random::new(seed);
            let [m, n, k] = shape;
            let owned = OwnedJob::random(m, n, k, &mut random);
            for stalls in stall_patterns(seed) {
                let what = format!("{name} on {simulator:?}, {shape:?}, seed {seed}, {stalls:?}");
                engine.set_stalls(stalls).unwrap();
                engine.set_seed(seed);
                let result = engine
                    .run(&owned.job())
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                owned.check(&result.values, &what);
                let counters = result.counters.expect("a core counts");
                let tiles =
                    n.div_ceil(engine.config().cols) * k.div_ceil(engine.config().tile_k()).max(1);
                let launches = launches(engine.config(), m);
                assert_eq!(counters.rows, (launches * tiles) as u64, "{what}");
                assert_eq!(
                    engine.beat_cycles().len(),
                    m * n.div_ceil(engine.config().cols)
                );
                cases += 1;
            }
        }
    }
    assert!(cases > 0);
}

/// Rows of A, or of an output-stationary array groups of rows, that a step through K launches.
fn launches(config: &CoreConfig, m: usize) -> usize {
    match config.dataflow {
        Dataflow::WeightStationary => m,
        Dataflow::OutputStationary => {
            let whole = m / config.tile_rows * config.slots();
            whole + (m % config.tile_rows).div_ceil(config.rows)
        }
    }
}

#[test]
fn single_shapes_and_stalls_vs_host() {
    check_shapes("single", Simulator::Verilator, 5);
    check_shapes("single", Simulator::Icarus, 1);
}

#[test]
fn odd_shapes_and_stalls_vs_host() {
    check_shapes("odd", Simulator::Verilator, 5);
    check_shapes("odd", Simulator::Icarus, 1);
}

#[test]
fn output_stationary_shapes_and_stalls_vs_host() {
    check_shapes("os_4x4", Simulator::Verilator, 5);
    check_shapes("os_3x2", Simulator::Verilator, 5);
    check_shapes("os_3x2", Simulator::Icarus, 1);
}

#[test]
fn default_shapes_and_stalls_vs_host() {
    check_shapes("default", Simulator::Verilator, 2);
}

#[test]
fn simulators_and_seeds_agree_on_values_and_counters() {
    let mut verilator = engine("odd", Simulator::Verilator);
    let mut icarus = engine("odd", Simulator::Icarus);
    println!("seed {SEED}");
    let owned = OwnedJob::random(11, 7, 5, &mut Random::new(SEED));
    for stalls in stall_patterns(SEED) {
        verilator.set_stalls(stalls.clone()).unwrap();
        icarus.set_stalls(stalls).unwrap();
        // Ignored bits change neither values nor time.
        icarus.set_seed(77);
        let (a, b) = (verilator.run(&owned.job()), icarus.run(&owned.job()));
        assert_eq!(a.unwrap(), b.unwrap());
    }
}

#[test]
fn reset_and_abort_in_mid_job_leave_a_core_that_works() {
    let mut engine = engine("odd", Simulator::Verilator);
    println!("seed {SEED}");
    let long = OwnedJob::random(13, 10, 9, &mut Random::new(SEED));
    let next = OwnedJob::random(6, 5, 4, &mut Random::new(SEED + 1));
    engine.set_stalls(StallPattern::random(SEED, 0.3)).unwrap();
    let mut cases = 0;
    for clocks in (0..400).step_by(13) {
        for how in ["reset", "abort"] {
            let (long, next) = (long.job(), &next);
            let mut run = engine.begin(&long).unwrap();
            for _ in 0..clocks {
                assert!(
                    !run.step().unwrap(),
                    "the job is too short for {clocks} clocks"
                );
            }
            match how {
                "reset" => run.reset().unwrap(),
                _ => run.abort().unwrap(),
            }
            let result = engine.run(&next.job()).unwrap();
            next.check(&result.values, &format!("{how} after {clocks} clocks"));
            cases += 1;
        }
        // A run that is dropped is ended by the next one.
        let long = long.job();
        let mut run = engine.begin(&long).unwrap();
        assert!(!run.step().unwrap());
        drop(run);
    }
    assert!(cases > 0);
}

#[test]
fn writes_while_busy_are_refused_and_flagged() {
    let offset = quaver_contract::csr::offset;
    for &simulator in Simulator::ALL {
        let mut engine = engine("odd", simulator);
        let owned = OwnedJob::random(20, 5, 9, &mut Random::new(SEED));
        let (m, job) = (20, owned.job());
        let mut run = engine.begin(&job).unwrap();
        assert_eq!(run.write(offset("M"), 3).unwrap(), Response::SlaveError);
        // Busy and write_refused.
        assert_eq!(run.read(offset("STATUS")).unwrap(), (Response::Okay, 0b101));
        assert_eq!(run.read(offset("M")).unwrap(), (Response::Okay, m));
        // Starting again changes nothing.
        assert_eq!(run.write(offset("CONTROL"), 1).unwrap(), Response::Okay);
        let result = run.finish().unwrap();
        owned.check(&result.values, "after a refused write");
        // Done, and still flagged.
        assert_eq!(
            engine.read(offset("STATUS")).unwrap(),
            (Response::Okay, 0b110)
        );
        assert_eq!(engine.write(offset("M"), 3).unwrap(), Response::Okay);
        assert_eq!(engine.read(offset("M")).unwrap(), (Response::Okay, 3));
    }
}

#[test]
fn unknown_addresses_are_refused() {
    let mut engine = engine("single", Simulator::Verilator);
    let (mut known, mut refused) = (0, 0);
    for stalls in [StallPattern::None, StallPattern::random(SEED, 0.5)] {
        engine.set_stalls(stalls).unwrap();
        for offset in (0..0x1000).step_by(4) {
            let read = engine.read(offset).unwrap();
            if quaver_contract::csr::MAP.iter().any(|r| r.offset == offset) {
                assert_eq!(read.0, Response::Okay, "{offset:#x}");
                known += 1;
            } else {
                assert_eq!(read.0, Response::SlaveError, "{offset:#x}");
                let write = engine.write(offset, 0).unwrap();
                assert_eq!(write, Response::SlaveError, "{offset:#x}");
                refused += 1;
            }
        }
    }
    assert_eq!(known, 2 * quaver_contract::csr::MAP.len());
    assert!(refused > 0);
}

#[test]
fn features_that_the_configuration_lacks_are_named() {
    let mut engine = engine("single", Simulator::Icarus);
    let before = engine.cycle();
    let owned = OwnedJob::random(2, 2, 2, &mut Random::new(SEED));
    let mut job = owned.job();
    job.format_a = format("e4m3fnuz");
    let mut errors = vec![(
        job,
        "format_a = e4m3fnuz is not in configuration single (it has: e4m3fn, e5m2)",
    )];
    job = owned.job();
    job.output = Conversion::native(format("bf16"));
    errors.push((
        job,
        "output format = bf16 is not in configuration single (it has: fp32, e4m3fn)",
    ));
    job = owned.job();
    job.output = job.output.with_rounding(Rounding::Stochastic);
    errors.push((
        job,
        "output rounding = sr is not allowed (a job carries no random bits: rne, rz, ru, rd, rna)",
    ));
    job = owned.job();
    job.accumulator = quaver_contract::Accumulator::Exact;
    errors.push((
        job,
        "accumulator = exact is not in configuration single (it has: fp32)",
    ));
    for (job, expected) in errors {
        assert_eq!(engine.run(&job).unwrap_err().to_string(), expected);
    }
    assert_eq!(engine.cycle(), before, "nothing was clocked");
}

#[test]
fn result_cycles_are_in_the_order_of_the_beats() {
    let mut engine = engine("odd", Simulator::Verilator);
    let owned = OwnedJob::random(7, 5, 3, &mut Random::new(SEED));
    let start = engine.cycle();
    engine.run(&owned.job()).unwrap();
    let cycles = engine.beat_cycles().to_vec();
    assert_eq!(cycles.len(), 14);
    assert!(cycles.is_sorted_by(|a, b| a < b) && cycles[0] > start);
    // The second n tile begins with column 3.
    assert_eq!(engine.result_cycle(0, 2), Some(cycles[0]));
    assert_eq!(engine.result_cycle(6, 0), Some(cycles[6]));
    assert_eq!(engine.result_cycle(0, 3), Some(cycles[7]));
    assert_eq!(engine.result_cycle(6, 4), Some(cycles[13]));
    assert_eq!(engine.result_cycle(7, 0), None);
    assert_eq!(engine.result_cycle(0, 5), None);
}

#[test]
fn broken_core_is_reported_with_its_cycle_and_state() {
    let config = CoreConfig::load("single", &Formats::default()).unwrap();
    let whole = quaver_hdl::generate(&config).unwrap();
    // Each mutant replaces what a stream's port carries.
    let mutants = [
        ("m_axis_d_tlast", "1'b0", "tlast is 0, expected 1"),
        ("m_axis_d_tkeep", "4'h7", "tkeep of column 0 is 0x7"),
        ("m_axis_d_tvalid", "1'b0", "raised before the job's end"),
        (
            "s_axis_a_tready",
            "1'b0",
            "s_axis_a 0 beats taken, one offered",
        ),
    ];
    for (port, value, expected) in mutants {
        let mut design = whole.clone();
        let name = design.top.clone();
        let top = design
            .files
            .iter_mut()
            .find(|f| f.path.ends_with(&format!("/{name}.v")));
        let top = top.expect("the generated top is a file");
        let connection = top
            .contents
            .lines()
            .find(|l| l.trim_start().starts_with(&format!(".{port} ")));
        let connection = connection
            .expect("the top passes every port through")
            .to_owned();
        let open = connection.replace(&format!("({port})"), "()");
        assert_ne!(open, connection);
        let assign = format!("    assign {port} = {value};\nendmodule");
        top.contents = top
            .contents
            .replace(&connection, &open)
            .replace("endmodule", &assign);
        let options = RtlOptions::new(Simulator::Icarus, cache());
        let mut engine = RtlEngine::from_design(&config, &design, options).unwrap();
        let owned = OwnedJob::random(2, 2, 2, &mut Random::new(SEED));
        let error = engine.run(&owned.job()).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("cycle"),
            "{port}: {error}"
        );
        let again = engine.run(&owned.job()).unwrap_err().to_string();
        assert!(again.contains(expected), "{port}, after a reset: {again}");
    }
}

#[test]
fn waveform_of_a_job_has_every_stream() {
    let folder = tempfile::tempdir().unwrap();
    let config = CoreConfig::load("single", &Formats::default()).unwrap();
    for &simulator in Simulator::ALL {
        let path = folder.path().join("job.vcd");
        let options = RtlOptions {
            vcd: Some(path.clone()),
            ..RtlOptions::new(simulator, cache())
        };
        let mut engine = RtlEngine::new(&config, options).unwrap();
        let owned = OwnedJob::random(3, 2, 2, &mut Random::new(SEED));
        owned.check(&engine.run(&owned.job()).unwrap().values, "traced");
        let last = engine.beat_cycles().last().copied().unwrap();
        drop(engine);
        let text = std::fs::read_to_string(&path).unwrap();
        for signal in [
            "s_axis_a_tdata",
            "m_axis_d_tvalid",
            "s_axil_awaddr",
            "clk_i",
        ] {
            assert!(text.contains(signal), "{simulator:?}: no {signal}");
        }
        // The rising edge that took the last result.
        assert!(
            text.contains(&format!("#{}\n", 2 * last + 1)),
            "{simulator:?}"
        );
    }
}

#[test]
fn stalls_that_never_end_are_refused() {
    let mut engine = engine("single", Simulator::Icarus);
    let refused = engine.set_stalls(StallPattern::random(0, 1.0));
    assert!(matches!(refused, Err(DriveError::Option { .. })));
}
