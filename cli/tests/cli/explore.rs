//! `quaver explore`.

use serde_json::Value;

use crate::support::Sandbox;

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_layer_vs_hand_and_simulate() {
    let sandbox = Sandbox::new();
    let layer = "--layer gemm:100,40,64";
    let report = sandbox
        .line(&format!(
            "explore {layer} --config small --config os_4x4 --json"
        ))
        .json();
    let designs = report["designs"].as_array().unwrap();
    assert_eq!(designs.len(), 2);
    for design in designs {
        let config = design["config"].as_str().unwrap();
        let plain = sandbox
            .line(&format!("simulate {layer} --config {config} --json"))
            .json();
        let waiting = number(&design["cycles"]) - number(&plain["cycles"]);
        assert_eq!(number(&design["waiting_cycles"]), waiting);
        assert!(waiting > 0.0);
        assert_eq!(design["macs"], 100 * 40 * 64);
        // Both operands fit in their buffers, so each is read once; results are FP32.
        assert_eq!(design["bytes_read"]["a"], 100 * 64);
        assert_eq!(design["bytes_read"]["b"], 40 * 64);
        assert_eq!(design["bytes_written"], 100 * 40 * 4);
        let energy = &design["energy"];
        let moved = (100 * 64 + 40 * 64 + 100 * 40 * 4) as f64;
        assert!((number(&energy["memory_uj"]) - moved * 243.75e-6).abs() < 1e-9);
        let compute = 100.0 * 40.0 * 64.0 * 1.1e-6;
        assert!((number(&energy["compute_uj"]) - compute).abs() < 1e-9);
    }
}

#[test]
fn slower_memories_cost_more_and_every_named_core_is_priced() {
    let sandbox = Sandbox::new();
    let run = |options: &str| {
        let report = sandbox
            .line(&format!("explore --layer linear:8,256,96 {options} --json"))
            .json();
        report["designs"].as_array().unwrap().clone()
    };
    let names = |designs: &[Value], key: &str| {
        let name = |design: &Value| design[key].as_str().unwrap().to_owned();
        designs.iter().map(name).collect::<Vec<_>>()
    };
    let fast = run("--bandwidth 1000 --latency 0");
    let slow = run("--bandwidth 1/3 --latency 500");
    let configs = sandbox.line("configs --json").json();
    let configs = configs["configs"].as_array().unwrap();
    assert_eq!(names(&fast, "config"), names(configs, "name"));
    for (fast, slow) in fast.iter().zip(&slow) {
        assert!(
            number(&fast["cycles"]) < number(&slow["cycles"]),
            "{fast} {slow}"
        );
        assert!(number(&slow["roof_macs_per_cycle"]) <= number(&fast["roof_macs_per_cycle"]));
        assert!(number(&fast["kilo_luts"]) > 0.0 && number(&fast["relative_error"]) >= 0.0);
    }
}

#[test]
fn a_picture_and_another_table_of_energies() {
    let sandbox = Sandbox::new();
    let table = include_str!("../../../study/energy.toml");
    sandbox.write(
        "mine.toml",
        table.replace("multiply = 0.2", "multiply = 1.2"),
    );
    let line = "explore --layer gemm:10,10,1000 --config small --json";
    let compute = |options: &str| {
        let report = sandbox.line(&format!("{line} {options}")).json();
        number(&report["designs"][0]["energy"]["compute_uj"])
    };
    let difference = compute("--energy mine.toml") - compute("--svg designs.svg");
    assert!((difference - 0.1).abs() < 1e-9, "{difference}");
    let picture = std::fs::read_to_string(sandbox.path("designs.svg")).unwrap();
    for text in ["<svg", "small", "kLUT4", "relative error", "</svg>"] {
        assert!(picture.contains(text), "{text}");
    }
}
