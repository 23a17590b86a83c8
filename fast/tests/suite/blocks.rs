//! Operands with scales of blocks (numerics.md 7.8).

use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::formats::FP32;
use quaver_contract::{BlockScale, Conversion, Formats};

use crate::compare::{Engines, compare};
use crate::stimulus::{Blocking, Case, LAYOUTS, Random, VALUES};

/// M, N and K; with whole and short blocks, and more rows, columns and terms than a packed block.
const SHAPES: &[(usize, usize, usize)] = &[
    (1, 1, 1),
    (0, 3, 2),
    (3, 0, 2),
    (2, 3, 0),
    (5, 33, 70),
    (17, 5, 128),
    (130, 3, 40),
    (2, 270, 33),
    (3, 4, 530),
];

/// Length along K, rows of A and columns of B that share a scale.
const GRANULARITIES: &[(usize, usize, usize)] = &[
    (32, 1, 1),
    (16, 1, 1),
    (128, 1, 128),
    (128, 128, 128),
    (1, 1, 1),
    (7, 3, 5),
    (300, 2, 1),
    (1000, 1000, 1000),
];

#[test]
fn blocks_every_accumulator_scale_and_granularity_vs_golden() {
    let seed = 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut engines = Engines::new([1, 3]);
    let formats = Formats::default();
    let pairs = [
        ("e4m3fn", "e4m3fn"),
        ("e5m2", "e4m3fn"),
        ("e2m1fn", "e2m1fn"),
        ("int8", "int8"),
    ];
    let pairs = pairs.map(|(a, b)| (formats.get(a).unwrap(), formats.get(b).unwrap()));
    let (mut jobs, mut elements) = (0, 0);
    for row in ACCUMULATORS {
        for scale in BlockScale::ALL {
            for &(length, rows, cols) in GRANULARITIES {
                for &shape in SHAPES {
                    let (pair, values) = (random.pick(&pairs), random.pick(VALUES));
                    let blocking = Blocking {
                        scale,
                        length,
                        rows,
                        cols,
                    };
                    let output = Conversion::native(FP32);
                    let case = Case::new(&mut random, shape, pair, values, row, output)
                        .scaled(&mut random, blocking)
                        .laid_out(random.pick(LAYOUTS), random.pick(LAYOUTS));
                    let what = format!(
                        "seed {seed}, job {jobs}: {} {} x {}, {shape:?}, {values:?}, {blocking:?}",
                        row.name, pair.0.name, pair.1.name
                    );
                    elements += compare(&case.job(), &mut engines, &what);
                    jobs += 1;
                }
            }
        }
    }
    println!("{jobs} jobs, {elements} elements");
    assert!(elements > 0);
}
