//! Every accumulator, format pair, shape class, value class, instruction set and number of threads.

use ndarray::{Array2, ArrayView2, s};
use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Format, Formats, Job, Scale};

use crate::stimulus::{Random, VALUES, Values, code, compare, engines, operand_formats, stimulus};

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
    let mut engines = engines();
    let formats = operand_formats();
    let outputs: Vec<&'static Format> = Formats::default().iter().collect();
    let (mut jobs, mut elements) = (0, 0);
    for row in ACCUMULATORS {
        for &format_a in &formats {
            for &format_b in &formats {
                if !format_a.products_fit_fp32(format_b) {
                    continue;
                }
                let shape = SHAPES[random.below(SHAPES.len() as u64) as usize];
                let values = VALUES[random.below(VALUES.len() as u64) as usize];
                let output = outputs[random.below(outputs.len() as u64) as usize];
                let stimulus = stimulus(&mut random, shape, (format_a, format_b), values);
                let job = stimulus.job(
                    &mut random,
                    (format_a, format_b),
                    row,
                    Conversion::native(output),
                );
                let what = format!(
                    "seed {seed}, job {jobs}: {} {} x {} -> {}, {shape:?}, {values:?}",
                    row.name, format_a.name, format_b.name, output.name
                );
                elements += compare(&job, &mut engines, &what);
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
    let mut engines = engines();
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
                    let stimulus = stimulus(&mut random, shape, pair, values);
                    let job = stimulus.job(&mut random, pair, row, Conversion::native(FP32));
                    let what = format!(
                        "seed {seed}: {} {} x {}, {shape:?}, {values:?}",
                        row.name, pair.0.name, pair.1.name
                    );
                    elements += compare(&job, &mut engines, &what);
                }
            }
        }
    }
    println!("{elements} elements on {} engines", engines.len());
    assert!(elements > 0);
}

#[test]
fn gemm_strided_and_transposed_views_vs_golden() {
    let mut random = Random(3);
    let mut engines = engines();
    let format = Formats::default().get("e4m3fn").unwrap();
    let mut codes = |rows, cols| {
        Array2::from_shape_fn((rows, cols), |_| code(&mut random, format, Values::Finite))
    };
    let (a, b) = (codes(90, 120), codes(120, 90));
    let mut checked = 0;
    for row in ACCUMULATORS {
        let views: [(ArrayView2<'_, u8>, ArrayView2<'_, u8>); 4] = [
            (a.t(), b.t()),
            (a.slice(s![..;2, ..;3]), b.slice(s![..;3, ..;2])),
            (a.slice(s![..;-1, ..;-1]), b.slice(s![..;-1, ..;-1])),
            (b.t(), a.t()),
        ];
        for (a, b) in views {
            let job = Job {
                a,
                b,
                format_a: format,
                format_b: format,
                accumulator: row.accumulator,
                init: None,
                blocks: None,
                scale: Scale::None,
                bias: None,
                relu: false,
                output: Conversion::native(FP32),
            };
            if job.validate().is_ok() {
                checked += compare(&job, &mut engines, row.name);
            }
        }
    }
    assert!(checked > 0);
}
