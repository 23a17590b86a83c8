//! Conversions from binary32: against a search among published numbers, and by their properties.

use ndarray::{Array1, arr1};
use proptest::prelude::*;
use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{
    Conversion, Dither, Encoding, Format, Infinity, Nan, Overflow, Powers, Rounding, Stochastic,
};
use quaver_golden::{GoldenError, convert, convert_array, decode};

use crate::random::Random;
use crate::vectors::{host, published};

/// A format as a list of published magnitudes with their codes, ascending, for either sign.
struct Numbers {
    format: &'static Format,
    positive: Vec<(f64, u32)>,
    negative: Vec<(f64, u32)>,
}

impl Numbers {
    fn new(format: &'static Format) -> Self {
        let finite = || {
            (0..)
                .zip(published(format.name))
                .map(|(code, n)| (host(n), code))
                .filter(|(x, _)| x.is_finite())
        };
        let side = |negative: bool| {
            let mut side: Vec<(f64, u32)> = finite()
                .filter(|(x, _)| x.is_sign_negative() == negative)
                .map(|(x, code)| (x.abs(), code))
                .collect();
            if side.iter().all(|&(x, _)| x != 0.0) && format.encoding != Encoding::PowerOfTwo {
                side.push((0.0, 0)); // no -0: the zero of the other side serves
            }
            side.sort_by(|a, b| a.0.total_cmp(&b.0));
            side
        };
        Self {
            format,
            positive: side(false),
            negative: side(true),
        }
    }

    /// Rule 5 by searching the two neighbours of x and choosing one.
    fn convert(&self, x: f32, conversion: &Conversion, random: u32) -> u32 {
        let negative = x.is_sign_negative();
        let powers = self.format.encoding == Encoding::PowerOfTwo;
        let side = if negative && !powers {
            &self.negative
        } else {
            &self.positive
        };
        let largest = side.last().unwrap().1;
        let infinity = self.format.infinity_code().map(|code| {
            if negative {
                code | self.format.sign_mask()
            } else {
                code
            }
        });
        let sign = self.format.sign_mask();
        let integer = self.format.encoding == Encoding::TwosComplement;
        let canonical = self.format.nan_code().unwrap_or(if integer {
            0
        } else {
            self.positive.last().unwrap().1
        });
        let nan = match conversion.nan {
            Nan::Canonical => canonical,
            Nan::Sign if negative => canonical | sign,
            Nan::Sign => canonical,
            Nan::Ones if negative => self.format.code_mask(),
            Nan::Ones => self.format.magnitude_mask(),
            Nan::OppositeZero if negative => 0,
            Nan::OppositeZero => sign,
        };
        if x.is_nan() {
            return nan;
        }
        let by_magnitude = conversion.powers == Powers::FieldMagnitude;
        if powers && x == 0.0 && by_magnitude {
            return 0;
        }
        if powers && (x == 0.0 || negative && !by_magnitude) {
            return self.format.nan_code().unwrap_or(0);
        }
        let negative = negative && !powers;
        if x.is_infinite() {
            return match conversion.infinity {
                Infinity::Saturate => largest,
                Infinity::Infinity => infinity.unwrap(),
                Infinity::Nan => nan,
            };
        }
        let magnitude = f64::from(x.abs());
        if conversion.powers != Powers::Value && magnitude < side[1].0 {
            // The first two codes, at the distance of a subnormal.
            let fraction = magnitude / side[1].0;
            let up = Self::moves(fraction, fraction > 0.5, false, conversion, random);
            return side[usize::from(up)].1;
        }
        let above = side.partition_point(|&(candidate, _)| candidate <= magnitude);
        if above == 0 {
            return side[0].1; // powers of two have no zero
        }
        let (low, low_code) = side[above - 1];
        if low == magnitude {
            return low_code;
        }
        // Beyond the largest number the neighbour is the one that a wider exponent would have.
        let high = match side.get(above) {
            Some(&(high, _)) => high,
            None if self.format.encoding == Encoding::TwosComplement => {
                2.0 * low - side[above - 2].0
            }
            None => low + low.log2().floor().exp2() * 0.5f64.powi(self.format.fraction_bits as i32),
        };
        let fraction = ((magnitude - low) / (high - low)).min(1.0);
        let field = conversion.powers != Powers::Value;
        let even = fraction > 0.5 || fraction == 0.5 && (field || low_code % 2 == 1);
        let away = Self::moves(fraction, even, negative, conversion, random);
        match side.get(above) {
            _ if !away => low_code,
            Some(&(_, high_code)) => high_code,
            None if self.format.encoding == Encoding::TwosComplement => largest,
            None => match conversion.overflow {
                Overflow::Saturate => largest,
                Overflow::Infinity => infinity.unwrap(),
                Overflow::Nan => nan,
            },
        }
    }

