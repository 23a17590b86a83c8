//! A format that a file adds has conversions and hardware, and nothing else had to change.

use quaver_contract::{Conversion, CoreConfig, Format, Formats, Rounding};
use quaver_cosim::Simulator;
use quaver_fast::Isa;
use quaver_fast::convert::Converter;
use quaver_golden::{convert, to_fp32};
use quaver_tests::{artifacts, cache, config, require};
use quaver_verify::{Options, Suite, Tier, run_with};

/// Two layouts that are in no table.
const FILE: &str = r#"
[[format]]
name = "e5m1"
encoding = "float"
exponent_bits = 5
fraction_bits = 1
bias = 13
specials = "all_ones_nan"
source = "this test"

[[format]]
name = "fixed6"
encoding = "twos_complement"
exponent_bits = 0
fraction_bits = 5
bias = 2
specials = "none"
source = "this test"
"#;

/// The suites that say something of a format.
const SUITES: &[&str] = &["decode", "products", "encode", "convert", "gemm"];

fn added() -> Vec<&'static Format> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("formats.toml");
    std::fs::write(&path, FILE).expect("the file can be written");
    let mut formats = Formats::default();
    let known = formats.iter().count();
    formats.add_file(&path).expect("the file is legal");
    let added: Vec<_> = formats.iter().skip(known).collect();
    assert_eq!(added.len(), 2);
    added
}

#[test]
fn added_formats_convert() {
    let half = Formats::default().get("fp16").expect("it is in the table");
    let codes: Vec<u32> = (0..=half.code_mask()).collect();
    let mut cases = 0;
    for format in added() {
        for code in 0..=format.code_mask() {
            let fp32 = to_fp32(code, format);
            let back = convert(
                fp32,
                quaver_contract::formats::FP32,
                &Conversion::native(format),
                0,
            );
            let nan = f32::from_bits(fp32).is_nan();
            assert_eq!(
                back,
                if nan {
                    format.nan_code().expect("it has NaN")
                } else {
                    code
                }
            );
        }
        let roundings = Rounding::ALL.iter().filter(|r| **r != Rounding::Stochastic);
        let roundings: Vec<_> = roundings.copied().collect();
        for conversion in Conversion::all(format, &roundings) {
            let mut fast = vec![0u8; codes.len()];
            let converter = Converter::new(half, &conversion).expect("the conversion is legal");
            converter.slice(Isa::best(), &codes, &[], &mut fast);
            for (&code, &fast) in codes.iter().zip(&fast) {
                assert_eq!(
                    u32::from(fast),
                    convert(code, half, &conversion, 0),
                    "{code:#x} {conversion:?}"
                );
                cases += 1;
            }
        }
    }
    println!("{cases} conversions");
    assert!(cases > 0);
}

#[test]
fn added_formats_have_hardware() {
    require(&["iverilog", "vvp"]);
    let added = added();
    let core = CoreConfig {
        name: "added".to_owned(),
        operand_formats: added.clone(),
        output_formats: [quaver_contract::formats::FP32]
            .into_iter()
            .chain(added)
            .collect(),
        ..config("single")
    };
    quaver_hdl::generate(&core).expect("the core has hardware");
    let suites = SUITES
        .iter()
        .map(|name| Suite::get(name).expect("the suite is in the table"));
    let options = Options {
        simulator: Simulator::Icarus,
        tier: Tier::Smoke,
        suites: suites.collect(),
        ..Options::new(core, artifacts("added"), cache())
    };
    let report = run_with(&options, |suite| {
        println!("{}: {} cases", suite.name, suite.cases);
        for failure in &suite.failures {
            println!("{failure}");
        }
    });
    assert_eq!(report.suites.len(), SUITES.len());
    for suite in &report.suites {
        assert!(
            suite.passed() && suite.cases > 0,
            "{}: {}",
            suite.name,
            suite.verdict()
        );
    }
}
