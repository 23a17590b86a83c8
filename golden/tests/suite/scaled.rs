//! Scaled conversions against the host's division and multiplication.

use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{Conversion, Rounding};
use quaver_golden::{Scaling, convert, convert_scaled};

use crate::random::Random;

#[test]
fn scaled_random_vs_host() {
    let mut random = Random::new(0x5EED_0070);
    let mut cases = 0;
    let scaled = |x: f32, scale: f32, scaling, conversion: &Conversion| {
        let scale = (scale.to_bits(), FP32);
        convert_scaled(x.to_bits(), FP32, scale, scaling, conversion, 0)
    };
    let native = Conversion::native(FP32);
    for case in 0..200_000 {
        let word = |random: &mut Random| match random.below(40) {
            0 => f32::INFINITY,
            1 => -0.0,
            2 => 0.0,
            3 => f32::NAN,
            4 => f32::from_bits(random.below(1 << 23)),
            _ if case % 2 == 0 => f32::from_bits(random.word()),
            _ => f32::from_bits(0x3f80_0000 + random.below(1 << 26)),
        };
        let (x, scale) = (word(&mut random), word(&mut random));
        let format = &TABLE[random.below(TABLE.len() as u32) as usize];
        let rounding = Rounding::ALL[random.below(5) as usize];
        let conversion = Conversion::native(format).with_rounding(rounding);
        let by = |scaling| scaled(x, scale, scaling, &native);
        // The host's NaN may have either sign.
        let same = |actual: u32, host: f32| {
            actual == host.to_bits() || f32::from_bits(actual).is_nan() && host.is_nan()
        };
        assert!(same(by(Scaling::Divide), x / scale), "{x:e} / {scale:e}");
        assert!(
            same(by(Scaling::DivideTwice), x / scale),
            "{x:e} / {scale:e}"
        );
        assert!(
            same(by(Scaling::DivideTwicePlusZero), x / scale + 0.0),
            "{x:e} / {scale:e}"
        );
        assert!(same(by(Scaling::Multiply), x * scale), "{x:e} * {scale:e}");
        // Two roundings are those of the host's quotient and of a plain conversion.
        let twice = scaled(x, scale, Scaling::DivideTwice, &conversion);
        let expected = convert((x / scale).to_bits(), FP32, &conversion, 0);
        assert_eq!(twice, expected, "{x:e} / {scale:e} to {}", format.name);
        // One rounding: by a power of two the quotient is exact unless it leaves binary32.
        let power = f32::from_bits((64 + random.below(128)) << 23);
        let (quotient, once) = (x / power, scaled(x, power, Scaling::Divide, &conversion));
        if quotient * power == x && quotient.is_normal() {
            let expected = convert(quotient.to_bits(), FP32, &conversion, 0);
            assert_eq!(once, expected, "{x:e} / {power:e} to {}", format.name);
        }
        cases += 1;
    }
    println!("{cases} cases");
    assert!(cases > 0);
}

/// A quotient just above a tie of e4m3fn, which binary32 rounds to the tie: one rounding goes up, two
/// go to the even code.
#[test]
fn one_rounding_differs_from_two() {
    let format = TABLE.iter().find(|format| format.name == "e4m3fn").unwrap();
    let conversion = Conversion::native(format);

    let mut found = 0;
    for i in 0..1 << 12u32 {
        let scale = f32::from_bits(0x3f80_0001 + i * 977);
        let x = (1.0625 * f64::from(scale)) as f32;
        let exact = f64::from(x) - 1.0625 * f64::from(scale);
        if exact > 0.0 && x / scale == 1.0625 {
            let by = |scaling| {
                let scale = (scale.to_bits(), FP32);
                convert_scaled(x.to_bits(), FP32, scale, scaling, &conversion, 0)
            };
            assert_eq!(
                (by(Scaling::Divide), by(Scaling::DivideTwice)),
                (0x39, 0x38)
            );
            found += 1;
        }
    }
    println!("{found} quotients");
    assert!(found > 0);
}
