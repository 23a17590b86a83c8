//! Every format of the table: its codes against published values, and there and back again.

use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{Conversion, Format, Formats, Rounding};
use quaver_golden::{Number, convert, decode, to_fp32};

use crate::random::Random;
use crate::vectors::{host, normalised, published, published_names};

#[test]
fn decode_all_codes_vs_published() {
    let formats = Formats::default();
    let names = published_names();
    let mut codes = 0;
    // Files of aliases count too: two packages then describe one row.
    for name in &names {
        let format = formats.get(name).unwrap();
        let expected = published(name);
        assert_eq!(expected.len() as u64, format.code_count(), "{name}");
        for (code, expected) in (0..).zip(expected) {
            let actual = normalised(decode(code, format));
            assert_eq!(actual, expected, "{name} code {code:#04x}");
            codes += 1;
        }
    }
    for format in TABLE.iter().filter(|format| format.bits() <= 8) {
        let has_file = names.iter().any(|name| name == format.name);
        assert!(
            has_file,
            "{}: scripts/vectors/formats.py writes no file",
            format.name
        );
    }
    println!("{codes} codes");
    assert!(codes > 0);
}

/// Largest finite number, smallest normal and smallest positive number, in powers of two where
/// written so; NaN codes; +Inf code.
struct Published {
    name: &'static str,
    max: f64,
    min_normal_log2: i32,
    min_log2: i32,
    nan: &'static [u32],
    infinity: Option<u32>,
}

macro_rules! constants {
    ($($name:literal $max:expr, $normal:literal, $min:literal, nan $nan:expr, inf $infinity:expr;)*) => {
        &[$(Published {
            name: $name, max: $max, min_normal_log2: $normal, min_log2: $min, nan: &$nan, infinity: $infinity,
        }),*]
    };
}

/// OCP OFP8 1.0 table 1; arXiv 2206.02915; IEEE P3109 interim report; OCP MX 1.0, section 5.3 and
/// 5.4; IEEE 754-2019 table 3.5; the documentation of ml_dtypes.
const CONSTANTS: &[Published] = constants! {
    "e4m3fn"      448.0,   -6,  -9,  nan [0x7F, 0xFF], inf None;
    "e5m2"        57344.0, -14, -16, nan [0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF], inf Some(0x7C);
    "e4m3"        240.0,   -6,  -9,  nan [0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF], inf Some(0x78);
    "e4m3fnuz"    240.0,   -7,  -10, nan [0x80], inf None;
    "e5m2fnuz"    57344.0, -15, -17, nan [0x80], inf None;
    "e4m3b11fnuz" 30.0,    -10, -13, nan [0x80], inf None;
    "binary8p3se" 49152.0, -15, -17, nan [0x80], inf Some(0x7F);
    "binary8p4se" 224.0,   -7,  -10, nan [0x80], inf Some(0x7F);
    "e2m1fn"      6.0,     0,   -1,  nan [], inf None;
    "e2m3fn"      7.5,     0,   -3,  nan [], inf None;
    "e3m2fn"      28.0,    -2,  -4,  nan [], inf None;
    "e8m0fnu"     170_141_183_460_469_231_731_687_303_715_884_105_728.0, -127, -127, nan [0xFF], inf None;
};

#[test]
fn extremes_published_constants_vs_decode() {
    for expected in CONSTANTS {
        let format = TABLE
            .iter()
            .find(|format| format.name == expected.name)
            .unwrap();
        let numbers = || (0..=format.code_mask()).map(|code| (code, decode(code, format)));
        let finite = || {
            numbers()
                .filter(|(_, n)| matches!(n, Number::Finite { .. }))
                .map(|(_, n)| host(n))
        };
        let positive = || finite().filter(|&x| x > 0.0);
        let name = expected.name;
        assert_eq!(finite().fold(0.0, f64::max), expected.max, "{name} largest");
        let smallest = positive().fold(f64::INFINITY, f64::min);
        assert_eq!(smallest, 2f64.powi(expected.min_log2), "{name} smallest");
        // The smallest normal number begins the first binade whose neighbours' distance then grows.
        let normal = decode(1 << format.fraction_bits, format);
        if expected.min_normal_log2 != expected.min_log2 {
            assert_eq!(
                host(normal),
                2f64.powi(expected.min_normal_log2),
                "{name} normal"
            );
        }
        let nan: Vec<u32> = numbers()
            .filter(|(_, n)| *n == Number::Nan)
            .map(|(code, _)| code)
            .collect();
        assert_eq!(nan, expected.nan, "{name} NaN codes");
        let infinity = numbers().find(|(_, n)| *n == Number::Infinity { negative: false });
        assert_eq!(
            infinity.map(|(code, _)| code),
            expected.infinity,
            "{name} infinity"
        );
    }
    assert!(!CONSTANTS.is_empty());
}

#[test]
fn fp32_and_bf16_random_vs_host() {
    let bf16 = find("bf16");
    let mut random = Random::new(0x5EED_0001);
    for case in 0..1_000_000u32 {
        let code = if case < 0x1_0000 {
            case << 16
        } else {
            random.word()
        };
        let value = f32::from_bits(code);
        for (code, format) in [(code, FP32), (code >> 16, bf16)] {
            let expected = if format == FP32 {
                value
            } else {
                f32::from_bits(code << 16)
            };
            let actual = host(decode(code, format)) as f32;
            if expected.is_nan() {
                assert!(actual.is_nan(), "{} {code:08x}", format.name);
            } else {
                assert_eq!(
                    actual.to_bits(),
                    expected.to_bits(),
                    "{} {code:08x}",
                    format.name
                );
            }
        }
    }
}

/// Every code of up to 19 bits, and random ones of binary32, survive binary32 and every rounding;
/// a NaN comes back as the canonical one.
#[test]
fn round_trip_all_codes_through_fp32() {
    let mut random = Random::new(0x5EED_0002);
    let mut codes = 0u64;
    for format in TABLE {
        let exhaustive = format.bits() <= 19;
        let count = if exhaustive {
            format.code_count()
        } else {
            500_000
        };
        for case in 0..count as u32 {
            let code = if exhaustive { case } else { random.word() };
            let expected = match decode(code, format) {
                Number::Nan => format.nan_code().unwrap(),
                _ => code,
            };
            let fp32 = to_fp32(code, format);
            for &rounding in Rounding::ALL {
                let conversion = Conversion::native(format).with_rounding(rounding);
                let back = convert(fp32, FP32, &conversion, random.word());
                assert_eq!(
                    back,
                    expected,
                    "{} {code:#x} {}",
                    format.name,
                    rounding.name()
                );
            }
            codes += 1;
        }
    }
    println!("{codes} codes");
    assert!(codes > 0);
}

fn find(name: &str) -> &'static Format {
    TABLE.iter().find(|format| format.name == name).unwrap()
}
