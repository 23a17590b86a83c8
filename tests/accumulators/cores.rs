//! Whole jobs, of many tiles, through generated cores of every accumulator.

use quaver_contract::accumulator::TABLE;
use quaver_contract::{Accumulator, CoreConfig, Formats};
use quaver_cosim::Simulator;
use quaver_tests::{artifacts, cache, require};
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

#[test]
fn jobs_on_cores_of_every_accumulator_vs_golden() {
    require(&["verilator"]);
    let cores = cores();
    assert!(!cores.is_empty());
    for core in cores {
        let options = Options {
            simulator: Simulator::Verilator,
            tier: Tier::Quick,
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
