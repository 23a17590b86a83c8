//! The direction of dependencies between the crates: declarations are shared, algorithms never
//! across a check.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Every crate with the crates of the workspace that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("quaver-contract", &[]),
    ("quaver-golden", &["quaver-contract"]),
    ("quaver-fast", &["quaver-contract"]),
    ("quaver-hdl", &["quaver-contract"]),
    ("quaver-drive", &["quaver-contract"]),
    (
        "quaver-sim",
        &[
            "quaver-contract",
            "quaver-golden",
            "quaver-fast",
            "quaver-drive",
        ],
    ),
    (
        "quaver-cosim",
        &["quaver-contract", "quaver-hdl", "quaver-drive"],
    ),
    (
        "quaver-verify",
        &[
            "quaver-contract",
            "quaver-golden",
            "quaver-hdl",
            "quaver-sim",
            "quaver-cosim",
        ],
    ),
    (
        "quaver",
        &[
            "quaver-contract",
            "quaver-golden",
            "quaver-fast",
            "quaver-hdl",
            "quaver-drive",
            "quaver-sim",
            "quaver-cosim",
            "quaver-verify",
            "quaver-bench",
            "quaver-quant",
            "quaver-study",
        ],
    ),
    (
        "quaver-bench",
        &["quaver-contract", "quaver-fast", "quaver-quant"],
    ),
    ("quaver-quant", &["quaver-contract", "quaver-fast"]),
    ("quaver-study", &["quaver-contract", "quaver-fast"]),
    (
        "quaver-fuzz",
        &[
            "quaver-contract",
            "quaver-golden",
            "quaver-fast",
            "quaver-quant",
            "quaver-study",
            "quaver-tests",
        ],
    ),
    (
        "quaver-tests",
        &["quaver-contract", "quaver-cosim", "quaver-verify"],
    ),
];

/// Of every member its dependencies inside the workspace, those of its tests apart.
fn members() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(quaver_tests::root())
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {error}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = list(&metadata["packages"]);
    let own: Vec<String> = packages.iter().map(name).collect();
    let dependencies = |package: &Value| {
        list(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .map(name)
            .filter(|dependency| own.contains(dependency))
            .collect()
    };
    packages
        .iter()
        .map(|package| (name(package), dependencies(package)))
        .collect()
}

#[test]
fn members_depend_only_in_the_allowed_direction() {
    let members = members();
    assert!(!members.is_empty());
    for (member, dependencies) in &members {
        let row = ALLOWED.iter().find(|(name, _)| name == member);
        let Some((_, allowed)) = row else {
            panic!("{member} has no row in the table of allowed dependencies");
        };
        for dependency in dependencies {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{member} depends on {dependency}; it may depend on {allowed:?} alone"
            );
        }
    }
}
