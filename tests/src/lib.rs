//! What the tests across crates share: the tier, the tools they need, and where they keep things.

#![deny(unsafe_code)]

mod allocation;
mod mutation;

pub use allocation::{Counting, peak};
pub use mutation::mutate;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use quaver_contract::{CoreConfig, Formats};
use quaver_cosim::Cache;

/// The environment variable that chooses how much the tests cover.
const TIER: &str = "QUAVER_TIER";

/// How much the tests cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Minutes on two cores.
    Quick,
    /// Every input where inputs can be counted.
    Exhaustive,
    /// Every combination of configurations, and ten times the random cases.
    Extensive,
}

/// The tier of this run: `QUAVER_TIER`, or quick.
///
/// # Panics
/// When the variable has another value.
pub fn tier() -> Tier {
    match std::env::var(TIER).as_deref() {
        Err(_) | Ok("" | "quick") => Tier::Quick,
        Ok("exhaustive") => Tier::Exhaustive,
        Ok("extensive") => Tier::Extensive,
        Ok(other) => panic!("{TIER} = {other} is not allowed (quick, exhaustive, extensive)"),
    }
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is a folder of the workspace")
}

/// Where the tests keep built simulations.
pub fn cache() -> Cache {
    Cache::at(root().join("target/quaver-cache"))
}

/// The folders of this process, locked until it ends.
static HELD: Mutex<BTreeMap<String, File>> = Mutex::new(BTreeMap::new());

/// Where the test of that name leaves waveforms and texts of failures; emptied. Another run of the
/// same test waits until this one's process has ended.
///
/// # Panics
/// When an old one cannot be removed.
pub fn artifacts(test: &str) -> PathBuf {
    let parent = root().join("target/quaver-artifacts");
    std::fs::create_dir_all(&parent).expect("the folder can be made");
    let mut held = HELD.lock().expect("no test fails here");
    held.entry(test.to_owned()).or_insert_with(|| {
        let lock = File::create(parent.join(format!("{test}.lock"))).expect("a file can be made");
        lock.lock().expect("the file can be locked");
        lock
    });
    drop(held);
    let folder = parent.join(test);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("old artifacts can be removed");
    }
    folder
}

/// The named configuration.
///
/// # Panics
/// When there is none of that name.
pub fn config(name: &str) -> CoreConfig {
    CoreConfig::load(name, &Formats::default()).expect("the configuration is a named one")
}

/// The Python of the project's virtual environment.
///
/// # Panics
/// When it is not there, with the command that makes it.
pub fn python() -> PathBuf {
    let python = root().join("target/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/setup, which makes it",
        python.display()
    );
    python
}

/// Checks that the programs are on the PATH.
///
/// # Panics
/// When one is not, with the command that installs it.
pub fn require(programs: &[&str]) {
    for program in programs {
        // Each of them answers -V with its version.
        let found = Command::new(program).arg("-V").output().is_ok();
        assert!(
            found,
            "{program} is not on the PATH: run scripts/setup, which installs it"
        );
    }
}
