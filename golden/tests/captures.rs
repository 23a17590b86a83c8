//! The golden model against results of real matrix units and of a vendor's model of one.

use std::fs::File;
use std::path::Path;

use ndarray::{Array1, Array2, s};
use ndarray_npy::NpzReader;
use quaver_contract::profile::{Evidence, PROFILES, Vectors};
use quaver_contract::{Conversion, Engine, Format, Formats, Job, Scale, formats::FP32};
use quaver_golden::Golden;

/// One file, with the formats of each of its dot products.
struct Captures {
    a: Array2<u8>,
    b: Array2<u8>,
    c: Array1<u32>,
    d: Array1<u32>,
    formats: Vec<(&'static Format, &'static Format)>,
}

fn load(vectors: &Vectors) -> Captures {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors/captures")
        .join(vectors.file);
    let mut npz = NpzReader::new(File::open(&path).unwrap()).unwrap();
    let a: Array2<u8> = npz.by_name("a").unwrap();
    let b = npz.by_name("b").unwrap();
    let c = npz.by_name("c").unwrap();
    let d: Array1<u32> = npz.by_name("d_fp32").unwrap();
    let table = Formats::default();
    // Files of one format name it; the others describe every product's operands.
    let mut column = |names: &[&str]| -> Option<Array1<u8>> {
        names.iter().find_map(|name| npz.by_name(name).ok())
    };
    let exponent_bits = [
        column(&["exp_bits_a", "exp_bits"]),
        column(&["exp_bits_b", "exp_bits"]),
    ];
    let biases = [column(&["bias_a"]), column(&["bias_b"])];
    let modes = column(&["inf_nan_mode"]);
    let format = |operand: usize, i: usize| match (&exponent_bits[operand], &biases[operand]) {
        (Some(bits), Some(bias)) => {
            let specials = match modes.as_ref().map_or(0, |modes| modes[i]) {
                0 => "",
                2 => "fn",
                mode => panic!("InfNanMode {mode}"),
            };
            let name = format!("e{}m{}b{}{specials}", bits[i], 7 - bits[i], bias[i]);
            table.get(&name).unwrap()
        }
        _ => table.get("e4m3fn").unwrap(),
    };
    let formats = (0..d.len()).map(|i| (format(0, i), format(1, i))).collect();
    Captures {
        a,
        b,
        c,
        d,
        formats,
    }
}

#[test]
fn dot_captures_vs_hardware() {
    let mut files = 0;
    for profile in PROFILES {
        let (Evidence::Capture(vectors) | Evidence::VendorModel(vectors)) = &profile.evidence
        else {
            continue;
        };
        files += 1;
        let captures = load(vectors);
        let cases = captures.d.len();
        assert!(cases >= 5000, "{}: {cases} cases", vectors.file);
        let mut mismatches = 0;
        for i in 0..cases {
            let init = if vectors.ignores_c { 0 } else { captures.c[i] };
            let init = Array2::from_elem((1, 1), init);
            let (format_a, format_b) = captures.formats[i];
            let job = Job {
                a: captures.a.slice(s![i..=i, ..]),
                b: captures.b.slice(s![i..=i, ..]).reversed_axes(),
                format_a,
                format_b,
                accumulator: profile.accumulator().unwrap().accumulator,
                init: Some(init.view()),
                blocks: None,
                scale: Scale::None,
                bias: None,
                relu: false,
                output: Conversion::native(FP32),
            };
            let ours = Golden.run(&job).unwrap().values[(0, 0)];
            let theirs = captures.d[i];
            let zeros = !vectors.zero_sign && (ours | theirs) & 0x7fff_ffff == 0;
            if ours != theirs && !zeros {
                mismatches += 1;
                if mismatches <= 5 {
                    eprintln!(
                        "{} case {i}: ours {ours:08x}, theirs {theirs:08x}",
                        vectors.file
                    );
                }
            }
        }
        println!(
            "{}: {cases} cases of {}, {mismatches} mismatches",
            profile.name, vectors.file
        );
        assert_eq!(mismatches, 0, "{}", profile.name);
    }
    assert!(files > 0);
}
