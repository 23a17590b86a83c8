//! `quaver generate`.

use quaver_contract::{CoreConfig, Formats};

use crate::support::Sandbox;

#[test]
fn every_named_core_is_written_and_a_rerun_changes_nothing() {
    let sandbox = Sandbox::new();
    let configs = CoreConfig::named(&Formats::default()).unwrap();
    assert!(!configs.is_empty());
    for config in configs {
        let name = &config.name;
        let line = format!("generate --config {name} -o new/{name}");
        let report = sandbox.line(&format!("{line} --json")).json();
        assert_eq!(report["config"], name.as_str());
        let top = report["top"].as_str().unwrap().to_owned();
        let files = report["files"].as_array().unwrap();
        assert!(!files.is_empty());
        let mut written = Vec::new();
        for file in files {
            let path = sandbox.path(&format!("new/{name}/{}", file.as_str().unwrap()));
            let changed = path.metadata().unwrap().modified().unwrap();
            written.push((std::fs::read_to_string(&path).unwrap(), path, changed));
        }
        let module = format!("module {top}");
        assert!(written.iter().any(|(text, ..)| text.contains(&module)));

        let all = sandbox.files();
        let said = sandbox.line(&line).ok();
        assert!(said.contains(&top) && said.lines().count() == 1, "{said}");
        assert_eq!(sandbox.files(), all);
        for (text, path, changed) in written {
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(path.metadata().unwrap().modified().unwrap(), changed);
        }
    }
}

#[test]
fn files_of_configurations_work_from_any_folder() {
    let sandbox = Sandbox::new();
    let named: toml::Table = quaver_contract::config::NAMED.parse().unwrap();
    let mine = toml::Table::from_iter([("mine".to_owned(), named["single"].clone())]);
    sandbox.write("mine.toml", mine.to_string());
    let report = sandbox
        .line("generate --config mine.toml -o core --json")
        .json();
    assert_eq!(report["config"], "mine");
    let folder = sandbox.path("core");
    let mut command = sandbox.command(&["generate", "--config", "../mine.toml", "-o", "."]);
    let output = command.current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}
