//! Neural Compressor's measurement files: `<prefix>_hooks_maxabs.json` with the measured ranges or
//! the scales, the same arrays in `<prefix>_hooks_maxabs.npz`, and the names of the measured modules
//! in `<prefix>_hooks_maxabs_mod_list.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What the numbers of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Largest magnitudes.
    DynamicRange,
    /// Scales.
    Scale,
}

/// One module's numbers: of each tensor one for all of it, or one a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Of each input.
    pub inputs: Vec<Vec<f32>>,
    /// Of each output; absent when `measure_exclude` leaves outputs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<Vec<f32>>>,
    /// Of each parameter, `weight` among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<Vec<f32>>>,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Rank among all processes; null for one process.
    #[serde(rename = "GlobalRank")]
    pub global_rank: Option<i32>,
    /// Rank on its machine.
    #[serde(rename = "LocalRank")]
    pub local_rank: Option<i32>,
    /// What the numbers are.
    #[serde(rename = "Mode")]
    pub mode: Mode,
    /// By module.
    #[serde(rename = "Nodes")]
    pub nodes: BTreeMap<String, Node>,
}

/// Why a measurement file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MeasurementError {
    /// It cannot be read or written.
    #[error("cannot access {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// It is no such JSON.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A number that no measurement has.
    #[error("{}: {key} {value} is not allowed ({allowed})", path.display())]
    Illegal {
        /// The file.
        path: PathBuf,
        /// Module and tensor.
        key: String,
        /// What stands there.
        value: f32,
        /// What would be allowed.
        allowed: &'static str,
    },
}

/// Places of the files of a prefix, which may hold folders (`dump_stats_path`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The JSON of numbers.
    pub json: PathBuf,
    /// The arrays.
    pub npz: PathBuf,
    /// The names.
    pub mod_list: PathBuf,
}

impl Paths {
    /// Of a prefix.
    pub fn of(prefix: &Path) -> Self {
        let with = |end: &str| {
            let mut name = prefix.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self {
            json: with("_hooks_maxabs.json"),
            npz: with("_hooks_maxabs.npz"),
            mod_list: with("_hooks_maxabs_mod_list.json"),
        }
    }
}

impl Measurement {
    /// Of one process, without modules.
    pub fn new(mode: Mode) -> Self {
        Self {
            global_rank: None,
            local_rank: None,
            mode,
            nodes: BTreeMap::new(),
        }
    }

    /// Reads the JSON file. A number is finite and not negative; a scale is positive.
    ///
    /// # Errors
    /// [`MeasurementError`] naming the file and the place in it.
    pub fn read(path: &Path) -> Result<Self, MeasurementError> {
        let text = std::fs::read(path).map_err(|source| MeasurementError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Reads the JSON text of a file.
    ///
    /// # Errors
    /// As [`Measurement::read`].
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, MeasurementError> {
        let measurement: Self =
            serde_json::from_slice(text).map_err(|source| MeasurementError::Json {
                path: path.to_owned(),
                source,
            })?;
        for (key, numbers) in measurement.arrays() {
            let zero = measurement.mode == Mode::DynamicRange;
            let wrong = |x: &&f32| !(x.is_finite() && (**x > 0.0 || zero && **x == 0.0));
            if let Some(&value) = numbers.iter().find(wrong) {
                return Err(MeasurementError::Illegal {
                    path: path.to_owned(),
                    key,
                    value,
                    allowed: "finite numbers from 0; scales above 0",
                });
            }
        }
        Ok(measurement)
    }

    /// The JSON text.
    ///
    /// # Panics
    /// Never: every number is finite, and keys are strings.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings are JSON")
    }

    /// The JSON text of the module list.
    ///
    /// # Panics
    /// Never: names are strings.
    pub fn mod_list(&self) -> String {
        let names: Vec<&String> = self.nodes.keys().collect();
        serde_json::to_string_pretty(&names).expect("strings are JSON")
    }

    /// Every array by `<module>/inputs/<i>`, `<module>/outputs/<i>` and `<module>/params/<name>/<i>`,
    /// as the npz has them.
    pub fn arrays(&self) -> impl Iterator<Item = (String, &[f32])> {
        self.nodes.iter().flat_map(|(name, node)| {
            let outputs = node.outputs.as_deref().unwrap_or_default();
            let kinds = [
                ("inputs".to_owned(), &node.inputs[..]),
                ("outputs".to_owned(), outputs),
            ];
            let params = node.params.iter();
            let params = params.map(|(key, lists)| (format!("params/{key}"), &lists[..]));
            kinds
                .into_iter()
                .chain(params)
                .flat_map(move |(kind, lists)| {
                    let key = move |i: usize| format!("{name}/{kind}/{i}");
                    lists
                        .iter()
                        .enumerate()
                        .map(move |(i, list)| (key(i), &list[..]))
                })
        })
    }
}
