//! Whole jobs, of many tiles, through generated cores of every accumulator.

use ndarray::Array2;
use quaver_contract::accumulator::TABLE;
use quaver_contract::config::Dataflow;
use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Conversion, CoreConfig, Engine, Formats, Job, Scale};
use quaver_cosim::{RtlEngine, RtlOptions, Simulator};
use quaver_golden::Golden;
use quaver_tests::{artifacts, cache, require, tier};
use quaver_verify::{Options, Suite, Tier, run_with};

use crate::{core, formats_of};

/// A named core of each accumulator that has one, and for the others one that is made here.
fn cores() -> Vec<CoreConfig> {
    let named = CoreConfig::named(&Formats::default()).unwrap();
    let of = |row: &quaver_contract::accumulator::AccumulatorRow| {
        let found = named
            .iter()
            .find(|config| config.accumulator == row.accumulator);
        found.cloned().unwrap_or_else(|| CoreConfig {
            rows: 2,
            cols: 3,
            tile_rows: 5,
            ..core(
                &format!("core_{}", row.name),
                row.accumulator,
                formats_of(row.name),
                2,
            )
        })
    };
    TABLE
        .iter()
        .filter(|row| row.accumulator != Accumulator::Fp32)
        .map(of)
        .collect()
}

/// An output-stationary core of each accumulator, the one of binary32 sums too.
fn output_stationary_cores() -> Vec<CoreConfig> {
    let of = |row: &quaver_contract::accumulator::AccumulatorRow| {
        let (rows, pe_latency) = (2, 2);
        let mut config = CoreConfig {
            rows,
            cols: 3,
            dataflow: Dataflow::OutputStationary,
            ..core(
                &format!("os_{}", row.name),
                row.accumulator,
                formats_of(row.name),
                pe_latency,
            )
        };
        config.tile_rows = rows * config.least_slots();
        config
    };
    TABLE.iter().map(of).collect()
}

#[test]
fn jobs_on_cores_of_every_accumulator_vs_golden() {
    jobs_vs_golden(cores(), Tier::Quick);
}

#[test]
fn jobs_on_output_stationary_cores_of_every_accumulator_vs_golden() {
    let tier = match tier() {
        quaver_tests::Tier::Quick => Tier::Smoke,
        _ => Tier::Quick,
    };
    jobs_vs_golden(output_stationary_cores(), tier);
}

fn jobs_vs_golden(cores: Vec<CoreConfig>, tier: Tier) {
    require(&["verilator"]);
    assert!(!cores.is_empty());
    for core in cores {
        let options = Options {
            simulator: Simulator::Verilator,
            tier,
            suites: vec![Suite::get("gemm").unwrap()],
            ..Options::new(
                core.clone(),
                artifacts(&format!("accumulators-{}", core.name)),
                cache(),
            )
        };
        let report = run_with(&options, |suite| {
            for failure in &suite.failures {
                println!("{failure}");
            }
        });
        assert_eq!(report.suites.len(), 1);
        for suite in &report.suites {
            println!(
                "{} ({}): {}",
                core.name,
                core.accumulator_name,
                suite.verdict()
            );
            assert!(suite.passed() && suite.cases > 0, "{}", core.name);
        }
    }
}

/// The longest sum of the largest products that a core with the exact accumulator takes, with
/// either sign, and one term more.
#[test]
fn exact_sums_at_the_bound_of_k_vs_golden() {
    require(&["verilator"]);
    let config = quaver_tests::config("exact_4x4");
    let options = RtlOptions::new(Simulator::Verilator, cache());
    let mut rtl = RtlEngine::new(&config, options).unwrap();
    let format = config.operand_formats[0];
    let most = config.max_k().unwrap() as usize;
    let largest = format.max_code() as u8;
    let sign = (format.code_mask() ^ format.magnitude_mask()) as u8;
    let mut run = |k: usize, sign: u8| {
        let (a, b) = (
            Array2::from_elem((1, k), largest),
            Array2::from_elem((k, 1), largest | sign),
        );
        let job = Job {
            a: a.view(),
            b: b.view(),
            format_a: format,
            format_b: format,
            accumulator: config.accumulator,
            init: None,
            blocks: None,
            scale: Scale::None,
            bias: None,
            relu: false,
            output: Conversion::native(FP32),
        };
        let expected = Golden.run(&job).unwrap().values;
        rtl.run(&job).map(|result| (result.values, expected))
    };
    for sign in [0, sign] {
        let (values, expected) = run(most, sign).unwrap();
        assert_eq!(values, expected);
    }
    let refused = run(most + 1, 0).unwrap_err().to_string();
    println!("K = {}: {refused}", most + 1);
    let (values, expected) = run(most - 1, 0).unwrap();
    assert_eq!(values, expected);
}
