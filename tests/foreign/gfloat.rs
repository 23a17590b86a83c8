//! Against `gfloat`, in all its roundings.

use ndarray::Array2;
use quaver_contract::formats::FP32;
use quaver_contract::{
    Blocking, Conversion, Dither, Encoding, Format, Formats, Overflow, Rounding, Stochastic,
};
use quaver_fast::Isa;
use quaver_fast::convert::Converter;
use quaver_golden::{Number, convert, decode, dequantise, quantise};
use quaver_verify::Random;
use quaver_verify::stimulus::fp32::edge_fractions;

use crate::pipe::{Pipe, bytes, names};

const SCRIPT: &str = "gfloat_round.py";
const SEED: u64 = 2;

/// gfloat's name of a rounding, without random bits.
const DETERMINISTIC: &[(&str, Rounding)] = &[
    ("TiesToEven", Rounding::NearestEven),
    ("TiesToAway", Rounding::NearestAway),
    ("TowardZero", Rounding::TowardZero),
    ("TowardPositive", Rounding::TowardPositive),
    ("TowardNegative", Rounding::TowardNegative),
];

/// Its stochastic roundings.
const STOCHASTIC: &[(&str, Dither)] = &[
    ("StochasticFastest", Dither::Floor),
    ("StochasticFast", Dither::Half),
    ("Stochastic", Dither::NearestEven),
    ("StochasticOdd", Dither::NearestOdd),
];

/// Random bits: gfloat adds in binary64, which is exact up to 29.
const RANDOM_BITS: &[u32] = &[1, 5, 8, 16, 29];

/// Binary32 numbers in and around a format's range, specials among them where gfloat has a result.
fn inputs(format: &Format, random: &mut Random) -> Vec<u32> {
    let edges = edge_fractions();
    let low = (format.lowest_exponent() - 4 + 127).clamp(0, 254);
    let high = (format.exponent_limit() + 3 + 127).clamp(0, 254);
    let mut inputs: Vec<u32> = vec![0, 1, 0x7f7f_ffff, 0x7f80_0000];
    if format.nan_code().is_some() {
        inputs.extend([0x7fc0_0000, 0x7f80_0001]);
    }
    for field in low.cast_unsigned()..=high.cast_unsigned() {
        let others: Vec<u32> = (0..64).map(|_| random.bits32() & 0x7f_ffff).collect();
        // Few kept bits and few below them: ties of the stochastic roundings.
        let ties = (0..32).map(|_| (random.bits32() & 0xfff) << random.below(12));
        let ties: Vec<u32> = ties.map(|fraction| fraction & 0x7f_ffff).collect();
        let fractions = edges.iter().copied().chain(others).chain(ties);
        inputs.extend(fractions.map(|fraction| field << 23 | fraction));
    }
    if format.encoding == Encoding::PowerOfTwo {
        // gfloat lets small numbers round to the zero that these formats do not have.
        let smallest = quaver_golden::to_fp32(0, format);
        inputs.retain(|&code| code >= smallest);
        return inputs;
    }
    let negative: Vec<u32> = inputs.iter().map(|code| code | 1 << 31).collect();
    inputs.extend(negative);
    inputs
}

struct Request<'a> {
    name: &'a str,
    mode: &'a str,
    conversion: Conversion,
    random: Vec<u32>,
}

/// Compares all three; the number of comparisons.
fn compare(pipe: &mut Pipe, inputs: &[u32], request: &Request<'_>) -> usize {
    let Request {
        name,
        mode,
        conversion,
        random,
    } = request;
    let format = conversion.format;
    let saturates = u32::from(conversion.overflow == Overflow::Saturate);
    let bits = conversion.stochastic.bits;
    let line = format!("{name} {mode} {saturates} {bits} {}", inputs.len());
    let payload = [inputs, random].concat();
    pipe.send(&line, &bytes(&payload, FP32));
    let mut fast = vec![0u32; inputs.len()];
    let converter = Converter::new(FP32, conversion).expect("the conversion is legal");
    converter.slice(Isa::best(), inputs, random, &mut fast);
    let foreign = pipe.codes(inputs.len(), 2);
    for (i, (&code, &fast)) in inputs.iter().zip(&fast).enumerate() {
        let word = random.get(i).copied().unwrap_or(0);
        let golden = convert(code, FP32, conversion, word);
        // gfloat's NaN has one code, and so has ours: they may differ.
        let is_nan = |code| decode(code, format) == Number::Nan;
        let same = |ours| ours == foreign[i] || is_nan(ours) && is_nan(foreign[i]);
        assert!(
            same(golden) && golden == fast,
            "{code:08x} to {name}, {mode} of {bits} bits with {word:x}, saturate {saturates}: \
             golden {golden:#x}, fast {fast:#x}, gfloat {:#x}",
            foreign[i]
        );
    }
    inputs.len()
}