    /// Whether a magnitude moves up by a fraction of the way, which is above 0; `even`: that a
    /// nearest rounding with ties to even does.
    fn moves(
        fraction: f64,
        even: bool,
        negative: bool,
        conversion: &Conversion,
        random: u32,
    ) -> bool {
        match conversion.rounding {
            Rounding::NearestEven => even,
            Rounding::NearestAway => fraction >= 0.5,
            Rounding::TowardZero => false,
            Rounding::TowardPositive => fraction > 0.0 && !negative,
            Rounding::TowardNegative => fraction > 0.0 && negative,
            Rounding::Stochastic => {
                let Stochastic { dither, bits } = conversion.stochastic;
                let one = 2f64.powi(bits as i32);
                let random = f64::from(random & u32::MAX >> (32 - bits));
                // Exact: a fraction of a binary32 number times a power of two.
                let steps = fraction * one;
                let tie = steps.fract() == 0.5;
                let compared = match dither {
                    Dither::Floor => steps.floor(),
                    Dither::Half => (steps + 0.5).floor(),
                    Dither::NearestOdd if tie && steps.floor() % 2.0 == 0.0 => steps.ceil(),
                    Dither::NearestOdd if tie => steps.floor(),
                    Dither::NearestEven | Dither::NearestOdd => steps.round_ties_even(),
                };
                compared + random >= one
            }
        }
    }

    /// Numbers of binary32 on, between and just beside all neighbours; specials; random ones.
    fn inputs(&self, random: &mut Random) -> Vec<f32> {
        let mut inputs = vec![
            0.0,
            f32::MIN_POSITIVE,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            f32::from_bits(1),
        ];
        let beyond = self.positive.last().unwrap().0 * 2.0;
        let magnitudes = self.positive.iter().chain(&self.negative).map(|&(x, _)| x);
        let magnitudes: Vec<f64> = magnitudes.chain([beyond]).collect();
        for pair in magnitudes.windows(2) {
            let (low, high) = (pair[0] as f32, pair[1] as f32);
            let middle = ((pair[0] + pair[1]) / 2.0) as f32;
            for x in [low, middle, high, low + (middle - low) / 2.0] {
                inputs.extend([x, x.next_up(), x.next_down()]);
            }
        }
        let fields = FP32.exponent_bits;
        for _ in 0..2000 {
            inputs.push(f32::from_bits(random.word()));
            let near = self.positive[random.below(self.positive.len() as u32) as usize].0 as f32;
            let noise = random.word() >> (1 + fields);
            inputs.push(f32::from_bits(near.to_bits() & !0x007F_FFFF | noise));
        }
        inputs.iter().flat_map(|&x| [x, -x]).collect()
    }
}

/// The rules of stochastic rounding that are tested: each with few, some and all random bits.
fn stochastic() -> impl Iterator<Item = Stochastic> {
    let rules = Dither::ALL.iter();
    rules.flat_map(|&dither| [1, 3, 31, 32].map(|bits| Stochastic { dither, bits }))
}

/// Every legal combination of policies with every rounding.
fn conversions(format: &'static Format) -> Vec<Conversion> {
    let native = Conversion::native(format);
    let dithered = stochastic().map(|rule| native.with_stochastic(rule).unwrap());
    Conversion::all(format, Rounding::ALL)
        .chain(dithered)
        .collect()
}

#[test]
fn convert_edges_and_random_vs_neighbour_search() {
    let mut random = Random::new(0x5EED_0030);
    let (mut formats, mut cases) = (0, 0u64);
    for format in TABLE.iter().filter(|format| format.bits() <= 8) {
        let numbers = Numbers::new(format);
        let inputs = numbers.inputs(&mut random);
        let conversions = conversions(format);
        assert!(conversions.len() >= Rounding::ALL.len());
        for conversion in conversions {
            for &x in &inputs {
                let u = match random.below(8) {
                    0 => 0,
                    1 => u32::MAX,
                    2 => 1 << 31,
                    _ => random.word(),
                };
                let actual = convert(x.to_bits(), FP32, &conversion, u);
                let expected = numbers.convert(x, &conversion, u);
                assert_eq!(
                    actual,
                    expected,
                    "{} of {x:e} ({:08x}), random {u:08x}, {conversion:?}",
                    format.name,
                    x.to_bits(),
                );
                cases += 1;
            }
        }
        formats += 1;
    }
    println!("{formats} formats, {cases} conversions");
    assert!(formats > 0 && cases > 1_000_000);
}

/// Binary32 codes that fall inside a format's range as often as not.
fn fp32_code() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        (0u32..2, 90u32..160, 0u32..1 << 23)
            .prop_map(|(sign, field, fraction)| sign << 31 | field << 23 | fraction),
    ]
}

fn saturating(format: &'static Format, rounding: Rounding) -> Conversion {
    let conversion = Conversion::native(format).with_rounding(rounding);
    conversion.with_overflow(Overflow::Saturate).unwrap()
}

