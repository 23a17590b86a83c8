//! Random jobs without end: 5 seconds of them, or as many as `QUAVER_FUZZ_SECONDS` says. Every job
//! has a seed of its own, printed with a difference, from which `QUAVER_FUZZ_SEED` makes it again
//! as the first job.
//!
//! Jobs fall into bins. Of a few seeds, the job is run whose bins have been met least.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use quaver_contract::accumulator::{
    AccumulatorRow, Addend, Dot, DotOutput, Groups, ProductExponent, TABLE as ACCUMULATORS,
};
use quaver_contract::{Accumulator, BlockScale, Conversion, Format, Formats, Rounding};

use crate::compare::Engines;
use crate::shrink::shrink;
use crate::stimulus::{Blocking, Case, LAYOUTS, Random, VALUES, operand_formats};

/// Seeds of which the rarest job is taken.
const CANDIDATES: u64 = 8;
const MAX_THREADS: usize = 8;

/// M, N and K up to these, by class.
const SHAPES: &[(&str, (usize, usize, usize))] = &[
    ("few", (3, 3, 3)),
    ("general", (40, 70, 300)),
    ("one row", (1, 400, 200)),
    ("one column", (100, 1, 200)),
    ("tall", (300, 20, 30)),
    ("wide", (6, 1200, 30)),
    ("deep", (4, 34, 1500)),
];

/// What a seed stands for, before its operands are made.
struct Plan {
    seed: u64,
    random: Random,
    row: AccumulatorRow,
    pair: (&'static Format, &'static Format),
    values: usize,
    class: usize,
    shape: (usize, usize, usize),
    layouts: (usize, usize),
    blocking: Option<Blocking>,
    output: Conversion,
    threads: usize,
}

/// Accumulators that have no name, one in four times.
fn accumulator(random: &mut Random) -> AccumulatorRow {
    let row = random.pick(ACCUMULATORS);
    let accumulator = match random.below(16) {
        0 => Accumulator::Tree {
            lanes: 2 << random.below(6),
        },
        1 => Accumulator::Chunked {
            inner: random.pick(&[
                &Accumulator::Fp32,
                &Accumulator::Fp32TowardZero,
                &Accumulator::Exact,
                &Accumulator::Tree { lanes: 4 },
            ]),
            every: 4 * (1 + random.below(40)),
        },
        2 | 3 => Accumulator::Dot(dot(random)),
        _ => return row,
    };
    AccumulatorRow {
        name: "custom",
        accumulator,
        summary: "",
    }
}

fn dot(random: &mut Random) -> Dot {
    let fraction_bits = 4 + random.below(37) as u32;
    let addend_bits = 4 + random.below(37) as u32;
    let groups = random.pick(&[Groups::One, Groups::EvenOdd]);
    let least = fraction_bits.max(addend_bits);
    Dot {
        lanes: 2 + random.below(63),
        fraction_bits,
        groups,
        exponent: random.pick(&[
            ProductExponent::Field,
            ProductExponent::Normalised,
            ProductExponent::NormalisedAbove(-14),
        ]),
        exponent_floor: random.pick(&[-132, -126, -20, 0]),
        addend: match random.below(4) {
            0 if groups == Groups::One => Addend::Early,
            1 => Addend::LateExact,
            2 => Addend::LateFloored {
                sum_bits: least + random.below(41 - least as usize) as u32,
                addend_bits,
            },
            _ => Addend::LateRounded,
        },
        output: match random.below(2) {
            0 => DotOutput::NearestEven,
            _ => DotOutput::Truncate(1 + random.below(23) as u32),
        },
        flush_subnormals: random.below(2) == 0,
        nan: 0x7fff_ffff,
    }
}

