//! Results of real matrix units, and of a vendor's model of one, through the Verilog.

use std::fs::File;

use ndarray::{Array1, Array2};
use ndarray_npy::NpzReader;
use quaver_contract::profile::{Evidence, PROFILES, Vectors};
use quaver_contract::{CoreConfig, Format, Formats};
use quaver_tests::{require, root};

use crate::core;
use crate::pe::{Case, Rig};

/// The cases of a file, their results, and the formats that the cases name by number.
fn load(vectors: &Vectors) -> (Vec<Case>, Vec<u32>, Vec<&'static Format>) {
    let table = Formats::default();
    let mut formats: Vec<&'static Format> = Vec::new();
    let path = root().join("tests/vectors/captures").join(vectors.file);
    let mut npz = NpzReader::new(File::open(&path).unwrap()).unwrap();
    let a: Array2<u8> = npz.by_name("a").unwrap();
    let b: Array2<u8> = npz.by_name("b").unwrap();
    let c: Array1<u32> = npz.by_name("c").unwrap();
    let d: Array1<u32> = npz.by_name("d_fp32").unwrap();
    // Files of one format name it; the others describe every product's operands.
    let mut column = |names: &[&str]| -> Option<Array1<u8>> {
        names.iter().find_map(|name| npz.by_name(name).ok())
    };
    let bits = [
        column(&["exp_bits_a", "exp_bits"]),
        column(&["exp_bits_b", "exp_bits"]),
    ];
    let biases = [column(&["bias_a"]), column(&["bias_b"])];
    let modes = column(&["inf_nan_mode"]);
    let mut format = |operand: usize, i: usize| {
        let name = match (&bits[operand], &biases[operand]) {
            (Some(bits), Some(bias)) => {
                let specials = match modes.as_ref().map_or(0, |modes| modes[i]) {
                    0 => "",
                    2 => "fn",
                    mode => panic!("InfNanMode {mode}"),
                };
                format!("e{}m{}b{}{specials}", bits[i], 7 - bits[i], bias[i])
            }
            _ => "e4m3fn".to_owned(),
        };
        let found = table.get(&name).unwrap();
        let place = formats.iter().position(|format| format.name == found.name);
        place.unwrap_or_else(|| {
            formats.push(found);
            formats.len() - 1
        })
    };
    let cases: Vec<_> = (0..d.len())
        .map(|i| Case {
            formats: [format(0, i), format(1, i)],
            init: if vectors.ignores_c { 0 } else { c[i] },
            terms: a
                .row(i)
                .iter()
                .zip(b.row(i))
                .map(|(&a, &b)| [a, b])
                .collect(),
        })
        .collect();
    (cases, d.to_vec(), formats)
}

#[test]
fn captures_vs_rtl() {
    require(&["verilator"]);
    let mut files = 0;
    for profile in PROFILES {
        let (Evidence::Capture(vectors) | Evidence::VendorModel(vectors)) = &profile.evidence
        else {
            continue;
        };
        files += 1;
        let row = profile.accumulator().unwrap();
        let (cases, theirs, operand_formats) = load(vectors);
        let config = CoreConfig {
            operand_formats,
            ..core(profile.name, row.accumulator, &[], 1)
        };
        assert!(
            cases.len() >= 5000,
            "{}: {} cases",
            vectors.file,
            cases.len()
        );
        let ours = Rig::open(&config).run(&cases);
        let equal = ours.iter().zip(&theirs).filter(|&(ours, theirs)| {
            let zeros = !vectors.zero_sign && (ours | theirs) & 0x7fff_ffff == 0;
            ours == theirs || zeros
        });
        let equal = equal.count();
        println!(
            "{}: {equal} of {} results of {}",
            profile.name,
            cases.len(),
            vectors.file
        );
        assert_eq!(equal, cases.len(), "{}", profile.name);
    }
    assert!(files > 0);
}
