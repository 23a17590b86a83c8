//! Damaged arrays: an error that names the file, never a panic or more memory than the file holds.

use quaver_contract::formats::{E4M3FN, FP32};
use quaver_tests::{Counting, Tier, mutate, peak, tier};
use quaver_verify::Random;

use super::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SEED: u64 = 1;

/// Bytes of memory for each byte of a file: its own, then as elements, then as codes of 4 bytes each.
const MULTIPLE: usize = 16;

/// And for any file: a buffer, and what the parser of a header makes of its 10 000 characters.
const BYTES: usize = 4 << 20;

/// An array as a file.
fn file(format: &'static Format, shape: &[usize], codes: Vec<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let codes = ArrayD::from_shape_vec(IxDyn(shape), codes).unwrap();
    write_codes(&mut bytes, format, codes.view()).unwrap();
    bytes
}

#[test]
fn damaged_arrays_are_refused_or_read() {
    let cases: u64 = match tier() {
        Tier::Quick => 1_000,
        Tier::Exhaustive => 10_000,
        Tier::Extensive => 100_000,
    };
    let files = [
        (FP32, file(FP32, &[2, 3], vec![0x3f80_0000; 6])),
        (E4M3FN, file(E4M3FN, &[4, 5, 2], vec![0x7e; 40])),
        (E4M3FN, file(E4M3FN, &[], vec![1])),
        (FP32, file(FP32, &[3, 0], Vec::new())),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for (i, (format, file)) in files.iter().enumerate() {
        let (mut accepted, mut most, mut count) = (0, 0, 0);
        let mut hold = |case: String, bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let (result, used) = peak(|| read_codes(&path, format));
            match result {
                Ok(_) => accepted += 1,
                Err(error) => {
                    let text = error.to_string();
                    let path = path.display().to_string();
                    assert!(text.starts_with(&path), "file {i}, {case}: {text}");
                }
            }
            let limit = MULTIPLE * bytes.len() + BYTES;
            assert!(used <= limit, "file {i}, {case}: {used} bytes of memory");
            most = most.max(used);
            count += 1;
        };
        hold("whole".to_owned(), file);
        for length in 0..file.len() {
            hold(format!("first {length} bytes"), &file[..length]);
        }
        for seed in SEED..SEED + cases {
            let mut random = Random::new(seed, "damaged arrays");
            hold(format!("seed {seed}"), &mutate(file, &mut random));
        }
        println!("file {i}: {count} files, {accepted} accepted, at most {most} bytes of memory");
        assert!(accepted > 0, "file {i} itself is refused");
    }
}

/// Headers of the longest text that is read, with as many values as fit.
#[test]
fn longest_headers_keep_to_the_limit_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for (start, item, end) in [
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (",
            "1,",
            ")}\n",
        ),
        (
            "{'descr': [",
            "1,",
            "], 'fortran_order': False, 'shape': ()}\n",
        ),
        ("{", "1:1,", "}\n"),
    ] {
        let room = 10_000 - start.len() - end.len();
        let text = format!("{start}{}{end}", item.repeat(room / item.len()));
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        let file = [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat();
        std::fs::write(&path, &file).unwrap();
        let (result, used) = peak(|| read_codes(&path, FP32));
        let error = result.unwrap_err().to_string();
        println!("{item}: {used} bytes of memory");
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(used < BYTES, "{item}: {used} bytes of memory");
    }
}
