//! Every accumulator, format pair, shape class, value class, view, instruction set and number of
//! threads.

use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Format, Formats};

use crate::compare::{Engines, compare};
use crate::stimulus::{Case, LAYOUTS, Random, VALUES, Values, operand_formats};

const SHAPES: &[(usize, usize, usize)] = &[
    (1, 1, 1),
    (0, 3, 2),
    (3, 0, 2),
    (2, 3, 0),
    (1, 40, 70),
    (17, 5, 33),
    (15, 33, 129),
    (3, 65, 64),
];

#[test]
fn gemm_every_accumulator_format_pair_vs_golden() {
    let seed = 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut engines = Engines::new([1, 3]);
    let formats = operand_formats();
    let outputs: Vec<&'static Format> = Formats::default().iter().collect();
    let (mut jobs, mut elements) = (0, 0);
    for row in ACCUMULATORS {
        for &format_a in &formats {
            for &format_b in &formats {
                if !format_a.products_fit_fp32(format_b) {
                    continue;
                }
                let (shape, values) = (random.pick(SHAPES), random.pick(VALUES));
                let output = random.pick(&outputs);
                let case = Case::new(
                    &mut random,
                    shape,
                    (format_a, format_b),
                    values,
                    row,
                    Conversion::native(output),
                );
                let what = format!(
                    "seed {seed}, job {jobs}: {} {} x {} -> {}, {shape:?}, {values:?}",
                    row.name, format_a.name, format_b.name, output.name
                );
                elements += compare(&case.job(), &mut engines, &what);
                jobs += 1;
            }
        }
    }
    println!(
        "{jobs} jobs, {elements} elements on {} engines",
        engines.len()
    );
    assert!(jobs >= ACCUMULATORS.len() * formats.len());
}

#[test]
fn gemm_every_accumulator_value_class_and_shape_vs_golden() {
    let seed = 2;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut engines = Engines::new([1, 3]);
    let formats = Formats::default();
    let mut elements = 0;
    for row in ACCUMULATORS {
        for pair in [
            ("e4m3fn", "e4m3fn"),
            ("e5m2", "e5m2"),
            ("e4m3fn", "e5m2"),
            ("e4m3fnuz", "e5m2fnuz"),
        ] {
            let pair = (formats.get(pair.0).unwrap(), formats.get(pair.1).unwrap());
            for &values in VALUES {
                for &shape in SHAPES {
                    let output = Conversion::native(FP32);
                    let case = Case::new(&mut random, shape, pair, values, row, output);
                    let what = format!(
                        "seed {seed}: {} {} x {}, {shape:?}, {values:?}",
                        row.name, pair.0.name, pair.1.name
                    );
                    elements += compare(&case.job(), &mut engines, &what);
                }
            }
        }
    }
    println!("{elements} elements on {} engines", engines.len());
    assert!(elements > 0);
}

#[test]
fn gemm_strided_and_transposed_views_vs_golden() {
    let seed = 3;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut engines = Engines::new([1, 3]);
    let format = Formats::default().get("e4m3fn").unwrap();
    let mut elements = 0;
    for row in ACCUMULATORS {
        for &a in LAYOUTS {
            for &b in LAYOUTS {
                let output = Conversion::native(FP32);
                let pair = (format, format);
                let shape = (21, 43, 75);
                let case = Case::new(&mut random, shape, pair, Values::Finite, row, output);
                let what = format!("seed {seed}: {} {a:?} x {b:?}", row.name);
                elements += compare(&case.laid_out(a, b).job(), &mut engines, &what);
            }
        }
    }
    assert!(elements > 0);
}

/// Shapes that are shared out by rows, by columns, and not at all.
#[test]
fn gemm_one_to_eight_threads_vs_golden() {
    let seed = 4;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut engines = Engines::new(1..=8);
    let format = Formats::default().get("e5m2").unwrap();
    let mut elements = 0;
    for row in ACCUMULATORS {
        for shape in [(250, 9, 20), (3, 300, 20), (5, 7, 40)] {
            for values in [Values::Finite, Values::RareSpecial] {
                let output = Conversion::native(FP32);
                let case = Case::new(&mut random, shape, (format, format), values, row, output);
                let what = format!("seed {seed}: {} {shape:?}, {values:?}", row.name);
                elements += compare(&case.job(), &mut engines, &what);
            }
        }
    }
    assert!(elements > 0);
}