fn value(code: u32, format: &Format) -> f64 {
    host(decode(code, format))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn convert_is_monotone(a in fp32_code(), b in fp32_code(), random: u32) {
        let (x, y) = (f32::from_bits(a), f32::from_bits(b));
        prop_assume!(!x.is_nan() && !y.is_nan());
        let (a, b) = if x <= y { (a, b) } else { (b, a) };
        for format in TABLE {
            if format.encoding == Encoding::PowerOfTwo && x.min(y) <= 0.0 {
                continue;
            }
            for &rounding in Rounding::ALL {
                let conversion = saturating(format, rounding);
                let low = value(convert(a, FP32, &conversion, random), format);
                let high = value(convert(b, FP32, &conversion, random), format);
                // Equal random bits move magnitudes alike, so this holds for sr too.
                prop_assert!(low <= high, "{} {}: {low} > {high}", format.name, rounding.name());
            }
        }
    }

    #[test]
    fn convert_is_idempotent(code in fp32_code(), random: u32, again: u32, start in 0usize..16) {
        for format in TABLE {
            let mut conversions = conversions(format);
            // By the exponent field, 2^-b is a subnormal that the directed roundings move.
            conversions.retain(|c| c.powers == Powers::Value);
            for conversion in conversions.into_iter().skip(start).step_by(16) {
                let once = convert(code, FP32, &conversion, random);
                if f32::from_bits(code).is_infinite() || value(once, format).is_infinite() {
                    continue; // the policy for infinity may differ from that for overflow
                }
                let twice = convert(once, format, &conversion, again);
                prop_assert_eq!(twice, once, "{} {:?}", format.name, conversion.rounding);
            }
        }
    }

    #[test]
    fn convert_is_symmetric_in_sign(code in fp32_code(), random: u32) {
        prop_assume!(!f32::from_bits(code).is_nan()); // a format without NaN makes it positive
        let floats = TABLE.iter().filter(|format| format.encoding == Encoding::Float);
        for format in floats {
            for (rounding, mirrored) in [
                (Rounding::NearestEven, Rounding::NearestEven),
                (Rounding::NearestAway, Rounding::NearestAway),
                (Rounding::TowardZero, Rounding::TowardZero),
                (Rounding::Stochastic, Rounding::Stochastic),
                (Rounding::TowardPositive, Rounding::TowardNegative),
            ] {
                let native = Conversion::native(format);
                let plus = value(convert(code, FP32, &native.with_rounding(rounding), random), format);
                let minus = convert(code ^ 1 << 31, FP32, &native.with_rounding(mirrored), random);
                let minus = value(minus, format);
                prop_assert!(plus == -minus || plus.is_nan() && minus.is_nan(), "{} {plus} {minus}", format.name);
            }
        }
    }

    #[test]
    fn directed_and_stochastic_roundings_bracket(code in fp32_code(), random: u32) {
        let x = f64::from(f32::from_bits(code));
        for format in TABLE {
            let by = |rounding, random| convert(code, FP32, &saturating(format, rounding), random);
            prop_assert_eq!(by(Rounding::Stochastic, 0), by(Rounding::TowardZero, 0), "{}", format.name);
            if format.encoding == Encoding::PowerOfTwo || x.is_nan() {
                continue;
            }
            let (down, up) = (by(Rounding::TowardNegative, 0), by(Rounding::TowardPositive, 0));
            let largest = value(format.max_code(), format);
            if x.abs() <= largest {
                prop_assert!(value(down, format) <= x && x <= value(up, format), "{}", format.name);
            }
            for &rounding in Rounding::ALL {
                let chosen = value(by(rounding, random), format);
                prop_assert!(chosen == value(down, format) || chosen == value(up, format));
            }
        }
    }

    #[test]
    fn array_vs_single(codes in prop::collection::vec(fp32_code(), 0..20), seed: u64) {
        let mut random = Random::new(seed);
        let codes = Array1::from(codes);
        let words = codes.map(|_| random.word());
        for format in TABLE {
            for &rounding in Rounding::ALL {
                let conversion = Conversion::native(format).with_rounding(rounding);
                let array = convert_array(codes.view(), FP32, &conversion, Some(words.view())).unwrap();
                for ((&code, &word), &actual) in codes.iter().zip(&words).zip(&array) {
                    prop_assert_eq!(actual, convert(code, FP32, &conversion, word));
                }
            }
        }
    }
}

#[test]
fn array_illegal_inputs_are_refused() {
    let format = TABLE.iter().find(|format| format.name == "e2m1fn").unwrap();
    let codes = arr1(&[1, 16]);
    let sr = Conversion::native(FP32).with_rounding(Rounding::Stochastic);
    let message = |result: Result<Array1<u32>, GoldenError>| result.unwrap_err().to_string();

    let wide = message(convert_array(
        codes.view(),
        format,
        &Conversion::native(FP32),
        None,
    ));
    assert_eq!(wide, "code of e2m1fn = 16 is not allowed (0 to 15)");
    let no_bits = message(convert_array(codes.view(), FP32, &sr, None));
    assert_eq!(
        no_bits,
        "rounding = sr is not allowed (this conversion carries no random bits)"
    );
    let short = message(convert_array(
        codes.view(),
        FP32,
        &sr,
        Some(arr1(&[1]).view()),
    ));
    assert!(short.starts_with("random shape = [1]"), "{short}");
    let mut policy = Conversion::native(format);
    policy.overflow = Overflow::Nan;
    let policy = message(convert_array(codes.view(), FP32, &policy, None));
    assert!(policy.contains("e2m1fn allows saturate"), "{policy}");
}
