//! Block quantisers against a search among published numbers, in host arithmetic that is exact.

use ndarray::{Array2, ArrayView2, s};
use quaver_contract::formats::TABLE;
use quaver_contract::{BlockScale, Blocking, Conversion, Format, Overflow, Rounding};
use quaver_golden::{Number, decode, dequantise, quantise};

use crate::random::Random;
use crate::vectors::{host, published};

/// The elements that the standards name for each kind of scale, and others.
const CASES: &[(&str, &[&str])] = &[
    (
        "mx",
        &["e4m3fn", "e5m2", "e2m3fn", "e3m2fn", "e2m1fn", "mxint8"],
    ),
    ("mx:32x1", &["e4m3fn", "e2m1fn"]),
    ("nvfp4", &["e2m1fn"]),
    ("nvfp4:16x1", &["e2m1fn"]),
    ("1x128", &["e4m3fn", "e5m2", "int8"]),
    ("128x128", &["e4m3fn", "e4m3fnuz"]),
    ("fp32:3x5", &["e2m1fn", "e3m4"]),
];

/// The nearest of some numbers to `x / factor`, ties to the even code, without dividing: midpoints
/// times a factor of up to 28 bits are exact in binary64, and so are the inputs.
fn nearest(x: f64, factor: f64, numbers: &[(f64, u32)]) -> u32 {
    let above = numbers.partition_point(|(number, _)| number * factor < x);
    if above == 0 {
        return numbers[0].1;
    }
    let Some(&(high, high_code)) = numbers.get(above) else {
        return numbers[above - 1].1;
    };
    let (low, low_code) = numbers[above - 1];
    let middle = (low + high) * 0.5 * factor;
    if x < middle || x == middle && low_code % 2 == 0 {
        low_code
    } else {
        high_code
    }
}

/// The finite numbers of a format in order, the zero of either sign apart.
fn ordered(format: &Format) -> Vec<(f64, u32)> {
    let numbers = (0..).zip(published(format.name));
    let mut numbers: Vec<(f64, u32)> = numbers
        .map(|(code, number)| (host(number), code))
        .filter(|(x, _)| x.is_finite() && (*x != 0.0 || x.is_sign_positive()))
        .collect();
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    numbers
}

/// Numbers whose blocks differ in scale; some zeros, subnormals, and ones beyond every range.
fn values(random: &mut Random, rows: usize, cols: usize) -> Array2<u32> {
    let spread = random.below(60);
    Array2::from_shape_fn((rows, cols), |(row, col)| {
        let field = 90 + (row / 7 + col / 9) as u32 % 30 + random.below(spread + 1);
        let sign = random.word() & 1 << 31;
        match random.below(30) {
            0 => sign,
            1 => sign | random.below(1 << 23),
            2 => sign | (field << 23),
            _ => sign | field << 23 | random.fraction(),
        }
    })
}

fn find(name: &str) -> &'static Format {
    TABLE.iter().find(|format| format.name == name).unwrap()
}

fn saturating(format: &'static Format) -> Conversion {
    let native = Conversion::native(format);
    native.with_overflow(Overflow::Saturate).unwrap()
}

fn amax(block: ArrayView2<'_, u32>) -> f32 {
    let magnitudes = block.iter().map(|&code| f32::from_bits(code).abs());
    magnitudes.fold(0.0, f32::max)
}

/// Rules 7.4 to 7.6: the scale's code, and the tensor's scale.
fn scale(block: ArrayView2<'_, u32>, tensor: f32, largest: f64, blocking: &Blocking) -> u32 {
    let amax = amax(block);
    match blocking.scale {
        BlockScale::SharedExponent if amax == 0.0 => 0,
        BlockScale::SharedExponent => {
            // f64 has no subnormals here, so that its exponent field is the logarithm's floor.
            let log2 = |x: f64| (x.to_bits() >> 52) as i32 - 1023;
            let exponent = log2(f64::from(amax)) - log2(largest);
            (exponent.clamp(-127, 127) + 127) as u32
        }
        BlockScale::Fp32 if amax == 0.0 => 1f32.to_bits(),
        BlockScale::Fp32 => (amax / largest as f32).to_bits().max(1),
        BlockScale::Fp8AndTensor => {
            let positive: Vec<_> = ordered(find("e4m3fn"))
                .into_iter()
                .filter(|(x, _)| *x >= 0.0)
                .collect();
            nearest(f64::from(amax), largest * f64::from(tensor), &positive).max(1)
        }
    }
}

