//! Speed as ratios: every figure of ours is measured in turn with a named peer, in one run, and the
//! ratio is the median over the pairs, so that a busy machine slows both.

#![forbid(unsafe_code)]

mod convert;
mod gemm;
mod models;
mod peer;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peer::Peer;
use serde::Serialize;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The peer's Python.
    #[error("peer '{}': {reason}", python.display())]
    Peer {
        /// The interpreter.
        python: PathBuf,
        /// Why it cannot be measured.
        reason: String,
    },
    /// A declaration.
    #[error(transparent)]
    Contract(#[from] quaver_contract::ContractError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] quaver_contract::EngineError),
    /// The engine's threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// A model or its inputs.
    #[error("'{}': {source} (scripts/models/write makes the models)", path.display())]
    Model {
        /// The model.
        path: PathBuf,
        /// What is wrong with it, or with its run.
        source: Box<quaver_quant::Error>,
    },
    /// A group of benchmarks that does not exist.
    #[error("unknown benchmark '{name}' (known: {known})")]
    Unknown {
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// No figure of the groups has the text that was asked for.
    #[error("--only: no figure of these groups has '{only}' in its name")]
    Nothing {
        /// The text.
        only: String,
    },
}

/// One figure beside its peer's.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// Our median, in `unit`.
    pub ours: f64,
    /// The peer's median, in `unit`.
    pub peer: f64,
    /// The peer, with its version.
    pub peer_name: String,
    /// Higher is better.
    pub unit: &'static str,
    /// Median over the pairs of ours / peer.
    pub ratio: f64,
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// A Python with numpy and ml_dtypes.
    pub python: PathBuf,
    /// Where the models are.
    pub models: PathBuf,
    /// Pairs of runs a figure; at least 5.
    pub pairs: usize,
    /// Measures only what has this in its name; all when empty.
    pub only: String,
}

/// The groups of benchmarks by name.
pub const GROUPS: &[&str] = &[
    "gemm",
    "accumulators",
    "blocks",
    "quantise",
    "convert",
    "models",
];

/// The group that wants files of models, and is measured only when it is named.
pub const NAMED: &str = "models";

/// Measures groups of benchmarks (all but [`NAMED`] when `names` is empty), telling `done` of each
/// figure as it comes.
///
/// # Errors
/// [`BenchError`] for an unknown group, a text that no figure has, a peer that cannot be measured, or an
/// engine's failure.
pub fn run(
    names: &[String],
    options: &Options,
    mut done: impl FnMut(&Measurement),
) -> Result<Vec<Measurement>, BenchError> {
    if let Some(name) = names.iter().find(|name| !GROUPS.contains(&name.as_str())) {
        return Err(BenchError::Unknown {
            name: name.clone(),
            known: GROUPS.join(", "),
        });
    }
    let mut all = Vec::new();
    for group in GROUPS {
        let wanted = match names {
            [] => *group != NAMED,
            names => names.iter().any(|name| name == group),
        };
        if !wanted {
            continue;
        }
        let mut report = |measurement: Measurement| {
            done(&measurement);
            all.push(measurement);
        };
        match *group {
            "gemm" => gemm::shapes(options, &mut report)?,
            "accumulators" => gemm::accumulators(options, &mut report)?,
            "blocks" => gemm::blocks(options, &mut report)?,
            "quantise" => gemm::quantise(options, &mut report)?,
            "convert" => convert::run(options, &mut report)?,
            _ => models::run(options, &mut report)?,
        }
    }
    if all.is_empty() {
        return Err(BenchError::Nothing {
            only: options.only.clone(),
        });
    }
    Ok(all)
}

/// Seconds that `work` takes.
fn seconds<T>(work: impl FnOnce() -> Result<T, BenchError>) -> Result<f64, BenchError> {
    let start = Instant::now();
    let result = work()?;
    let seconds = start.elapsed().as_secs_f64();
    drop(result);
    Ok(seconds)
}

/// What one run of ours and one of the peer get done, in units that are counted per second.
#[derive(Clone, Copy)]
struct Amount {
    ours: f64,
    peer: f64,
    unit: &'static str,
}

impl Amount {
    /// The same for both.
    fn of(amount: f64, unit: &'static str) -> Self {
        Self {
            ours: amount,
            peer: amount,
            unit,
        }
    }
}

/// How long work is repeated before it is timed. Processors that were idle are slow at first, and those of a
/// virtual machine may share one core until its host has noticed.
const WARM_UP: Duration = Duration::from_millis(200);

/// Seconds of the last of repeated runs, which began after [`WARM_UP`].
fn warmed(mut run: impl FnMut() -> Result<f64, BenchError>) -> Result<f64, BenchError> {
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        run()?;
    }
    run()
}

/// Alternates two timed runs and makes a measurement of their amounts per second. Ours is [`warmed`] here; the
/// peer has to be by itself, which one in another process does best.
fn pairs(
    options: &Options,
    name: String,
    amount: Amount,
    peer_name: &str,
    mut ours: impl FnMut() -> Result<f64, BenchError>,
    mut peer: impl FnMut() -> Result<f64, BenchError>,
) -> Result<Measurement, BenchError> {
    let (mut our_seconds, mut peer_seconds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.pairs.max(5) {
        let (our, peer) = (warmed(&mut ours)?, peer()?);
        our_seconds.push(our);
        peer_seconds.push(peer);
        ratios.push(amount.ours / our / (amount.peer / peer));
    }
    Ok(Measurement {
        name,
        ours: amount.ours / median(&mut our_seconds),
        peer: amount.peer / median(&mut peer_seconds),
        peer_name: peer_name.to_owned(),
        unit: amount.unit,
        ratio: median(&mut ratios),
    })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

impl Options {
    fn takes(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

fn start_peer(options: &Options, threads: usize) -> Result<(Peer, &Path), BenchError> {
    Ok((Peer::start(&options.python, threads)?, &options.python))
}
