//! What is fuzzed: a function for each kind of file that a user gives, which panics where the reader
//! breaks its word. `scripts/fuzz` drives them with libFuzzer, and `tests/hostile` replays what was found.

#![deny(unsafe_code)]

mod gemm;
mod graph;
mod model;
mod onnx;
mod tables;
mod text;

use std::time::{Duration, Instant};

use quaver_tests::peak;

pub use model::read as read_model;
pub use onnx::{external, field, read as read_onnx};
pub use tables::{npy, npz};
pub use text::measurement;

/// Longest that any input may take; the slowest of them needs milliseconds.
pub const LIMIT: Duration = Duration::from_secs(10);

/// A kind of input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its corpus, and of the file in `fuzz_targets/`.
    pub name: &'static str,
    /// Bytes of memory for each byte of the input, and for any input.
    pub memory: (usize, usize),
    /// Reads an input; whether it is a good one.
    pub run: fn(&[u8]) -> bool,
}

/// Memory of a small model's run.
const RUN: usize = 64 << 20;
/// Memory of any configuration.
const TEXT: usize = 1 << 20;

/// Every target.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "onnx", memory: (48, 64 << 10), run: onnx::read },
    Target { name: "external", memory: (48, 1 << 20), run: onnx::external },
    Target { name: "model", memory: (4096, RUN), run: model::read },
    Target { name: "graph", memory: (4096, RUN), run: graph::run },
    Target { name: "npz", memory: (320, 64 << 10), run: tables::npz },
    Target { name: "npy", memory: (48, 4 << 20), run: tables::npy },
    Target { name: "plan", memory: (1024, RUN), run: text::plan },
    Target { name: "inc", memory: (1024, TEXT), run: text::inc },
    Target { name: "measurement", memory: (48, 64 << 10), run: text::measurement },
    Target { name: "intfp", memory: (2048, TEXT), run: text::intfp },
    Target { name: "mixed", memory: (1024, TEXT), run: text::mixed },
    Target { name: "core", memory: (2048, TEXT), run: text::core },
    Target { name: "formats", memory: (2048, TEXT), run: text::formats },
    Target { name: "energy", memory: (2048, TEXT), run: text::energy },
    Target { name: "gemm", memory: (1024, RUN), run: gemm::run },
];

/// The target of that name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("{name} is no target"))
}

impl Target {
    /// Reads an input, and holds it to its memory and time; whether it is a good one.
    ///
    /// # Panics
    /// When it takes more.
    pub fn hold(&self, name: &str, bytes: &[u8]) -> bool {
        let start = Instant::now();
        let (good, most) = peak(|| (self.run)(bytes));
        let limit = self.memory.0 * bytes.len() + self.memory.1;
        let (target, length, took) = (self.name, bytes.len(), start.elapsed());
        assert!(
            most <= limit,
            "{target}, {name}: {most} bytes of memory for {length} (at most {limit})"
        );
        assert!(
            took < LIMIT,
            "{target}, {name}: {took:?} for {length} bytes"
        );
        good
    }
}
