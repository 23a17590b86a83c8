//! Builds that start at once, damaged entries and missing tools, each in processes of their own.

mod support;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use quaver_cosim::{Cache, Simulator};
use support::{cache, inverter};

const CACHE: &str = "QUAVER_TEST_CACHE";
const SIMULATOR: &str = "QUAVER_TEST_SIMULATOR";

/// Threads of a process that open the same design at once.
const THREADS: usize = 2;
const PROCESSES: usize = 2;

/// What the other tests run in a process of its own, with their cache, simulator and PATH; without
/// them it checks the shared cache.
#[test]
fn design_opens_in_all_threads() {
    let cache = std::env::var_os(CACHE).map_or_else(cache, Cache::at);
    let simulators = match std::env::var(SIMULATOR) {
        Ok(name) => vec![Simulator::get(&name).unwrap()],
        Err(_) => Simulator::ALL.to_vec(),
    };
    for simulator in simulators {
        std::thread::scope(|scope| {
            let open = || {
                let mut simulation = simulator
                    .open(&inverter(), &cache, false)
                    .unwrap_or_else(|error| panic!("{error}"));
                simulation.eval().unwrap();
                let q = simulation.port("q_o").unwrap();
                assert_eq!(simulation.get(q), [0x1ff]);
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(open)).collect();
            threads.into_iter().for_each(|t| t.join().unwrap());
        });
    }
}

fn start(cache: &Path, simulator: Simulator, path: &OsString) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "design_opens_in_all_threads", "--nocapture"])
        .env(CACHE, cache)
        .env(SIMULATOR, simulator.name())
        .env("PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A PATH on which the tool writes its arguments to `log` before it does its work.
fn logged_path(folder: &Path, tool: &str, log: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|p| p.join(tool));
    let real = real.into_iter().find(|p| p.exists()).unwrap();
    let wrapper = folder.join(tool);
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\nexec '{}' \"$@\"\n",
        log.display(),
        real.display()
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let paths = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(paths).unwrap()
}

#[test]
fn processes_that_start_at_once_build_once() {
    // The tool of each simulator, and the argument of a build.
    for (simulator, tool, argument) in [
        (Simulator::Icarus, "iverilog", "-o"),
        (Simulator::Verilator, "verilator", "--cc"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (cache, log) = (folder.path().join("cache"), folder.path().join("log"));
        let path = logged_path(folder.path(), tool, &log);
        let builds = || {
            let text = fs::read_to_string(&log).unwrap();
            let words = text.lines().map(|line| line.split(' '));
            words.filter(|w| w.clone().any(|w| w == argument)).count()
        };
        let run_all = || {
            let children = [(); PROCESSES].map(|()| start(&cache, simulator, &path));
            for child in children {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", said(&output));
            }
        };
        run_all();
        assert_eq!(builds(), 1, "{simulator:?}");
        run_all();
        assert_eq!(builds(), 1, "{simulator:?}, the second time");

        // Half an entry: the artefact is cut, so it is built again, once.
        let entries = fs::read_dir(&cache).unwrap().map(|e| e.unwrap().path());
        let prefix = format!("{}-test_inverter", simulator.name());
        let mut entries = entries.filter(|p| {
            p.is_dir()
                && p.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(&prefix)
        });
        let entry = entries.next().expect("the entry of the design");
        assert_eq!(entries.next(), None);
        let mut cut = 0;
        for file in fs::read_dir(&entry).unwrap() {
            let path = file.unwrap().path();
            if path.file_stem().is_some_and(|s| s == "simulation") {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                cut += 1;
            }
        }
        assert_eq!(cut, 1);
        run_all();
        assert_eq!(builds(), 2, "{simulator:?}, after the damage");
    }
}

#[test]
fn missing_tool_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for (simulator, tool) in [
        (Simulator::Verilator, "'verilator' was not found"),
        (Simulator::Icarus, "'iverilog' was not found"),
    ] {
        let nowhere = folder.path().join("nowhere").into_os_string();
        let child = start(&folder.path().join("cache"), simulator, &nowhere);
        let output = child.wait_with_output().unwrap();
        let said = said(&output);
        assert!(!output.status.success(), "{said}");
        assert!(
            said.contains(tool) && said.contains("scripts/setup"),
            "{said}"
        );
    }
}
