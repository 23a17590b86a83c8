//! The fast engine against the golden model: every accumulator, format pair, shape class, value
//! class, instruction set and number of threads.

use ndarray::{Array1, Array2, ArrayView2, s};
use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::formats::FP32;
use quaver_contract::{Conversion, Engine, Format, Formats, Job, Scale};
use quaver_fast::{Fast, Isa};
use quaver_golden::Golden;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough for stimulus.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What codes an operand is made of.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// Any code, NaN and infinity included.
    Any,
    /// Finite codes.
    Finite,
    /// Small magnitudes and zeros.
    Subnormal,
    /// Mostly small, now and then the largest.
    OneHuge,
}

const VALUES: &[Values] = &[
    Values::Any,
    Values::Finite,
    Values::Subnormal,
    Values::OneHuge,
];

fn code(random: &mut Random, format: &Format, values: Values) -> u8 {
    let finite = |random: &mut Random| loop {
        let code = random.next() as u32 & format.code_mask();
        if f32::from_bits(quaver_golden::to_fp32(code, format)).is_finite() {
            return code;
        }
    };
    let small = |random: &mut Random| {
        let sign = random.next() as u32 & format.sign_mask();
        let code = random.below(1 << format.fraction_bits.min(3)) as u32 | sign;
        if Some(code) == format.nan_code() {
            0
        } else {
            code
        }
    };
    let code = match values {
        Values::Any => random.next() as u32 & format.code_mask(),
        Values::Finite => finite(random),
        Values::Subnormal => small(random),
        Values::OneHuge if random.below(16) == 0 => format.max_code(),
        Values::OneHuge => small(random),
    };
    code as u8
}

fn fp32(random: &mut Random) -> u32 {
    match random.below(12) {
        0 => 0,
        1 => 0x8000_0000,
        2 => random.next() as u32,
        3 => random.next() as u32 & 0x807f_ffff,
        _ => (random.next() as f32 / u64::MAX as f32 - 0.5).to_bits(),
    }
}

struct Stimulus {
    a: Array2<u8>,
    b: Array2<u8>,
    init: Option<Array2<u32>>,
    scale: Array1<u32>,
    bias: Option<Array1<u32>>,
    relu: bool,
}

fn stimulus(
    random: &mut Random,
    (m, n, k): (usize, usize, usize),
    formats: (&'static Format, &'static Format),
    values: Values,
) -> Stimulus {
    let a = Array2::from_shape_fn((m, k), |_| code(random, formats.0, values));
    let b = Array2::from_shape_fn((k, n), |_| code(random, formats.1, values));
    let init = (random.below(2) == 0).then(|| Array2::from_shape_fn((m, n), |_| fp32(random)));
    let scale = Array1::from_shape_fn(n, |_| fp32(random));
    let bias = (random.below(2) == 0).then(|| Array1::from_shape_fn(n, |_| fp32(random)));
    let relu = random.below(4) == 0;
    Stimulus {
        a,
        b,
        init,
        scale,
        bias,
        relu,
    }
}

impl Stimulus {
    fn job<'a>(
        &'a self,
        random: &mut Random,
        formats: (&'static Format, &'static Format),
        row: &quaver_contract::accumulator::AccumulatorRow,
        output: Conversion,
    ) -> Job<'a> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: formats.0,
            format_b: formats.1,
            accumulator: row.accumulator,
            init: self.init.as_ref().map(|init| init.view()),
            scale: match random.below(3) {
                0 => Scale::None,
                1 => Scale::Tensor(fp32(random)),
                _ => Scale::PerColumn(self.scale.view()),
            },
            bias: self.bias.as_ref().map(|bias| bias.view()),
            relu: self.relu,
            output,
        }
    }
}

fn engines() -> Vec<(Isa, usize, Fast)> {
    let available = Isa::ALL.iter().copied().filter(|isa| isa.is_available());
    available
        .flat_map(|isa| [1, 3].map(|threads| (isa, threads)))
        .map(|(isa, threads)| (isa, threads, Fast::with_isa(isa, threads).unwrap()))
        .collect()
}

fn compare(job: &Job<'_>, engines: &mut [(Isa, usize, Fast)], what: &str) -> usize {
    let golden = Golden.run(job).unwrap().values;
    for (isa, threads, engine) in engines {
        let fast = engine.run(job).unwrap().values;
        assert_eq!(fast.dim(), golden.dim());
        for ((index, fast), golden) in fast.indexed_iter().zip(&golden) {
            assert_eq!(
                fast, golden,
                "{what}, {isa:?}, {threads} threads, element {index:?}: fast {fast:08x}, golden {golden:08x}"
            );
        }
    }
    golden.len()
}

fn operand_formats() -> Vec<&'static Format> {
    let formats = Formats::default();
    formats
        .iter()
        .filter(|format| format.is_operand())
        .collect()
}

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
    let outputs: Vec<&'static Format> = Formats::default()
        .iter()
        .filter(|f| f.encoding == quaver_contract::Encoding::Float)
        .collect();
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
