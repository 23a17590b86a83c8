//! `quaver verify`.

use quaver_verify::SUITES;

use crate::support::Sandbox;

/// Two quick suites on the smallest core.
const RUN: &str = "verify relu decode --config single --tier smoke --simulator icarus";

#[test]
fn list_names_every_suite() {
    let sandbox = Sandbox::new();
    let text = sandbox.line("verify --list").ok();
    let report = sandbox.line("verify --list --json").json();
    let listed = report["suites"].as_array().unwrap();
    assert!(!SUITES.is_empty());
    assert_eq!(listed.len(), SUITES.len());
    for ((row, line), suite) in listed.iter().zip(text.lines()).zip(SUITES) {
        assert_eq!(row["name"], suite.name);
        assert!(line.starts_with(suite.name) && line.ends_with(suite.summary));
    }
}

#[test]
fn the_cycle_model_has_a_suite_of_its_own() {
    let sandbox = Sandbox::new();
    let run = "verify --engine cycle --config single --tier smoke --simulator icarus --json";
    let report = sandbox.line(run).json();
    let suites = report["suites"].as_array().unwrap();
    assert_eq!(suites.len(), 1);
    assert_eq!(
        (&suites[0]["name"], &suites[0]["mismatches"]),
        (&"cycle".into(), &0.into())
    );
    assert!(suites[0]["cases"].as_u64().unwrap() > 0);
    let outcome = sandbox.line("verify products --engine cycle --config single");
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("suite products"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn suites_that_agree_end_with_0() {
    let sandbox = Sandbox::new();
    let text = sandbox.line(&format!("{RUN} --seed 77")).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[0].contains("single") && lines[0].contains("icarus"),
        "{text}"
    );
    assert!(
        lines[0].contains("smoke") && lines[0].ends_with("seed 77"),
        "{text}"
    );
    for (line, name) in lines[1..].iter().zip(["relu", "decode"]) {
        assert!(line.starts_with("pass") && line.contains(name), "{line}");
        assert!(line.contains("cases") && line.ends_with(" s)"), "{line}");
    }
    // Nothing is left where there is nothing to show.
    assert!(sandbox.files().is_empty());
}

#[test]
fn json_is_one_object_with_seed_and_suites() {
    let sandbox = Sandbox::new();
    let report = sandbox
        .line(&format!("{RUN} --json --junit report.xml"))
        .json();
    assert_eq!(report["passed"], true);
    assert_eq!(report["seed"].as_u64(), Some(1));
    assert_eq!(report["config"], "single");
    let suites = report["suites"].as_array().unwrap();
    assert_eq!(suites.len(), 2);
    for (suite, name) in suites.iter().zip(["relu", "decode"]) {
        assert_eq!(suite["name"], name);
        assert!(suite["cases"].as_u64().unwrap() > 0);
        assert_eq!(suite["mismatches"].as_u64(), Some(0));
    }
    let junit = std::fs::read_to_string(sandbox.path("report.xml")).unwrap();
    assert!(
        junit.starts_with("<?xml") && junit.contains("failures=\"0\""),
        "{junit}"
    );
    assert_eq!(junit.matches("<testcase ").count(), 2);
}

#[test]
fn missing_simulators_end_with_2() {
    let sandbox = Sandbox::new();
    let arguments: Vec<&str> = RUN.split(' ').chain(["--cache", "cache"]).collect();
    let output = sandbox
        .command(&arguments)
        .env("PATH", "")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.contains("suite relu") && stderr.contains("iverilog"),
        "{stderr}"
    );
}

/// A compiler that first puts a mistake into the ReLU, so that there is something to find.
#[cfg(unix)]
#[test]
fn mismatches_end_with_1() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::new();
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path)
        .map(|folder| folder.join("iverilog"))
        .find(|program| program.is_file())
        .expect("iverilog is on the PATH");
    let script = format!(
        "#!/bin/sh\nfor file in \"$@\"; do case \"$file\" in *quaver_relu.v)\n\
         sed -i \"s/32'd0 : value_i/32'd1 : value_i/\" \"$file\";; esac; done\n\
         exec {} \"$@\"\n",
        real.display()
    );
    std::fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/iverilog", script);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("bin/iverilog"), executable).unwrap();
    let path = format!("{}:{path}", sandbox.path("bin").display());

    let run = |extra: &[&str]| {
        let mut arguments: Vec<&str> = RUN.split(' ').collect();
        arguments.extend(["--cache", "cache", "--waves", "waves"]);
        arguments.extend(extra);
        let output = sandbox
            .command(&arguments)
            .env("PATH", &path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run(&["--junit", "report.xml"]);
    assert!(
        text.lines()
            .any(|line| line.starts_with("FAIL  relu") && line.contains("mismatches"))
    );
    assert!(
        text.lines().any(|line| line.starts_with("pass  decode")),
        "{text}"
    );
    let junit = std::fs::read_to_string(sandbox.path("report.xml")).unwrap();
    assert!(junit.contains("failures=\"1\""), "{junit}");
    let report: serde_json::Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(report["passed"], false);
    assert!(report["suites"][0]["mismatches"].as_u64().unwrap() > 0);
}
