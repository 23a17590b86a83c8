//! Every named configuration through the tools that the generated Verilog is meant for.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use quaver_contract::{CoreConfig, Formats};
use quaver_hdl::{Design, generate, unit, unit_names};

/// Warnings of Yosys that are understood: a part of the message, and why it is harmless. An entry
/// that no configuration needs any more fails the test.
const EXPLAINED: &[(&str, &str)] = &[];

/// Runs a tool in a folder; its exit status and everything it says.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|e| panic!("cannot run {program}: {e}; scripts/setup installs it"));
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

/// Calls `check` with every named configuration's design and the folder that it was written to.
fn for_every_configuration(mut check: impl FnMut(&Design, &Path)) {
    let configs = CoreConfig::named(&Formats::default()).unwrap();
    assert!(!configs.is_empty());
    for config in &configs {
        let design = generate(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        design.write_to(folder.path()).unwrap();
        check(&design, folder.path());
    }
}

#[test]
fn verilator_lint_all_configurations() {
    for_every_configuration(|design, folder| {
        let list = format!("{}.f", design.config_name);
        let arguments = [
            "--lint-only",
            "-Wall",
            "--top-module",
            &design.top,
            "-f",
            &list,
        ];
        let (passed, said) = run(folder, "verilator", &arguments);
        assert!(passed && said.is_empty(), "{}:\n{said}", design.top);
    });
}

/// Each unit on its own with its defaults: none depends on what only a core sets.
#[test]
fn verilator_lint_all_units() {
    let names = unit_names().unwrap();
    assert!(!names.is_empty());
    for name in names {
        let design = unit(&name, &[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        design.write_to(folder.path()).unwrap();
        let mut arguments = vec!["--lint-only", "-Wall", "--top-module", &design.top];
        arguments.extend(design.verilog_paths());
        let (passed, said) = run(folder.path(), "verilator", &arguments);
        assert!(passed && said.is_empty(), "{name}:\n{said}");
    }
}

/// The scripts as a user runs them, on the smallest core.
#[test]
fn yosys_scripts_synthesise_single() {
    let config = CoreConfig::load("single", &Formats::default()).unwrap();
    let design = generate(&config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    design.write_to(folder.path()).unwrap();
    for (script, result) in [
        ("synth.ys", "quaver_single.netlist.v"),
        ("synth_ecp5.ys", "quaver_single.json"),
    ] {
        let (passed, said) = run(folder.path(), "yosys", &["-Q", "-T", "-q", "-s", script]);
        assert!(passed && said.is_empty(), "{script}:\n{said}");
        let size = std::fs::metadata(folder.path().join(result)).unwrap().len();
        assert!(size > 0, "{result} is empty");
    }
}

#[test]
fn no_verilator_waiver_in_any_file() {
    for_every_configuration(|design, _| {
        for file in design.verilog() {
            let text = file.contents.to_lowercase();
            assert!(!text.contains("lint_off"), "{} waives a warning", file.path);
        }
    });
}

#[test]
fn icarus_elaborates_all_configurations() {
    for_every_configuration(|design, folder| {
        let list = format!("{}.f", design.config_name);
        let arguments = [
            "-g2005",
            "-Wall",
            "-t",
            "null",
            "-s",
            &design.top,
            "-f",
            &list,
        ];
        let (passed, said) = run(folder, "iverilog", &arguments);
        assert!(passed && said.is_empty(), "{}:\n{said}", design.top);
    });
}

#[test]
fn yosys_checks_all_configurations() {
    let mut used = BTreeSet::new();
    for_every_configuration(|design, folder| {
        let mut script = String::new();
        for path in design.verilog_paths() {
            script.push_str(&format!("read_verilog {path}\n"));
        }
        let top = &design.top;
        script.push_str(&format!(
            "hierarchy -check -top {top}\nproc\nselect -assert-none t:$dlatch t:$adlatch t:$_DLATCH_*\ncheck -assert\n"
        ));
        std::fs::write(folder.join("check.ys"), script).unwrap();
        let (passed, said) = run(folder, "yosys", &["-Q", "-T", "-s", "check.ys"]);
        let warnings = said.lines().filter(|l| l.contains("Warning:"));
        let mut unexplained = Vec::new();
        for warning in warnings {
            match EXPLAINED
                .iter()
                .position(|(part, _)| warning.contains(part))
            {
                Some(row) => {
                    used.insert(row);
                }
                None => unexplained.push(warning),
            }
        }
        let last: Vec<_> = said.lines().rev().take(20).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        assert!(passed, "{top}:\n{}", last.join("\n"));
        assert!(unexplained.is_empty(), "{top}:\n{}", unexplained.join("\n"));
    });
    for (row, (part, why)) in EXPLAINED.iter().enumerate() {
        assert!(used.contains(&row), "no longer needed: {part} ({why})");
    }
}
