//! Dot products that tell matrix units apart: for every two candidate accumulators, blocks on
//! which the golden model differs.
//!
//! The candidates are the accumulators of NVIDIA's profiles, and each of them with one parameter
//! changed.

use ndarray::{Array1, Array2, ArrayView2};
use quaver_contract::accumulator::{Addend, Dot, DotOutput, NAN, ProductExponent};
use quaver_contract::{Accumulator, Conversion, Engine, Format, Job, Scale};
use quaver_contract::{formats::FP32, profile::PROFILES};
use quaver_golden::{Golden, Number, decode};

use crate::Random;

/// Terms a block: those of one `mma.sync.m16n8k32`, and of one step of an FP8 `wgmma`.
pub const TERMS: usize = 32;
/// Blocks that are tried for every file.
const TRIED: usize = 6000;
/// Blocks that are kept for every two candidates, where as many are found.
const KEPT: usize = 8;
/// Blocks that are kept whether they separate anything or not.
const ANYWAY: usize = 1000;

/// One model of a matrix unit.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The accumulator's name, and what is changed.
    pub name: String,
    /// The model.
    pub accumulator: Accumulator,
}

/// Dot products of [`TERMS`] terms: codes of `a` and `b`, shape (n, 32), and binary32 bits of `c`.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// Codes of the first operands.
    pub a: Array2<u8>,
    /// Codes of the second operands.
    pub b: Array2<u8>,
    /// What the sums start from.
    pub c: Array1<u32>,
}

/// Codes of `a` and of `b`, and `c`.
type Block = (Vec<u8>, Vec<u8>, u32);

/// The blocks of one format, and the pairs of candidates that none of them separates.
#[derive(Clone, Debug)]
pub struct Separation {
    /// What to give the chip.
    pub blocks: Blocks,
    /// Names of the two candidates of each.
    pub inseparable: Vec<(String, String)>,
}

/// Every candidate, each accumulator once.
pub fn candidates() -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let mut add = |name: String, accumulator: Accumulator| {
        if accumulator.validate().is_ok() && all.iter().all(|c| c.accumulator != accumulator) {
            all.push(Candidate { name, accumulator });
        }
    };
    let rows = || {
        let nvidia = PROFILES.iter().filter(|p| p.chip.starts_with("NVIDIA"));
        nvidia.filter_map(|p| p.accumulator().ok())
    };
    for row in rows() {
        add(row.name.to_owned(), row.accumulator);
    }
    for row in rows() {
        if let Accumulator::Dot(dot) = row.accumulator {
            for (change, dot) in variants(dot) {
                add(format!("{}, {change}", row.name), Accumulator::Dot(dot));
            }
        }
    }
    all
}

/// The unit with one parameter changed.
fn variants(dot: Dot) -> Vec<(String, Dot)> {
    let mut all = Vec::new();
    for lanes in [8, 16, 32] {
        all.push((format!("{lanes} terms"), Dot { lanes, ..dot }));
    }
    for fraction_bits in [dot.fraction_bits - 1, dot.fraction_bits + 1] {
        let change = format!("{fraction_bits} fraction bits");
        all.push((
            change,
            Dot {
                fraction_bits,
                ..dot
            },
        ));
    }
    for (change, addend) in [
        ("c early", Addend::Early),
        ("c late", Addend::LateRounded),
        ("c late into the exact sum", Addend::LateExact),
    ] {
        all.push((change.to_owned(), Dot { addend, ..dot }));
    }
    for (change, output) in [
        ("nearest even", DotOutput::NearestEven),
        ("truncated to 23 bits", DotOutput::Truncate(23)),
    ] {
        all.push((change.to_owned(), Dot { output, ..dot }));
    }
    let exponent = ProductExponent::Normalised;
    all.push(("subnormals normalised".to_owned(), Dot { exponent, ..dot }));
    let flush_subnormals = true;
    all.push((
        "subnormal c flushed".to_owned(),
        Dot {
            flush_subnormals,
            ..dot
        },
    ));
    all.push(("NaN 7FC00000".to_owned(), Dot { nan: NAN, ..dot }));
    all
}

/// Results of the golden model, as binary32 bits.
fn sums(candidates: &[Candidate], format: &'static Format, block: &Block) -> Vec<u32> {
    let a = ArrayView2::from_shape((1, TERMS), &block.0).expect("32 codes");
    let b = ArrayView2::from_shape((TERMS, 1), &block.1).expect("32 codes");
    let init = Array2::from_elem((1, 1), block.2);
    let result = |candidate: &Candidate| {
        let job = Job {
            a,
            b,
            format_a: format,
            format_b: format,
            accumulator: candidate.accumulator,
            init: Some(init.view()),
            blocks: None,
            scale: Scale::None,
            bias: None,
            relu: false,
            output: Conversion::native(FP32),
        };
        Golden.run(&job).expect("a legal job").values[(0, 0)]
    };
    candidates.iter().map(result).collect()
}

