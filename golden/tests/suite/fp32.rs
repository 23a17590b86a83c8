//! Binary32 multiplication, addition and accumulation against the host's IEEE 754 hardware.

use quaver_contract::formats::{FP32, TABLE};
use quaver_golden::accumulate::{add_exact, add_narrow};
use quaver_golden::wide::Wide;
use quaver_golden::{Number, add_fp32, decode, multiply_add_fp32, multiply_fp32};

use crate::random::Random;
use crate::vectors::host;

/// Host bits, every NaN replaced by the canonical one (numerics.md, 3.5).
fn bits(value: f32) -> u32 {
    if value.is_nan() {
        0x7FC0_0000
    } else {
        value.to_bits()
    }
}

/// Names of the situations that the cases must reach, and how often they did.
struct Classes(Vec<(&'static str, u64)>);

impl Classes {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn count(&mut self, class: &'static str, hit: bool) {
        match self.0.iter_mut().find(|(name, _)| *name == class) {
            Some((_, hits)) => *hits += u64::from(hit),
            None => self.0.push((class, u64::from(hit))),
        }
    }

    /// Counts what an operation on `a` and `b` that gave `result` was.
    fn observe(&mut self, a: f32, b: f32, result: f32) {
        self.count("NaN operand", a.is_nan() || b.is_nan());
        self.count("infinite operand", a.is_infinite() || b.is_infinite());
        self.count("NaN made", result.is_nan() && !a.is_nan() && !b.is_nan());
        self.count(
            "overflow",
            result.is_infinite() && a.is_finite() && b.is_finite(),
        );
        self.count("subnormal operand", a.is_subnormal() || b.is_subnormal());
        self.count("subnormal result", result.is_subnormal());
        self.count("zero operand of either sign", a == 0.0 || b == 0.0);
        self.count("result -0", result.to_bits() == 0x8000_0000);
        self.count("result +0", result.to_bits() == 0);
    }

    fn report(&self, what: &str) {
        for (class, hits) in &self.0 {
            println!("{what}: {class}: {hits}");
            assert!(*hits > 0, "{what}: no case of {class}");
        }
    }
}

/// `per_pair` random pairs of numbers for every pair of exponent fields.
fn every_exponent_pair(seed: u64, per_pair: u32, mut case: impl FnMut(u32, u32)) {
    let mut random = Random::new(seed);
    for field_a in 0..256 {
        for field_b in 0..256 {
            for _ in 0..per_pair {
                let signs = random.word();
                let mut number =
                    |field: u32, sign: u32| sign << 31 | field << 23 | random.fraction();
                case(number(field_a, signs & 1), number(field_b, signs >> 1 & 1));
            }
        }
    }
}

/// Bits of numbers at the borders: zeros, subnormals, powers of two and their neighbours, the
/// largest, infinities, NaNs, with both signs.
fn edges() -> Vec<u32> {
    let mut magnitudes = vec![
        0,
        1,
        2,
        3,
        0x7F_FFFE,
        0x7F_FFFF,
        0x7F80_0001,
        0x7FC0_0000,
        0x7FFF_FFFF,
    ];
    for field in [
        1u32, 2, 23, 24, 25, 102, 103, 104, 126, 127, 128, 150, 151, 152, 253, 254, 255,
    ] {
        let power = field << 23;
        magnitudes.extend([power - 1, power, power + 1, power | 0x40_0000]);
    }
    magnitudes.iter().flat_map(|&m| [m, m | 1 << 31]).collect()
}

#[test]
fn add_every_exponent_pair_vs_host() {
    let (mut classes, mut cases) = (Classes::new(), 0u64);
    let mut differences = [0u64; 255];
    let mut check = |code_a: u32, code_b: u32| {
        let (a, b) = (f32::from_bits(code_a), f32::from_bits(code_b));
        let expected = a + b;
        assert_eq!(
            add_fp32(code_a, code_b),
            bits(expected),
            "{code_a:08x} + {code_b:08x} ({a:e} + {b:e})"
        );
        classes.observe(a, b, expected);
        let (low, high) = (a.abs().min(b.abs()), a.abs().max(b.abs()));
        let exponent = |x: f32| (x.to_bits() >> 23 & 0xFF).max(1);
        if high.is_finite() {
            differences[(exponent(high) - exponent(low)) as usize] += 1;
            let grew = expected.is_finite() && exponent(expected) > exponent(high);
            classes.count("carry-out", grew);
            classes.count(
                "cancellation of many bits",
                high.is_normal() && exponent(expected) + 2 < exponent(high),
            );
            classes.count("exact cancellation", expected == 0.0 && high != 0.0);
            classes.count(
                "tie or sticky rounding",
                f64::from(a) + f64::from(b) != f64::from(expected),
            );
            classes.count("swallowed term", low != 0.0 && expected.abs() == high);
        }
        cases += 1;
    };
    every_exponent_pair(0x5EED_0010, 130, &mut check);
    let edges = edges();
    for &a in &edges {
        for &b in &edges {
            check(a, b);
        }
    }
    // Exact and nearly exact cancellation at every exponent.
    for field in 0..255u32 {
        for last in 0..64 {
            let a = (field << 23) + last * 0x2_0001;
            check(a, a | 1 << 31);
            check(a, (a + 1) | 1 << 31);
            check(a | 1 << 31, a ^ 1);
        }
    }
    println!("{cases} additions");
    classes.report("add");
    assert!(
        differences[..254].iter().all(|&hits| hits > 0),
        "{differences:?}"
    );
    assert!(cases > 8_000_000);
}

#[test]
fn multiply_every_exponent_pair_vs_host() {
    let (mut classes, mut cases) = (Classes::new(), 0u64);
    let mut check = |code_a: u32, code_b: u32| {
        let (a, b) = (f32::from_bits(code_a), f32::from_bits(code_b));
        let expected = a * b;
        assert_eq!(
            multiply_fp32(code_a, code_b),
            bits(expected),
            "{code_a:08x} * {code_b:08x} ({a:e} * {b:e})"
        );
        classes.observe(a, b, expected);
        classes.count(
            "infinity times zero",
            (a * b).is_nan() && !a.is_nan() && !b.is_nan(),
        );
        classes.count("underflow to zero", a != 0.0 && b != 0.0 && expected == 0.0);
        cases += 1;
    };
    every_exponent_pair(0x5EED_0011, 60, &mut check);
    let edges = edges();
    for &a in &edges {
        for &b in &edges {
            check(a, b);
        }
    }
    println!("{cases} multiplications");
    classes.report("multiply");
    assert!(cases > 3_900_000);
}

/// Every product of two codes of every pair of operand formats, onto accumulators near and far.
/// The product of two such codes is a binary32 number, so one host addition rounds once.
#[test]
fn multiply_add_all_code_pairs_vs_host() {
    let mut random = Random::new(0x5EED_0012);
    let (mut pairs, mut cases) = (0, 0u64);
    let mut classes = Classes::new();
    for format_a in TABLE.iter().filter(|format| format.is_operand()) {
        for format_b in TABLE.iter().filter(|format| format.is_operand()) {
            if !format_a.products_fit_fp32(format_b) {
                continue;
            }
            pairs += 1;
            for code_a in 0..=format_a.code_mask() {
                let a = decode(code_a, format_a);
                // All codes of B with the same format, one in 16 with the others.
                let step = if format_a == format_b { 1 } else { 16 };
                let start = if step == 1 { 0 } else { random.below(16) };
                for code_b in (start..=format_b.code_mask()).step_by(step) {
                    let b = decode(code_b, format_b);
                    let product = (host(a) * host(b)) as f32;
                    let field = product.to_bits() >> 23 & 0xFF;
                    let near = (field + random.below(60)).saturating_sub(30).min(254);
                    let sign = random.word() & 1 << 31;
                    let code = match random.below(8) {
                        0 => sign,
                        1 => random.word(),
                        2 => product.to_bits() ^ 1 << 31,
                        _ => sign | near << 23 | random.fraction(),
                    };
                    let accumulator = f32::from_bits(code);
                    let expected = accumulator + product;
                    assert_eq!(
                        multiply_add_fp32(code, a, b),
                        bits(expected),
                        "{code:08x} + {code_a:02x} ({}) * {code_b:02x} ({})",
                        format_a.name,
                        format_b.name
                    );
                    classes.observe(accumulator, product, expected);
                    cases += 1;
                }
            }
        }
    }
    println!("{pairs} format pairs, {cases} steps");
    classes.report("multiply-add");
    assert!(pairs > 0 && cases > 1_000_000);
}

/// The sum in registers is the wide sum, before any rounding; and both kinds occur.
#[test]
fn add_narrow_every_exponent_pair_vs_exact() {
    let (mut narrow, mut wide) = (0u64, 0u64);
    every_exponent_pair(0x5EED_0013, 16, |code_a, code_b| {
        let (a, b) = (decode(code_a, FP32), decode(code_b, FP32));
        match (add_narrow(a, b), add_exact(a, b)) {
            (None, Number::Finite { .. }) => wide += 1,
            (Some(actual), expected) => {
                let actual = match actual {
                    Number::Finite {
                        negative,
                        significand,
                        exponent,
                    } => Number::Finite {
                        negative,
                        significand: Wide::new(significand, 0),
                        exponent,
                    },
                    Number::Infinity { negative } => Number::Infinity { negative },
                    Number::Nan => Number::Nan,
                };
                assert_eq!(actual, expected, "{code_a:08x} + {code_b:08x}");
                narrow += 1;
            }
            (None, special) => panic!("no narrow sum, yet {special:?}"),
        }
    });
    println!("{narrow} narrow, {wide} wide");
    assert!(narrow > 0 && wide > 0);
}
