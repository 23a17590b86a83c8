//! Conversions against rustc_apfloat, LLVM's arbitrary floats in Rust.

use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{Conversion, Rounding};
use quaver_golden::{convert, to_fp32};
use rustc_apfloat::ieee::{BFloat, Float8E4M3FN, Float8E5M2, Half, Single};
use rustc_apfloat::{Float, FloatConvert, Round};

use crate::random::Random;

const ROUNDINGS: &[(Rounding, Round)] = &[
    (Rounding::NearestEven, Round::NearestTiesToEven),
    (Rounding::NearestAway, Round::NearestTiesToAway),
    (Rounding::TowardZero, Round::TowardZero),
    (Rounding::TowardPositive, Round::TowardPositive),
    (Rounding::TowardNegative, Round::TowardNegative),
];

/// Binary32 codes: every upper half with the lower halves around its ties, then random ones.
fn inputs() -> impl Iterator<Item = u32> {
    let directed = (0..=0xFFFFu32)
        .flat_map(|upper| [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF].map(|lower| upper << 16 | lower));
    let mut random = Random::new(0x5EED_0020);
    directed.chain((0..500_000).map(move |_| random.word()))
}

/// What numerics.md, 5.5 (IEEE 754-2019, 7.4) wants where rustc_apfloat 0.2 is known to differ: it
/// forgets the sign when a directed rounding reaches 480, whose code is E4M3FN's NaN.
fn apfloat_exception(name: &str, code: u32, rounding: Rounding) -> Option<u32> {
    let x = f32::from_bits(code);
    if name != "e4m3fn" || x > -448.0 || x <= -512.0 {
        return None;
    }
    match rounding {
        Rounding::TowardPositive if x <= -480.0 => Some(0xFE),
        Rounding::TowardNegative if x < -448.0 => Some(0x7F),
        _ => None,
    }
}

/// Compares with every rounding and decodes every code; returns how many cases differed as
/// [`apfloat_exception`] says, which is the only way they may.
fn compare<F>(name: &str) -> u64
where
    Single: FloatConvert<F>,
    F: Float + FloatConvert<Single>,
{
    let format = TABLE.iter().find(|format| format.name == name).unwrap();
    let (mut cases, mut exceptions) = (0u64, 0u64);
    for &(rounding, round) in ROUNDINGS {
        let conversion = Conversion::native(format).with_rounding(rounding);
        for code in inputs() {
            let foreign: F = Single::from_bits(code.into())
                .convert_r(round, &mut false)
                .value;
            let actual = convert(code, FP32, &conversion, 0);
            cases += 1;
            let foreign = if foreign.is_nan() {
                format.nan_code().unwrap()
            } else {
                foreign.to_bits() as u32
            };
            let expected = match apfloat_exception(name, code, rounding) {
                Some(expected) => {
                    assert_ne!(foreign, expected, "{code:08x} is no exception any more");
                    exceptions += 1;
                    expected
                }
                None => foreign,
            };
            assert_eq!(
                actual,
                expected,
                "{name} of {code:08x}, {}",
                rounding.name()
            );
        }
    }
    for code in 0..=format.code_mask() {
        let foreign: Single = F::from_bits(code.into()).convert(&mut false).value;
        let expected = if foreign.is_nan() {
            0x7FC0_0000
        } else {
            foreign.to_bits() as u32
        };
        assert_eq!(
            to_fp32(code, format),
            expected,
            "binary32 of {name} {code:02x}"
        );
        cases += 1;
    }
    println!("{name}: {cases} cases, {exceptions} exceptions");
    assert!(cases > 0);
    exceptions
}

#[test]
fn e5m2_edges_and_random_vs_apfloat() {
    assert_eq!(compare::<Float8E5M2>("e5m2"), 0);
}

#[test]
fn e4m3fn_edges_and_random_vs_apfloat() {
    assert!(compare::<Float8E4M3FN>("e4m3fn") > 0);
}

#[test]
fn fp16_edges_and_random_vs_apfloat() {
    assert_eq!(compare::<Half>("fp16"), 0);
}

#[test]
fn bf16_edges_and_random_vs_apfloat() {
    assert_eq!(compare::<BFloat>("bf16"), 0);
}