impl Plan {
    /// `None` for format pairs whose products do not fit.
    fn new(seed: u64, formats: &[&'static Format], outputs: &[&'static Format]) -> Option<Self> {
        let mut random = Random(seed);
        let pair = (random.pick(formats), random.pick(formats));
        let class = random.below(SHAPES.len());
        let (m, n, k) = SHAPES[class].1;
        let extent = |random: &mut Random, limit: usize| match random.below(8) {
            0 => 0,
            1 => limit,
            _ => random.below(limit + 1),
        };
        let shape = (
            extent(&mut random, m),
            extent(&mut random, n),
            extent(&mut random, k),
        );
        let usual = [1, 2, 16, 32, 100, 128, 300];
        let blocking = (random.below(2) == 0).then(|| Blocking {
            scale: random.pick(&BlockScale::ALL),
            length: random.pick(&usual) + random.below(2),
            rows: random.pick(&usual),
            cols: random.pick(&usual),
        });
        let rounding = random.pick(Rounding::ALL);
        let mut output = Conversion::native(random.pick(outputs));
        if rounding != Rounding::Stochastic {
            output = output.with_rounding(rounding);
        }
        let fits = pair.0.products_fit_fp32(pair.1);
        fits.then(|| Self {
            seed,
            row: accumulator(&mut random),
            pair,
            values: random.below(VALUES.len()),
            class,
            shape,
            layouts: (random.below(LAYOUTS.len()), random.below(LAYOUTS.len())),
            blocking,
            output,
            threads: 1 + random.below(MAX_THREADS),
            random,
        })
    }

    /// The bins that the job falls into.
    fn bins(&self) -> [String; 5] {
        let scale = self.blocking.map_or("none", |b| b.scale.format().name);
        let name = self.row.name;
        [
            format!("{name}, {} x {}", self.pair.0.name, self.pair.1.name),
            format!("{name}, shape {}, values {}", self.class, self.values),
            format!("{name}, scales {scale}, values {}", self.values),
            format!("{name}, threads {}, scales {scale}", self.threads),
            format!("{name}, layouts {:?}, shape {}", self.layouts, self.class),
        ]
    }

    fn case(mut self) -> (u64, String, usize, Case) {
        let random = &mut self.random;
        let values = VALUES[self.values];
        let mut case = Case::new(
            random,
            self.shape,
            self.pair,
            values,
            &self.row,
            self.output,
        );
        if let Some(blocking) = self.blocking {
            case = case.scaled(random, blocking);
        }
        let case = case.laid_out(LAYOUTS[self.layouts.0], LAYOUTS[self.layouts.1]);
        let what = format!(
            "{:?} {} x {} -> {}, {:?}, {values:?}, {:?}",
            self.row.accumulator,
            self.pair.0.name,
            self.pair.1.name,
            self.output.format.name,
            self.shape,
            self.blocking
        );
        (self.seed, what, self.threads, case)
    }
}

#[test]
fn gemm_random_jobs_vs_golden() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{name} = {text} is no number"))
        })
    };
    let limit = Duration::from_secs(number("QUAVER_FUZZ_SECONDS", 5));
    let first = number("QUAVER_FUZZ_SEED", 1);
    let formats = operand_formats();
    let outputs: Vec<_> = Formats::default().iter().collect();
    let mut engines = Engines::new(1..=MAX_THREADS);
    let mut met: HashMap<String, u64> = HashMap::new();
    let start = Instant::now();
    let (mut next, mut jobs, mut elements) = (first, 0u64, 0);
    let mut said = 0;
    while jobs == 0 || start.elapsed() < limit {
        // The first seed alone, so that a seed which is given is run.
        let seeds = next..next + if next == first { 1 } else { CANDIDATES };
        next = seeds.end;
        let plans = seeds.filter_map(|seed| Plan::new(seed, &formats, &outputs));
        let times = |bin: &String| met.get(bin).copied().unwrap_or(0);
        let rarity = |plan: &Plan| plan.bins().iter().map(times).min();
        let Some(plan) = plans.min_by_key(rarity) else {
            continue;
        };
        for bin in plan.bins() {
            *met.entry(bin).or_default() += 1;
        }
        let (seed, what, threads, case) = plan.case();
        jobs += 1;
        match engines.compare(&case.job(), Some(threads)) {
            Ok(count) => elements += count,
            Err(difference) => {
                let fails = |case: &Case| engines.compare(&case.job(), Some(threads)).is_err();
                let smallest = shrink(case, fails);
                let remains = engines.compare(&smallest.job(), Some(threads));
                panic!(
                    "QUAVER_FUZZ_SEED={seed}: {what}: {difference}\nshrunk: {smallest:?}\n{remains:?}"
                );
            }
        }
        let minutes = start.elapsed().as_secs() / 60;
        if minutes > said {
            said = minutes;
            println!("{minutes} min: {jobs} jobs, {elements} elements, no difference");
        }
    }
    let rarest = met.values().min().unwrap_or(&0);
    println!(
        "seeds {first} to {}: {jobs} jobs in {} bins of {rarest} or more, {elements} elements, no difference",
        next - 1,
        met.len()
    );
    assert!(elements > 0);
}