#[test]
fn conversion_edges_and_random_vs_gfloat() {
    let formats = Formats::default();
    let mut random = Random::new(SEED, "gfloat");
    let mut pipe = Pipe::open(SCRIPT);
    let (mut cases, mut count) = (0, 0);
    for name in names(SCRIPT) {
        let format = formats
            .get(&name)
            .expect("each of its formats is in the table");
        let inputs = inputs(format, &mut random);
        let native = Conversion::native(format);
        let saturating = native
            .with_overflow(Overflow::Saturate)
            .expect("every format can");
        let mut policies = vec![saturating];
        policies.extend((native != saturating).then_some(native));
        for policy in policies {
            for &(mode, rounding) in DETERMINISTIC {
                let conversion = policy.with_rounding(rounding);
                let random = Vec::new();
                let name = &name;
                cases += compare(
                    &mut pipe,
                    &inputs,
                    &Request {
                        name,
                        mode,
                        conversion,
                        random,
                    },
                );
            }
            for (&(mode, dither), &bits) in STOCHASTIC
                .iter()
                .flat_map(|mode| RANDOM_BITS.iter().map(move |bits| (mode, bits)))
            {
                let rule = Stochastic { dither, bits };
                let conversion = policy.with_stochastic(rule).expect("the rule is legal");
                let ends = [0, (1 << bits) - 1];
                let random = (inputs.iter())
                    .map(|_| match random.below(8) {
                        0 => random.pick(&ends),
                        _ => random.bits32() >> (32 - bits),
                    })
                    .collect();
                let name = &name;
                cases += compare(
                    &mut pipe,
                    &inputs,
                    &Request {
                        name,
                        mode,
                        conversion,
                        random,
                    },
                );
            }
        }
        count += 1;
    }
    println!("{cases} conversions to {count} formats, seed {SEED}");
    assert!(count > 0 && cases > 1_000_000);
}

/// OCP MX's blocks of 32: the numbers that they hold, which decides scale and elements together.
#[test]
fn mx_blocks_random_vs_gfloat() {
    let formats = Formats::default();
    let mx = Blocking::get("mx").expect("it is a name");
    let mut random = Random::new(SEED, "mx");
    let mut pipe = Pipe::open(SCRIPT);
    let mut cases = 0;
    for name in ["e4m3fn", "e5m2", "e2m3fn", "e3m2fn", "e2m1fn", "mxint8"] {
        let format = formats.get(name).expect("it is in the table");
        let native = Conversion::native(format);
        let conversion = native
            .with_overflow(Overflow::Saturate)
            .expect("every format can");
        // Rows of one block: each in a place of binary32's range, the first of zeros alone.
        let values = Array2::from_shape_fn((200, 32), |(row, _)| {
            let field = (row as u32 * 5 / 4).saturating_sub(random.below(6) as u32);
            let fraction = (random.bits32() & 0x7f_ffff) >> random.below(23) << random.below(23);
            let sign = random.bits32() & 1 << 31;
            if row == 0 {
                sign
            } else {
                sign | field << 23 | fraction & 0x7f_ffff
            }
        });
        let inputs: Vec<u32> = values.iter().copied().collect();
        pipe.send(
            &format!("mx {name} {}", inputs.len()),
            &bytes(&inputs, FP32),
        );
        let blocks = quantise(values.view(), &mx, &conversion).expect("the input is legal");
        let held = dequantise(&blocks, &mx, &conversion).expect("the blocks are legal");
        let foreign = pipe.codes(inputs.len(), FP32.storage_bytes());
        for ((&input, &golden), &foreign) in inputs.iter().zip(&held).zip(&foreign) {
            let (golden, foreign) = (f32::from_bits(golden), f32::from_bits(foreign));
            // Equal as numbers: MXINT8 has one zero.
            assert!(
                golden == foreign,
                "{input:08x} in a block of {name}: golden {golden:e}, gfloat {foreign:e}"
            );
            cases += 1;
        }
    }
    println!("{cases} elements of blocks, seed {SEED}");
    assert!(cases > 0);
}