#[test]
fn quantise_random_vs_neighbour_search() {
    let mut random = Random::new(0x5EED_0060);
    let mut elements = 0;
    for (name, formats) in CASES {
        let blocking = Blocking::get(name).unwrap();
        for format in formats.iter().map(|format| find(format)) {
            let numbers = ordered(format);
            let largest = numbers.last().unwrap().0;
            for (rows, cols) in [(4, 64), (35, 67), (1, 1), (130, 140), (0, 3)] {
                let values = values(&mut random, rows, cols);
                let blocks = quantise(values.view(), &blocking, &saturating(format)).unwrap();
                let tensor = match amax(values.view()) {
                    0.0 => 1.0,
                    amax => f32::from_bits((amax / (448.0 * largest) as f32).to_bits().max(1)),
                };
                let has_tensor = blocking.scale == BlockScale::Fp8AndTensor;
                assert_eq!(
                    blocks.tensor,
                    has_tensor.then_some(tensor.to_bits()),
                    "{name}"
                );
                for ((row, col), &actual) in blocks.scales.indexed_iter() {
                    let (top, left) = (row * blocking.rows, col * blocking.cols);
                    let bottom = rows.min(top + blocking.rows);
                    let right = cols.min(left + blocking.cols);
                    let block = values.slice(s![top..bottom, left..right]);
                    let expected = scale(block, tensor, largest, &blocking);
                    assert_eq!(
                        actual, expected,
                        "{name} of {}: scale {row}, {col}",
                        format.name
                    );
                    let factor = host(decode(actual, blocking.scale_format()));
                    let factor = if has_tensor {
                        factor * f64::from(tensor)
                    } else {
                        factor
                    };
                    for (index, &value) in block.indexed_iter() {
                        let x = f64::from(f32::from_bits(value));
                        let expected = nearest(x, factor, &numbers);
                        let code = blocks.codes[(top + index.0, left + index.1)];
                        // A zero has its input's sign where the format has it.
                        let negative_zero = x.is_sign_negative() && format.has_negative_zero();
                        let expected = match expected {
                            0 if negative_zero => format.sign_mask(),
                            code => code,
                        };
                        assert_eq!(
                            code, expected,
                            "{name} of {}: {x:e} by {factor:e}",
                            format.name
                        );
                        elements += 1;
                    }
                }
                let back = dequantise(&blocks, &blocking, &saturating(format)).unwrap();
                for (index, &back) in back.indexed_iter() {
                    let scale = blocks.scales[(index.0 / blocking.rows, index.1 / blocking.cols)];
                    let factor = host(decode(scale, blocking.scale_format()));
                    let element = host(decode(blocks.codes[index], format));
                    // At most 8 bits by 24, or 2 by 4 by 24: exact in binary64.
                    let tensor = if has_tensor { f64::from(tensor) } else { 1.0 };
                    let expected = (element * factor * tensor) as f32;
                    assert_eq!(f32::from_bits(back), expected, "{name} of {}", format.name);
                }
            }
        }
    }
    println!("{elements} elements");
    assert!(elements > 100_000);
}

/// NaN and infinities take their own block alone.
#[test]
fn quantise_specials() {
    for (name, formats) in CASES {
        let blocking = Blocking::get(name).unwrap();
        let format = find(formats[0]);
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = Array2::from_elem((300, 300), 1.5f32.to_bits());
            values[(299, 299)] = special.to_bits();
            let blocks = quantise(values.view(), &blocking, &saturating(format)).unwrap();
            let last = blocks.scales.len() - 1;
            for (i, &scale) in blocks.scales.iter().enumerate() {
                let is_nan = decode(scale, blocking.scale_format()) == Number::Nan;
                assert_eq!(is_nan, i == last, "{name} {special}");
            }
            assert_eq!(blocks.codes[(299, 299)], 0);
            let back = dequantise(&blocks, &blocking, &saturating(format)).unwrap();
            assert!(f32::from_bits(back[(299, 299)]).is_nan());
            assert!(f32::from_bits(back[(0, 0)]) > 1.0);
        }
    }
}

#[test]
fn quantise_illegal_inputs_are_refused() {
    let values = Array2::zeros((2, 2));
    let mx = Blocking::get("mx").unwrap();
    let error = |blocking: &Blocking, conversion: &Conversion| {
        quantise(values.view(), blocking, conversion)
            .unwrap_err()
            .to_string()
    };
    let e4m3fn = saturating(find("e4m3fn"));
    let powers = Conversion::native(find("e8m0fnu"));
    assert!(error(&mx, &powers).starts_with("format of a block = e8m0fnu"));
    assert!(error(&mx, &e4m3fn.with_rounding(Rounding::Stochastic)).contains("random bits"));
    assert!(error(&Blocking { rows: 0, ..mx }, &e4m3fn).starts_with("block = 0x32"));
    let mut blocks = quantise(values.view(), &mx, &e4m3fn).unwrap();
    blocks.tensor = Some(0);
    assert!(dequantise(&blocks, &mx, &e4m3fn).is_err());
    blocks.tensor = None;
    blocks.scales = Array2::zeros((1, 1));
    assert!(dequantise(&blocks, &mx, &e4m3fn).is_err());
}
