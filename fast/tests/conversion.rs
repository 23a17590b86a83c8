//! Conversions of the fast engine against golden: every code of every format of up to 16 bits, to
//! every format, by every rounding and policy.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{
    Bundle, Conversion, Dither, Encoding, Format, Formats, Rounding, Stochastic,
};
use quaver_fast::Isa;
use quaver_fast::convert::Converter;
use quaver_fast::decode::Decoder;
use quaver_golden::convert;
use rayon::prelude::*;

/// SplitMix64's upper halves, as numerics.md, 5.4 has them.
fn random_words(seed: u64, count: usize) -> Vec<u32> {
    println!("seed {seed}");
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// The formats of the table, and some with other biases.
fn formats() -> Vec<&'static Format> {
    let formats = Formats::default();
    let others = [
        "e4m3b3",
        "e4m3b15fn",
        "e4m3finite",
        "f143*2^-32",
        "f152*2^31",
    ];
    let others = others.map(|name| formats.get(name).unwrap());
    TABLE.iter().chain(others).collect()
}

/// Every conversion to a format: all policies with all roundings, and all rules of stochastic
/// rounding.
fn conversions(format: &'static Format) -> Vec<Conversion> {
    let native = Conversion::native(format);
    let rules = Dither::ALL.iter();
    let rules = rules.flat_map(|&dither| [1, 7, 32].map(|bits| Stochastic { dither, bits }));
    let stochastic = rules.map(|rule| native.with_stochastic(rule).unwrap());
    Conversion::all(format, Rounding::ALL)
        .chain(stochastic)
        .collect()
}

/// Compares all of `codes` on every instruction set; the number of comparisons.
fn compare(source: &Format, conversion: &Conversion, codes: &[u32], random: &[u32]) -> u64 {
    let stochastic = conversion.rounding == Rounding::Stochastic;
    let random = if stochastic { random } else { &[] };
    let converter = Converter::new(source, conversion).unwrap();
    let word = |i: usize| random.get(i).copied().unwrap_or(0);
    let golden: Vec<u32> = codes
        .iter()
        .enumerate()
        .map(|(i, &code)| convert(code, source, conversion, word(i)))
        .collect();
    let mut fast = vec![0u32; codes.len()];
    let sets = Isa::ALL.iter().filter(|isa| isa.is_available());
    let mut cases = 0;
    for &isa in sets {
        converter.slice(isa, codes, random, &mut fast);
        if let Some(i) = (0..codes.len()).find(|&i| fast[i] != golden[i]) {
            panic!(
                "{} {:#x} by {isa:?} with {:#x}: fast {:#x}, golden {:#x}, {conversion:?}",
                source.name,
                codes[i],
                word(i),
                fast[i],
                golden[i]
            );
        }
        cases += codes.len() as u64;
    }
    cases
}

#[test]
fn conversion_all_codes_vs_golden() {
    let random = random_words(1, 1 << 16);
    let formats = formats();
    let cases = AtomicU64::new(0);
    let halves = ["fp16", "bf16"].map(|name| Formats::default().get(name).unwrap());
    formats.par_iter().for_each(|&format| {
        let all = conversions(format);
        assert!(all.len() >= Rounding::ALL.len());
        all.par_iter().for_each(|conversion| {
            for source in halves {
                let codes: Vec<u32> = (0..=source.code_mask()).collect();
                cases.fetch_add(compare(source, conversion, &codes, &random), Relaxed);
            }
        });
    });
    println!("{} comparisons", cases.load(Relaxed));
    assert!(cases.into_inner() > 0);
}

#[test]
fn conversion_between_all_formats_vs_golden() {
    let formats = formats();
    let mut cases = 0;
    let bundles = Bundle::ALL.iter();
    let bundles: Vec<Conversion> = bundles
        .flat_map(|bundle| {
            formats
                .iter()
                .filter_map(|format| bundle.conversion(format).ok())
        })
        .collect();
    let native = formats.iter().map(|format| Conversion::native(format));
    let all: Vec<Conversion> = native.chain(bundles).collect();
    for source in formats.iter().filter(|format| format.bits() <= 8) {
        let codes: Vec<u32> = (0..=source.code_mask()).collect();
        for conversion in &all {
            cases += compare(source, conversion, &codes, &[]);
        }
    }
    println!("{cases} comparisons");
    assert!(cases > 0);
}

#[test]
fn conversion_random_fp32_and_tf32_vs_golden() {
    let codes = random_words(2, 1 << 13);
    let random = random_words(3, codes.len());
    let formats = formats();
    let tf32 = Formats::default().get("tf32").unwrap();
    let cases: u64 = formats
        .par_iter()
        .flat_map(|format| conversions(format))
        .map(|conversion| {
            let near = |&code: &u32| {
                // Half of them near the format's range.
                let field =
                    conversion.format.bias.rem_euclid(8).cast_unsigned() + 115 + (code >> 27);
                if code & 1 == 0 {
                    code
                } else {
                    code & 0x807f_ffff | (field & 0xff) << 23
                }
            };
            let codes: Vec<u32> = codes.iter().map(near).collect();
            let upper: Vec<u32> = codes.iter().map(|code| code >> 13).collect();
            compare(FP32, &conversion, &codes, &random)
                + compare(tf32, &conversion, &upper, &random)
        })
        .sum();
    println!("{cases} comparisons");
    assert!(cases > 0);
}

/// The decoder's slices, of lengths and places at which its loops begin and end.
#[test]
fn decode_slices_vs_golden() {
    let formats = formats();
    let mut cases = 0;
    for format in formats.iter().filter(|format| format.bits() <= 8) {
        let decoder = Decoder::new(format);
        let codes: Vec<u8> = (0..=255).cycle().take(1 << 10).collect();
        let golden = |code: &u8| quaver_golden::to_fp32(u32::from(*code), format);
        let golden: Vec<u32> = codes.iter().map(golden).collect();
        let sets = Isa::ALL.iter().filter(|isa| isa.is_available());
        for &isa in sets {
            for (start, end) in [(0, 1024), (1, 1000), (5, 6), (7, 7), (31, 97), (256, 320)] {
                let mut values = vec![0.0; end];
                decoder.slice(isa, &codes[start..end], &mut values[start..]);
                let values = values[start..].iter().map(|value| value.to_bits());
                assert!(
                    values.eq(golden[start..end].iter().copied()),
                    "{} {isa:?}",
                    format.name
                );
                cases += end - start;
            }
        }
    }
    // So many that they are written past the caches, from every place in a cache line.
    let count = 1 << 22;
    let codes: Vec<u8> = random_words(4, count + 16)
        .iter()
        .map(|&word| word as u8)
        .collect();
    for start in 0..16 {
        let format = formats[start % 4];
        let decoder = Decoder::new(format);
        let mut values = vec![0.0; count + 16];
        decoder.slice(
            Isa::best(),
            &codes[start..start + count],
            &mut values[start..start + count],
        );
        let equal = |(&code, value): (&u8, &f32)| value.to_bits() == decoder.one(code).to_bits();
        assert!(
            codes[start..]
                .iter()
                .zip(&values[start..start + count])
                .all(equal)
        );
        cases += count;
    }
    // PowerOfTwo has no sign, so every encoding is among them.
    assert!(
        formats
            .iter()
            .any(|format| format.encoding == Encoding::PowerOfTwo)
    );
    assert!(cases > 0);
}