/// Blocks that separate the candidates, for operands of one format of 8 bits.
pub fn separate(format: &'static Format, seed: u64) -> Separation {
    let candidates = candidates();
    let mut random = Random::new(seed, &format!("separate {}", format.name));
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    let mut found = vec![vec![0; candidates.len()]; candidates.len()];
    for tried in 0..TRIED {
        let block = draw(&mut random, format, tried);
        let results = sums(&candidates, format, &block);
        let mut keep = tried < ANYWAY;
        for i in 0..results.len() {
            for j in 0..i {
                if results[i] != results[j] && found[i][j] < KEPT {
                    found[i][j] += 1;
                    keep = true;
                }
            }
        }
        if keep {
            a.extend(block.0);
            b.extend(block.1);
            c.push(block.2);
        }
    }
    let mut inseparable = Vec::new();
    for (i, row) in found.iter().enumerate() {
        for (j, _) in row[..i]
            .iter()
            .enumerate()
            .filter(|(_, count)| **count == 0)
        {
            inseparable.push((candidates[j].name.clone(), candidates[i].name.clone()));
        }
    }
    let shape = (c.len(), TERMS);
    let array = |codes| Array2::from_shape_vec(shape, codes).expect("32 codes a block");
    let (a, b, c) = (array(a), array(b), Array1::from(c));
    Separation {
        blocks: Blocks { a, b, c },
        inseparable,
    }
}

/// One block of the family that is due, and its `c`.
fn draw(random: &mut Random, format: &Format, number: usize) -> Block {
    let sign = 0x80;
    let special = |code: u8| !matches!(decode(code.into(), format), Number::Finite { .. });
    let finite: Vec<u8> = (0..=255).filter(|&code| !special(code)).collect();
    let specials: Vec<u8> = (0..=255).filter(|&code| special(code)).collect();
    let subnormal: Vec<u8> = (0..1 << format.fraction_bits).collect();
    let small: Vec<u8> = finite
        .iter()
        .copied()
        .filter(|code| code & 0x7f < 0x28)
        .collect();
    let largest = finite
        .iter()
        .copied()
        .filter(|code| code & sign == 0)
        .max()
        .unwrap_or(0);
    let family = number % 8;
    let pool = match family {
        0 | 4 => &finite,
        3 => &subnormal,
        _ => &small,
    };
    let mut codes = || -> Vec<u8> { (0..TERMS).map(|_| random.pick(pool)).collect() };
    let (mut a, mut b) = (codes(), codes());
    match family {
        // One huge term; or two that cancel, within 8 or 16 terms or across them; or two such of a
        // subnormal.
        1 | 2 | 7 => {
            let (first, second) = (random.below(TERMS), random.below(TERMS));
            let huge = match family {
                7 => random.pick(&subnormal),
                _ => largest - random.below(0x38) as u8,
            };
            (a[first], b[first]) = (huge, largest);
            if family != 1 && first != second {
                (a[second], b[second]) = (huge | sign, largest);
            }
        }
        3 => a
            .iter_mut()
            .for_each(|code| *code |= sign * random.below(2) as u8),
        4 if !specials.is_empty() && random.one_in(2) => {
            a[random.below(TERMS)] = random.pick(&specials);
        }
        // Few terms, zeros of both signs between them.
        5 => {
            let terms = random.below(4);
            for code in &mut a[terms..] {
                *code = sign * random.below(2) as u8;
            }
        }
        _ => {}
    }
    let exponent = match family {
        3 => random.between(-36, -8),
        // Beside zeros alone, subnormals of binary32 count.
        5 | 6 if random.one_in(2) => random.between(-140, -120),
        _ => random.between(-20, 24),
    };
    let fraction = random.bits32() & 0x007f_ffff;
    let field = (exponent + 127).max(0) as u32;
    let c = match random.below(6) {
        0 => 0,
        1 if random.one_in(4) => random.pick(&[1 << 31, 0x7f80_0000, 0xff80_0000, NAN]),
        _ => random.bits32() & 1 << 31 | field << 23 | fraction,
    };
    (a, b, c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quaver_contract::Formats;

    const FEW_BITS: &str = "at most 33 terms below 2^2, each a multiple of 2^-13: the sum has at most \
        21 bits, so neither rounds it";

    /// Pairs that no block can separate: format (or all), the two candidates, the reason.
    const INSEPARABLE: &[(Option<&str>, &str, &str, &str)] = &[
        (
            None,
            "dot_hopper_chunk128",
            "dot_hopper, c late",
            "32 terms are within one chunk of 128, whose sum is added to c likewise",
        ),
        (
            None,
            "dot_ada, nearest even",
            "dot_ada, truncated to 23 bits",
            FEW_BITS,
        ),
        (
            None,
            "dot_hopper, nearest even",
            "dot_hopper, truncated to 23 bits",
            FEW_BITS,
        ),
        (
            Some("e4m3fn"),
            "dot_blackwell",
            "dot_blackwell, subnormals normalised",
            "a subnormal's product has an exponent of at most 2 and every product is a multiple of \
             2^-18: where it is the largest, 25 bits below it lose nothing",
        ),
    ];

    #[test]
    fn candidates_directed_blocks_vs_golden() {
        for name in ["e4m3fn", "e5m2"] {
            let format = Formats::default().get(name).unwrap();
            let separation = separate(format, 1);
            let found = &separation.inseparable;
            for (first, second) in found {
                println!("{name}: {first} | {second}");
            }
            let expected: Vec<_> = INSEPARABLE
                .iter()
                .filter(|row| row.0.is_none_or(|format| format == name))
                .inspect(|row| assert!(!row.3.is_empty()))
                .map(|row| (row.1.to_owned(), row.2.to_owned()))
                .collect();
            let unexpected: Vec<_> = found.iter().filter(|x| !expected.contains(x)).collect();
            assert!(unexpected.is_empty(), "{name}, seed 1: {unexpected:?}");
            assert_eq!(found.len(), expected.len(), "{name}, seed 1");
        }
    }
}
