//! `quaver formats`, `quaver configs` and `quaver profiles`.

use crate::support::Sandbox;
use quaver_contract::profile::PROFILES;
use quaver_contract::{CoreConfig, Formats};

#[test]
fn formats_table_names_every_row() {
    let text = Sandbox::new().line("formats").ok();
    let mut lines = text.lines().skip(1);
    let mut rows = 0;
    for format in Formats::default().iter() {
        let line = lines.next().unwrap();
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells[..2], [format.name, &format.bits().to_string()]);
        assert!(line.contains(format.source), "{line}");
        rows += 1;
    }
    assert!(rows > 0);
    assert_eq!(lines.next(), None);
}

#[test]
fn formats_json_derives_published_values() {
    // OCP OFP8 1.0, table 1 for E4M3 and E5M2; IEEE 754-2019, table 3.5 for binary16 and binary32.
    let published: &[(&str, f64, f64, Option<f64>, u64)] = &[
        ("e4m3fn", 448.0, 0.015625, Some(0.001953125), 254),
        ("e5m2", 57344.0, 2f64.powi(-14), Some(2f64.powi(-16)), 248),
        ("fp16", 65504.0, 2f64.powi(-14), Some(2f64.powi(-24)), 63488),
        (
            "fp32",
            f64::from(f32::MAX),
            f64::from(f32::MIN_POSITIVE),
            Some(2f64.powi(-149)),
            4_278_190_080,
        ),
        ("e8m0fnu", 2f64.powi(127), 2f64.powi(-127), None, 255),
        ("int4", 7.0, 1.0, None, 16),
    ];
    let sandbox = Sandbox::new();
    assert!(!published.is_empty());
    for &(name, max, min_normal, min_subnormal, finite) in published {
        let report = sandbox.run(&["formats", name, "--json"]).json();
        let row = &report["formats"][0];
        assert_eq!(row["name"], name);
        assert_eq!(row["max"]["value"].as_f64(), Some(max), "{name}");
        assert_eq!(
            row["min_normal"]["value"].as_f64(),
            Some(min_normal),
            "{name}"
        );
        assert_eq!(
            row["min_subnormal"]["value"].as_f64(),
            min_subnormal,
            "{name}"
        );
        assert_eq!(row["finite_codes"].as_u64(), Some(finite), "{name}");
    }
}

#[test]
fn codes_lists_every_code_with_its_value() {
    let sandbox = Sandbox::new();
    let report = sandbox
        .line("formats e4m3fn e2m1fn e4m3b3 --codes --json")
        .json();
    let listed: Vec<usize> = report["formats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["codes"].as_array().unwrap().len())
        .collect();
    assert_eq!(listed, [256, 16, 256]);
    let codes = &report["formats"][0]["codes"];
    assert_eq!(codes[0x7e]["exact"], "448");
    assert_eq!(codes[0x7e]["hex"], "0x1.cp+8");
    assert_eq!(codes[0x81]["value"].as_f64(), Some(-0.001953125));
    assert_eq!(codes[0xff]["exact"], "nan");
    assert!(codes[0xff]["value"].is_null());

    let text = sandbox.line("formats fp4 --codes").ok();
    assert!(
        text.lines()
            .any(|line| line.split_whitespace().eq(["f", "-6", "-0x1.8p+2"]))
    );
}

#[test]
fn formats_file_adds_rows() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "mine.toml",
        "[[format]]\nname = \"mine\"\nencoding = \"float\"\nexponent_bits = 3\nfraction_bits = 2\n\
         bias = 3\nspecials = \"none\"\nsource = \"a test\"\n",
    );
    let text = sandbox.line("formats mine --formats-file mine.toml").ok();
    assert!(text.contains("mine") && text.contains("a test"), "{text}");
    let all = sandbox
        .line("--formats-file mine.toml formats --json")
        .json();
    let rows = all["formats"].as_array().unwrap().len();
    assert_eq!(rows, Formats::default().iter().count() + 1);
}

#[test]
fn configs_lists_every_named_one() {
    let report = Sandbox::new().line("configs --json").json();
    let named = CoreConfig::named(&Formats::default()).unwrap();
    assert!(!named.is_empty());
    for (row, config) in report["configs"].as_array().unwrap().iter().zip(&named) {
        assert_eq!(row["name"], config.name.as_str());
        assert_eq!(row["rows"].as_u64(), Some(config.rows as u64));
    }
}

#[test]
fn profiles_lists_every_chip_with_its_evidence() {
    let report = Sandbox::new().line("profiles --json").json();
    let rows = report["profiles"].as_array().unwrap();
    assert!(!PROFILES.is_empty());
    assert_eq!(rows.len(), PROFILES.len());
    for (row, profile) in rows.iter().zip(PROFILES) {
        assert_eq!(row["name"], profile.name);
        assert_eq!(row["evidence"], profile.evidence.summary());
        assert_eq!(row["accumulator"].is_null(), profile.accumulator().is_err());
    }
}

#[test]
fn profiles_vectors_are_written_whole_and_repeat() {
    let sandbox = Sandbox::new();
    let text = sandbox
        .line("profiles --vectors x.npz --format e5m2 --seed 7")
        .ok();
    assert!(text.contains("dot products of e5m2"), "{text}");
    sandbox
        .line("profiles --vectors y.npz --format e5m2 --seed 7")
        .ok();
    let read = |name| std::fs::read(sandbox.path(name)).unwrap();
    assert!(!read("x.npz").is_empty());
    assert_eq!(read("x.npz"), read("y.npz"));
    assert_eq!(sandbox.files().len(), 2);
}
