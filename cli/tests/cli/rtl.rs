//! `quaver gemm` on the engines that simulate a core.

use quaver_cosim::Simulator;

use crate::gemm::codes;
use crate::support::Sandbox;

/// A job that uses everything, on the smallest core.
const JOB: &str = "gemm --a a.npy --b b.npy --format-a e4m3fn --format-b e5m2 --init init.npy \
    --scale-a 0.5 --scale-b columns.npy --bias bias.npy --relu --config single --json";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.save("a.npy", &[5, 6], codes(30, 3));
    sandbox.save("b.npy", &[6, 3], codes(18, 4));
    let numbers = |count: usize| (0..count).map(|i| i as f32 * 0.37 - 2.0).collect();
    sandbox.save::<f32>("init.npy", &[5, 3], numbers(15));
    sandbox.save::<f32>("columns.npy", &[3], numbers(3));
    sandbox.save::<f32>("bias.npy", &[3], numbers(3));
    sandbox
}

#[test]
fn rtl_vs_golden_on_every_simulator() {
    let sandbox = sandbox();
    sandbox
        .line(&format!("{JOB} --engine golden -o golden.npy"))
        .ok();
    let expected = std::fs::read(sandbox.path("golden.npy")).unwrap();
    assert!(!Simulator::ALL.is_empty());
    for simulator in Simulator::ALL {
        let name = simulator.name();
        let line = format!("{JOB} --engine rtl --simulator {name} -o rtl.npy");
        let report = sandbox.line(&line).json();
        assert_eq!(
            std::fs::read(sandbox.path("rtl.npy")).unwrap(),
            expected,
            "{name}"
        );
        assert_eq!(report["engine"], "rtl");
        assert_eq!(report["config"], "single");
        // One PE: each product takes a clock of its own.
        let cycles = report["cycles"].as_u64().unwrap();
        assert!(cycles >= 5 * 6 * 3, "{cycles}");
        assert_eq!(report["counters"]["cycles"].as_u64(), Some(cycles));

        let stalled = sandbox.line(&format!("{line} --stalls 9")).json();
        assert_eq!(
            std::fs::read(sandbox.path("rtl.npy")).unwrap(),
            expected,
            "{name}"
        );
        assert!(stalled["cycles"].as_u64().unwrap() > cycles);
        let waits: u64 = ["a", "b", "c", "p", "d"]
            .iter()
            .map(|stream| {
                stalled["counters"][format!("stall_{stream}")]
                    .as_u64()
                    .unwrap()
            })
            .sum();
        assert!(waits > 0);
    }
}

#[test]
fn cycle_vs_rtl_in_bits_and_counters() {
    let sandbox = sandbox();
    let stalls = ["none", "9", "10"];
    for stalls in stalls {
        let [rtl, cycle] = ["rtl", "cycle"].map(|engine| {
            let line = format!("{JOB} --engine {engine} --stalls {stalls} -o {engine}.npy");
            let report = sandbox.line(&line).json();
            let bits = std::fs::read(sandbox.path(&format!("{engine}.npy"))).unwrap();
            (report["counters"].clone(), bits)
        });
        assert!(rtl.0.is_object());
        assert_eq!(rtl, cycle, "stalls {stalls}");
    }
}

#[test]
fn waveforms_are_whole() {
    let sandbox = sandbox();
    for simulator in Simulator::ALL {
        let name = simulator.name();
        let before = sandbox.files();
        sandbox
            .line(&format!(
                "{JOB} --engine rtl --simulator {name} --vcd {name}.vcd -o {name}.npy"
            ))
            .ok();
        let text = std::fs::read_to_string(sandbox.path(&format!("{name}.vcd"))).unwrap();
        assert!(text.contains("$enddefinitions"), "{name}");
        assert!(text.contains("clk_i") && text.ends_with('\n'), "{name}");
        assert_eq!(sandbox.files().len(), before.len() + 2, "{name}");
    }
}

#[test]
fn what_the_core_or_the_machine_lacks_is_named() {
    let sandbox = sandbox();
    let before = sandbox.files();
    let job = "gemm --a a.npy --b b.npy --engine rtl --config single -o d.npy --vcd d.vcd";
    let cases: &[(&str, &[&str])] = &[
        (
            "--format-a e4m3 --format-b e5m2",
            &["format_a = e4m3", "single", "e4m3fn"],
        ),
        (
            "--format-a e5m2 --format-b e5m2 --out bf16",
            &["bf16", "single", "fp32"],
        ),
        (
            "--format-a e5m2 --format-b e5m2 --accumulator exact",
            &["exact", "single"],
        ),
    ];
    for (options, named) in cases {
        let outcome = sandbox.line(&format!("{job} {options}"));
        assert_eq!(outcome.code, Some(2), "{options}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        for name in *named {
            assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
        }
        assert_eq!(sandbox.files(), before);
    }
    for simulator in Simulator::ALL {
        let name = simulator.name();
        let line = format!("{JOB} --engine rtl --simulator {name} --cache cache -o d.npy");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = sandbox
            .command(&arguments)
            .env("PATH", "")
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains("was not found") && stderr.contains(name),
            "{stderr}"
        );
        assert!(!sandbox.path("d.npy").exists());
    }
}
