//! Every suite on the named configurations: in full with Verilator, and smaller with Icarus.

use quaver_contract::{CoreConfig, Encoding, Format, Formats};
use quaver_cosim::Simulator;
use quaver_tests::{artifacts, cache, config, require, tier};
use quaver_verify::{Options, Report, SUITES, Suite, Tier, run_with};

/// The configuration on which the suites run in full.
const FULL: &str = "default";

/// The tier of the suites for the tier of the tests.
fn suites_tier() -> Tier {
    match tier() {
        quaver_tests::Tier::Quick => Tier::Quick,
        quaver_tests::Tier::Exhaustive => Tier::Exhaustive,
        quaver_tests::Tier::Extensive => Tier::Extensive,
    }
}

fn options(config: &CoreConfig, simulator: Simulator, tier: Tier, suites: &[&str]) -> Options {
    let folder = artifacts(&format!("{}-{}", config.name, simulator.name()));
    let named = suites
        .iter()
        .map(|name| Suite::get(name).expect("the suite is in the table"));
    Options {
        simulator,
        tier,
        suites: named.collect(),
        ..Options::new(config.clone(), folder, cache())
    }
}

/// Runs, prints what was covered, and fails with everything that a mismatch comes with.
fn run(options: &Options) -> Report {
    println!(
        "{} with {}, tier {}, seed {}",
        options.config.name,
        options.simulator.name(),
        options.tier.name(),
        options.seed
    );
    let report = run_with(options, |suite| {
        println!(
            "  {:<11} {:>6.1} s  {}",
            suite.name,
            suite.seconds,
            suite.verdict()
        );
        for failure in &suite.failures {
            println!("{failure}");
        }
    });
    assert!(!report.suites.is_empty());
    for suite in &report.suites {
        assert!(suite.passed(), "{}: {}", suite.name, suite.verdict());
    }
    report
}

fn all_suites() -> Vec<&'static str> {
    SUITES.iter().map(|suite| suite.name).collect()
}

#[test]
fn every_suite_on_the_default_core_vs_golden() {
    require(&["verilator"]);
    let tier = suites_tier();
    let report = run(&options(
        &config(FULL),
        Simulator::Verilator,
        tier,
        &all_suites(),
    ));
    let cases = |name| {
        report
            .suites
            .iter()
            .find(|s| s.name == name)
            .map(|s| s.cases)
    };
    // 256 x 256 products of each of 2 x 2 ordered pairs of formats.
    assert_eq!(cases("products"), Some(4 * 65_536));
    assert!(cases("accumulate") >= Some(10_000_000));
}

/// The other named cores; shapes and latencies are also compared by the suite `invariance` of the
/// test above, so here it would only build the same ones again.
#[test]
fn every_suite_on_every_other_named_core_vs_golden() {
    require(&["verilator"]);
    let tier = match suites_tier() {
        Tier::Quick => Tier::Smoke,
        longer => longer,
    };
    let suites: Vec<_> = all_suites()
        .into_iter()
        .filter(|name| *name != "invariance")
        .collect();
    let named = CoreConfig::named(&Formats::default()).expect("named configurations are legal");
    let mut cores = 0;
    for core in named.iter().filter(|core| core.name != FULL) {
        run(&options(core, Simulator::Verilator, tier, &suites));
        cores += 1;
    }
    assert!(cores > 0);
}

#[test]
fn every_suite_with_icarus_vs_golden() {
    require(&["iverilog", "vvp"]);
    run(&options(
        &config("odd"),
        Simulator::Icarus,
        Tier::Smoke,
        &all_suites(),
    ));
}

/// The table's formats, as many at a time as a core can have.
fn cores_of_all_formats(keep: impl Fn(&Format) -> bool) -> Vec<CoreConfig> {
    let all = Formats::default();
    let formats: Vec<_> = all
        .iter()
        .filter(|format| format.encoding != Encoding::PowerOfTwo && keep(format))
        .collect();
    let cores = formats
        .chunks(16)
        .enumerate()
        .map(|(part, formats)| CoreConfig {
            name: format!("formats_{part}"),
            operand_formats: formats.iter().copied().filter(|f| f.is_operand()).collect(),
            output_formats: formats.to_vec(),
            ..config("single")
        });
    cores.collect()
}

#[test]
fn decoder_of_every_operand_format_vs_golden() {
    require(&["verilator"]);
    let cores = cores_of_all_formats(Format::is_operand);
    assert!(!cores.is_empty());
    for core in cores {
        run(&options(
            &core,
            Simulator::Verilator,
            Tier::Quick,
            &["decode"],
        ));
    }
}

/// Every FP16 and BF16 input, and ten million others.
#[test]
fn encoder_of_every_output_format_vs_golden() {
    require(&["verilator"]);
    let cores = cores_of_all_formats(|_| true);
    assert!(!cores.is_empty());
    for core in cores {
        let report = run(&options(
            &core,
            Simulator::Verilator,
            suites_tier(),
            &["encode"],
        ));
        let least = 10_131_072 * core.output_formats.len() as u64;
        assert!(report.suites[0].cases >= least);
    }
}

#[test]
fn conversion_to_every_output_format_vs_golden() {
    require(&["verilator"]);
    let tier = match suites_tier() {
        Tier::Quick => Tier::Smoke,
        longer => longer,
    };
    let cores = cores_of_all_formats(|_| true);
    assert!(!cores.is_empty());
    for core in cores {
        run(&options(&core, Simulator::Verilator, tier, &["convert"]));
    }
}
