//! Every accumulator of the contract in the Verilog, unit by unit, against the golden model.

mod blocks;
mod captures;
mod cores;
mod pe;
mod stimulus;

use std::time::Instant;

use pe::{Case, Rig, golden};
use quaver_contract::accumulator::TABLE;
use quaver_contract::profile::PROFILES;
use quaver_contract::{Accumulator, CoreConfig, Format, Formats};
use quaver_tests::{Tier, config, require, tier};
use quaver_verify::Random;
use stimulus::Stimulus;

const SEED: u64 = 0x0acc;
/// Blocks of every accumulator, and of every further shape of it.
const BLOCKS: usize = 1_000_000;
const FEW_BLOCKS: usize = 50_000;
/// Cases that are simulated in one call.
const CHUNK: usize = 1 << 13;

/// Formats with other widths, kinds of specials and encodings than those of the chips.
const OTHER_FORMATS: &[&[&str]] = &[&["e5m2", "mxint8", "e2m3fn"], &["binary8p3se", "e5m2fnuz"]];

/// A core around one PE.
fn core(name: &str, accumulator: Accumulator, formats: &[&str], pe_latency: usize) -> CoreConfig {
    let table = Formats::default();
    CoreConfig {
        name: format!("{name}_l{pe_latency}"),
        accumulator,
        accumulator_name: accumulator.name(),
        pe_latency,
        operand_formats: formats.iter().map(|f| table.get(f).unwrap()).collect(),
        ..config("single")
    }
}

/// The formats of the chips that have the accumulator, or of any chip.
fn formats_of(name: &str) -> &'static [&'static str] {
    let of_chip = PROFILES
        .iter()
        .find(|profile| profile.accumulator().is_ok_and(|row| row.name == name));
    of_chip.map_or(&["e4m3fn", "e5m2"], |profile| profile.operand_formats)
}

fn latencies(accumulator: &Accumulator) -> std::ops::RangeInclusive<usize> {
    match accumulator {
        Accumulator::Exact => 1..=2,
        _ => 1..=5,
    }
}

/// Compares at least that many blocks, every one the first of a case or a later one.
fn check(config: &CoreConfig, blocks: usize) {
    let started = Instant::now();
    let mut rig = Rig::open(config);
    let stimulus = Stimulus::new(config);
    let mut random = Random::new(SEED, &config.name);
    let (mut done, mut cases) = (0, 0);
    while done < blocks {
        let chunk: Vec<Case> = (0..CHUNK.min(blocks))
            .map(|_| stimulus.case(&mut random))
            .collect();
        let results = rig.run(&chunk);
        for (case, result) in chunk.iter().zip(results) {
            let expected = golden(config, case);
            assert_eq!(
                result, expected,
                "{}, seed {SEED:#x}: RTL {result:08x}, golden {expected:08x}, {case:x?}",
                config.name
            );
            done += case.blocks(config);
            cases += 1;
        }
    }
    assert!(done > 0);
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{}: {done} blocks in {cases} sums, seed {SEED:#x}, {seconds:.1} s",
        config.name
    );
}

fn blocks(quick: usize) -> usize {
    match tier() {
        Tier::Quick | Tier::Exhaustive => quick,
        Tier::Extensive => 10 * quick,
    }
}

#[test]
fn every_accumulator_vs_golden() {
    require(&["verilator"]);
    assert!(!TABLE.is_empty());
    for row in TABLE {
        check(
            &core(row.name, row.accumulator, formats_of(row.name), 1),
            blocks(BLOCKS),
        );
    }
}

/// Pipelined: the deepest in the quick tier, all in the others.
#[test]
fn every_latency_vs_golden() {
    require(&["verilator"]);
    let mut checked = 0;
    for row in TABLE {
        let all = latencies(&row.accumulator);
        let chosen: Vec<usize> = match tier() {
            Tier::Quick => vec![*all.end()],
            Tier::Exhaustive | Tier::Extensive => all.skip(1).collect(),
        };
        for latency in chosen {
            check(
                &core(row.name, row.accumulator, formats_of(row.name), latency),
                blocks(FEW_BLOCKS),
            );
            checked += 1;
        }
    }
    assert!(checked > 0);
}

/// Products of other widths and exponents than those that the chips multiply.
#[test]
fn every_accumulator_with_other_formats_vs_golden() {
    require(&["verilator"]);
    let mut checked = 0;
    for row in TABLE {
        for (set, formats) in OTHER_FORMATS.iter().enumerate() {
            let name = format!("{}_formats{set}", row.name);
            check(
                &core(&name, row.accumulator, formats, 2),
                blocks(FEW_BLOCKS),
            );
            checked += 1;
        }
    }
    assert!(checked > 0);
}

/// The formats of a case's operands, by their place in the configuration.
fn format(config: &CoreConfig, index: usize) -> &'static Format {
    config.operand_formats[index]
}
