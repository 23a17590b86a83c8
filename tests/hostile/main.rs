//! Files that are damaged or made to do harm: an error with its place, never a panic, a hang, or more
//! memory than the file accounts for.

mod corpus;
mod measurement;
mod npz;
mod onnx;
mod operators;
mod replay;

use std::time::{Duration, Instant};

use quaver_tests::{Counting, Tier, mutate, peak, tier};
use quaver_verify::Random;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Longest that any file may take; the slowest of them needs milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// How many damaged files a test makes of each one.
fn cases() -> u64 {
    match tier() {
        Tier::Quick => 2_000,
        Tier::Exhaustive => 20_000,
        Tier::Extensive => 200_000,
    }
}

/// Reads a file by `read`, which says whether it is one, and holds it to its memory and time:
/// `multiple` bytes for each of the file and 64 KiB.
fn hold(name: &str, bytes: &[u8], multiple: usize, read: &dyn Fn(&[u8]) -> bool) -> (bool, usize) {
    let start = Instant::now();
    let (accepted, most) = peak(|| read(bytes));
    let limit = multiple * bytes.len() + (64 << 10);
    assert!(
        most <= limit,
        "{name}: {most} bytes of memory for {} (at most {limit})",
        bytes.len()
    );
    let took = start.elapsed();
    assert!(took < LIMIT, "{name}: {took:?} for {} bytes", bytes.len());
    (accepted, most)
}

/// Reads damaged copies of a file: each beginning of it, then random damage.
fn damaged(name: &str, file: &[u8], multiple: usize, read: &dyn Fn(&[u8]) -> bool) -> String {
    const SEED: u64 = 1;
    let (mut accepted, mut most, mut files) = (0, 0, 0);
    let mut hold = |case: &str, bytes: &[u8]| {
        let (good, bytes) = hold(&format!("{name}, {case}"), bytes, multiple, read);
        accepted += u64::from(good);
        most = most.max(bytes);
        files += 1;
    };
    for length in (0..file.len()).step_by(file.len().div_ceil(4096).max(1)) {
        hold(&format!("first {length} bytes"), &file[..length]);
    }
    for case in 0..cases() {
        let mut random = Random::new(SEED + case, name);
        let bytes = mutate(file, &mut random);
        hold(&format!("seed {}", SEED + case), &bytes);
    }
    format!("{name}: {files} files, {accepted} accepted, at most {most} bytes of memory")
}
