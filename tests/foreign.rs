//! The golden conversions against `ml_dtypes`, through scripts/vectors/ml_dtypes_cast.py.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Encoding, Format, Formats};
use quaver_golden::{Number, convert, decode};
use quaver_tests::{Tier, python, root, tier};
use quaver_verify::Random;
use quaver_verify::stimulus::fp32::edge_fractions;

const SEED: u64 = 1;
/// Values of each sign and exponent in the quick tier; 512 of those make a million values.
const PER_EXPONENT: usize = 2048;
/// Values that travel through the pipe at once.
const CHUNK: u32 = 1 << 22;
/// Formats that the exhaustive tier compares on every binary32 code.
const EXHAUSTIVE: &[&str] = &["e4m3fn", "e5m2"];
/// Threads of the golden model.
const THREADS: usize = 2;

fn script() -> Command {
    let mut command = Command::new(python());
    command.arg(root().join("scripts/vectors/ml_dtypes_cast.py"));
    command
}

/// The table's formats that ml_dtypes has, with its name for each. It has integers too, but its
/// casts to them wrap around; they are no conversions of the contract.
fn shared_formats() -> Vec<(&'static Format, String)> {
    let output = script().output().expect("the script runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ml_dtypes_cast.py: {error}");
    let text = String::from_utf8(output.stdout).expect("names are ASCII");
    let names: Vec<&str> = text.lines().collect();
    let formats = Formats::default();
    let shared: Vec<_> = formats
        .iter()
        .filter(|format| format.encoding != Encoding::TwosComplement)
        .filter_map(|format| {
            let name = format.aliases.iter().find(|alias| names.contains(alias))?;
            Some((format, (*name).to_owned()))
        })
        .collect();
    // Each of its types is in the table, or is named here.
    for name in names {
        let known = shared.iter().any(|(_, shared)| shared == name);
        assert!(
            known,
            "ml_dtypes has {name}, and the table has no format of that name"
        );
    }
    shared
}

/// A running cast to one type.
struct Cast {
    child: Child,
    bytes: usize,
}

impl Cast {
    fn open(format: &Format, name: &str) -> Self {
        let child = script()
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script runs");
        Self {
            child,
            bytes: format.storage_bytes(),
        }
    }

    /// Sends a chunk; the script reads all of it before it answers.
    fn send(&mut self, values: &[u32]) {
        let stdin = self.child.stdin.as_mut().expect("standard input is a pipe");
        let count = u32::try_from(values.len()).expect("a chunk is short");
        let words = std::iter::once(&count).chain(values);
        let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        stdin.write_all(&bytes).expect("the script reads");
    }

    /// The codes of the chunk that was sent.
    fn receive(&mut self, count: usize) -> Vec<u32> {
        let mut bytes = vec![0; count * self.bytes];
        let stdout = self
            .child
            .stdout
            .as_mut()
            .expect("standard output is a pipe");
        stdout.read_exact(&mut bytes).expect("the script answers");
        let code = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |code, &b| code << 8 | u32::from(b))
        };
        bytes.chunks_exact(self.bytes).map(code).collect()
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // A child that failed has already failed the test, which may be unwinding.
        let _ = self.child.wait();
    }
}

/// The golden codes, on all threads.
fn golden(values: &[u32], conversion: &Conversion) -> Vec<u32> {
    let mut codes = vec![0; values.len()];
    let share = values.len().div_ceil(THREADS).max(1);
    thread::scope(|scope| {
        for (values, codes) in values.chunks(share).zip(codes.chunks_mut(share)) {
            scope.spawn(move || {
                for (&value, code) in values.iter().zip(codes) {
                    *code = convert(value, FP32, conversion, 0);
                }
            });
        }
    });
    codes
}

/// Compares a chunk. What becomes of NaN is each implementation's own. Where the format has NaN,
/// both must give one, but ml_dtypes keeps the input's sign and numerics.md 2.5 makes all the same.
/// Where it has none, ml_dtypes gives a zero and numerics.md 5.1 the largest number: neither is
/// wrong, so the golden one alone is checked.
fn compare(values: &[u32], golden: &[u32], foreign: &[u32], format: &Format) {
    let mut cases = 0;
    for ((&value, &golden), &foreign) in values.iter().zip(golden).zip(foreign) {
        let is_nan = |code| decode(code, format) == Number::Nan;
        let equal = if f32::from_bits(value).is_nan() {
            match format.nan_code() {
                Some(nan) => golden == nan && is_nan(foreign),
                None => golden == format.max_code(),
            }
        } else {
            golden == foreign
        };
        assert!(
            equal,
            "{value:08x} to {}: golden {golden:x}, ml_dtypes {foreign:x}",
            format.name
        );
        cases += 1;
    }
    assert!(cases > 0);
}

#[test]
fn conversion_every_exponent_vs_ml_dtypes() {
    let mut random = Random::new(SEED, "ml_dtypes");
    let edges = edge_fractions();
    let fields = (0..512u32).map(|field| field << 23);
    let values: Vec<u32> = fields
        .flat_map(|field| {
            let fractions = edges.iter().copied();
            let others: Vec<u32> = (edges.len()..PER_EXPONENT)
                .map(|_| random.bits32() & 0x7f_ffff)
                .collect();
            let fractions = fractions.chain(others);
            fractions
                .map(move |fraction| field | fraction)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(values.len() >= 1_000_000);
    let formats = shared_formats();
    assert!(!formats.is_empty());
    for (format, name) in formats {
        println!(
            "{} values to {} ({name}), seed {SEED}",
            values.len(),
            format.name
        );
        let mut cast = Cast::open(format, &name);
        cast.send(&values);
        let codes = golden(&values, &Conversion::native(format));
        compare(&values, &codes, &cast.receive(values.len()), format);
    }
}

/// Every binary32 code, in the exhaustive tier; otherwise the codes of one chunk in 64.
#[test]
fn conversion_all_inputs_vs_ml_dtypes() {
    let step = if tier() == Tier::Exhaustive { 1 } else { 64 };
    let formats = shared_formats();
    for name in EXHAUSTIVE {
        let row = formats.iter().find(|(format, _)| format.name == *name);
        let (format, foreign_name) = row.expect("ml_dtypes has the OCP formats");
        let conversion = Conversion::native(format);
        let chunks = (0..u32::MAX / CHUNK + 1).step_by(step);
        println!(
            "{} chunks of {CHUNK} binary32 codes to {name}",
            chunks.len()
        );
        let bar = ProgressBar::new(chunks.len() as u64 * u64::from(CHUNK));
        bar.set_style(
            ProgressStyle::with_template("{msg} {bar:40} {percent}% {per_sec} {eta}")
                .expect("the template is legal"),
        );
        bar.set_message(*name);
        let mut cast = Cast::open(format, foreign_name);
        for chunk in chunks {
            let start = chunk * CHUNK;
            let values: Vec<u32> = (start..=start + (CHUNK - 1)).collect();
            cast.send(&values);
            let codes = golden(&values, &conversion);
            compare(&values, &codes, &cast.receive(values.len()), format);
            bar.inc(CHUNK.into());
        }
        bar.finish();
    }
}
