//! `quaver gemm`.

use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Conversion, Engine as _, Formats, Job, Scale};
use serde_json::Value;

use crate::support::Sandbox;

/// Bytes that look random: codes of any 8-bit format.
pub(crate) fn codes(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Codes of E4M3 without NaN.
fn finite_codes(count: usize, seed: u32) -> Vec<u8> {
    let mut codes = codes(count, seed);
    for code in &mut codes {
        *code &= 0xfb;
    }
    codes
}

const E4M3FN: &str = "gemm --a a.npy --b b.npy --format-a e4m3fn --format-b e4m3fn";

#[test]
fn every_shape_vs_golden() {
    let sandbox = Sandbox::new();
    let format = Formats::default().get("e4m3fn").unwrap();
    let sizes = [0, 1, 2, 5];
    let mut jobs = 0;
    for (m, k, n) in sizes
        .iter()
        .flat_map(|&m| sizes.map(|k| (m, k)))
        .flat_map(|(m, k)| sizes.map(|n| (m, k, n)))
    {
        let (a, b) = (finite_codes(m * k, 1), finite_codes(k * n, 2));
        sandbox.save("a.npy", &[m, k], a.clone());
        sandbox.save_fortran("b.npy", &[k, n], &b);
        let report = sandbox
            .line(&format!("{E4M3FN} --engine golden --json -o d.npy"))
            .json();
        let size = |name: &str| report[name].as_u64().unwrap() as usize;
        assert_eq!((size("m"), size("k"), size("n")), (m, k, n));

        let a = ndarray::Array2::from_shape_vec((m, k), a).unwrap();
        let b = ndarray::Array2::from_shape_vec((k, n), b).unwrap();
        let job = Job {
            a: a.view(),
            b: b.view(),
            format_a: format,
            format_b: format,
            accumulator: Accumulator::Fp32,
            init: None,
            blocks: None,
            scale: Scale::None,
            bias: None,
            relu: false,
            output: Conversion::native(FP32),
        };
        let expected = quaver_golden::Golden.run(&job).unwrap().values;
        let (shape, values) = sandbox.load::<f32>("d.npy");
        assert_eq!(shape, [m, n]);
        assert!(
            values
                .iter()
                .map(|x| x.to_bits())
                .eq(expected.iter().copied())
        );
        jobs += 1;
    }
    assert!(jobs > 0);
}

#[test]
fn epilogue_in_the_order_of_the_contract() {
    let sandbox = Sandbox::new();
    // Codes of 1, 2, -1 and 0.5.
    sandbox.save("a.npy", &[2, 2], vec![0x38_u8, 0x40, 0xb8, 0x30]);
    sandbox.save(
        "b.npy",
        &[2, 3],
        vec![0x38_u8, 0x40, 0xb8, 0x38, 0x38, 0x38],
    );
    // A * B = [3 4 1; -0.5 -1.5 1.5].
    sandbox.save("init.npy", &[2, 3], vec![1.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0]);
    sandbox.save("bias.npy", &[3], vec![0.25_f32, 0.0, -1.0]);
    sandbox.save("columns.npy", &[3], vec![2.0_f32, 1.0, 4.0]);
    sandbox.save("half.npy", &[], vec![0.5_f32]);
    let cases: &[(&str, [f32; 6])] = &[
        ("", [3.0, 4.0, 1.0, -0.5, -1.5, 1.5]),
        ("--init init.npy", [4.0, 4.0, 1.0, -0.5, -1.5, 1.5]),
        ("--scale-a -2", [-6.0, -8.0, -2.0, 1.0, 3.0, -3.0]),
        ("--scale-b 0.5", [1.5, 2.0, 0.5, -0.25, -0.75, 0.75]),
        (
            "--scale-a half.npy --scale-b columns.npy",
            [3.0, 2.0, 2.0, -0.5, -0.75, 3.0],
        ),
        ("--bias bias.npy --relu", [3.25, 4.0, 0.0, 0.0, 0.0, 0.5]),
        (
            "--init init.npy --scale-a 0.5 --scale-b columns.npy --bias bias.npy",
            [4.25, 2.0, 1.0, -0.25, -0.75, 2.0],
        ),
    ];
    for (options, expected) in cases {
        for engine in ["golden", "fast"] {
            sandbox
                .line(&format!("{E4M3FN} {options} --engine {engine} -o d.npy"))
                .ok();
            assert_eq!(sandbox.load::<f32>("d.npy").1, expected, "{options}");
        }
    }
    // The same through an 8-bit result, whose codes are bytes.
    sandbox
        .line(&format!(
            "{E4M3FN} --out e5m2 --overflow inf --scale-a 1e6 --engine golden -o d.npy"
        ))
        .ok();
    assert_eq!(
        sandbox.load::<u8>("d.npy").1,
        [0x7c, 0x7c, 0x7c, 0xfc, 0xfc, 0x7c]
    );
}

#[test]
fn profiles_and_accumulators_add_in_their_own_way() {
    let sandbox = Sandbox::new();
    // 448 * 448 + 2^-9 * 1 - 448 * 448 + 1 * 1.
    sandbox.save("a.npy", &[1, 4], vec![0x7e_u8, 0x01, 0xfe, 0x38]);
    sandbox.save("b.npy", &[4, 1], vec![0x7e_u8, 0x38, 0x7e, 0x38]);
    let cases = [
        ("", "fp32", 1.0_f32),
        ("--accumulator exact", "exact", 1.0 + 1.0 / 512.0),
        // Beside products of exponent 8 + 8, 13 fraction bits keep nothing below 2^3.
        ("--profile h100", "dot_hopper", 0.0),
    ];
    for (options, accumulator, expected) in cases {
        let report = sandbox
            .line(&format!(
                "{E4M3FN} {options} --engine golden --json -o d.npy"
            ))
            .json();
        assert_eq!(report["accumulator"], accumulator);
        assert_eq!(sandbox.load::<f32>("d.npy").1, [expected], "{options}");
    }
}

#[test]
fn init_bits_are_kept() {
    let sandbox = Sandbox::new();
    // With K = 0 the result is the initial value, -0 and subnormal numbers too.
    let bits = [0x8000_0000_u32, 1, 0x7f80_0000, 0xff7f_ffff];
    sandbox.save::<u8>("a.npy", &[2, 0], Vec::new());
    sandbox.save::<u8>("b.npy", &[0, 2], Vec::new());
    sandbox.save("init.npy", &[2, 2], bits.to_vec());
    sandbox
        .line(&format!(
            "{E4M3FN} --init init.npy --engine golden -o d.npy"
        ))
        .ok();
    let values = sandbox.load::<f32>("d.npy").1;
    assert!(values.iter().map(|x| x.to_bits()).eq(bits));
}

#[test]
fn json_is_one_object_that_names_the_job() {
    let sandbox = Sandbox::new();
    sandbox.save("a.npy", &[3, 4], codes(12, 5));
    sandbox.save("b.npy", &[4, 2], codes(8, 6));
    let report = sandbox
        .line(&format!(
            "{E4M3FN} --engine golden --config odd --out bf16 --json -o d.npy"
        ))
        .json();
    for (key, value) in [
        ("engine", Value::from("golden")),
        ("config", "odd".into()),
        ("format_a", "e4m3fn".into()),
        ("format_b", "e4m3fn".into()),
        ("accumulator", "fp32".into()),
        ("out", "bf16".into()),
        ("m", 3.into()),
        ("n", 2.into()),
        ("k", 4.into()),
        ("output", "d.npy".into()),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    assert!(report["seconds"].as_f64().unwrap() >= 0.0);
    // An engine without a clock counts no cycles.
    assert_eq!(report.get("cycles"), None);
}

/// Numbers between -4 and 4 with magnitudes of many sizes, as binary32.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let scaled = |(i, code): (usize, u8)| (f32::from(code) - 128.0) / 32.0 / (1 << (i % 7)) as f32;
    codes(count, seed)
        .into_iter()
        .enumerate()
        .map(scaled)
        .collect()
}

/// The value of a code of a format of at most 8 bits, or of binary32.
fn value(code: u32, format: &str) -> f64 {
    let format = Formats::default().get(format).unwrap();
    f32::from_bits(quaver_golden::to_fp32(code, format)).into()
}

/// Operands that `quaver convert` quantises, multiplied block by block in host floats: products and
/// factors are exact in binary64, so each rounding is one conversion (numerics.md, 7.8).
#[test]
fn quantised_blocks_vs_host_floats() {
    let sandbox = Sandbox::new();
    let (m, k, n) = (5, 300, 7);
    let (x, w) = (numbers(m * k, 3), numbers(k * n, 4));
    sandbox.save("x.npy", &[m, k], x);
    sandbox.save("w.npy", &[k, n], w);
    let cases = [
        ("e4m3fn", "mx", "mx:32x1", "e8m0fnu", (1, 32, 1)),
        ("e3m2fn", "mx", "mx:32x1", "e8m0fnu", (1, 32, 1)),
        ("e2m1fn", "nvfp4", "nvfp4:16x1", "e4m3fn", (1, 16, 1)),
        ("e4m3fn", "1x128", "128x128", "fp32", (1, 128, 128)),
        ("e5m2", "fp32:2x64", "fp32:64x3", "fp32", (2, 64, 3)),
    ];
    for (format, block_a, block_b, scales, (rows, length, cols)) in cases {
        let quantise = |input: &str, block: &str, codes: &str| {
            let scales = format!("--scales s{codes}.npy");
            let line = format!(
                "convert --from fp32 --to {format} --block {block} {scales} {input}.npy -o {codes}.npy"
            );
            sandbox.line(&line).ok();
        };
        quantise("x", block_a, "a");
        quantise("w", block_b, "b");
        let line = format!(
            "gemm --a a.npy --b b.npy --format-a {format} --format-b {format} --block-a {block_a} \
             --block-scales-a sa.npy --block-b {block_b} --block-scales-b sb.npy -o d.npy"
        );
        let (a, b) = (sandbox.load::<u8>("a.npy").1, sandbox.load::<u8>("b.npy").1);
        let read = |name: &str| -> Vec<f64> {
            match scales {
                "fp32" => sandbox
                    .load::<f32>(name)
                    .1
                    .into_iter()
                    .map(f64::from)
                    .collect(),
                _ => {
                    let codes = sandbox.load::<u8>(name).1;
                    codes
                        .into_iter()
                        .map(|code| value(code.into(), scales))
                        .collect()
                }
            }
        };
        let (scales_a, scales_b) = (read("sa.npy"), read("sb.npy"));
        let blocks = k.div_ceil(length);
        let element = |i: usize, j: usize| {
            let mut outer = 0.0_f32;
            for block in 0..blocks {
                let mut inner = 0.0_f32;
                for t in block * length..k.min((block + 1) * length) {
                    let product =
                        value(a[i * k + t].into(), format) * value(b[t * n + j].into(), format);
                    // The product has few bits: binary64 holds the sum before its one rounding.
                    inner = (f64::from(inner) + product) as f32;
                }
                let scale_a = scales_a[i / rows * blocks + block];
                let scale_b = scales_b[block * n.div_ceil(cols) + j / cols];
                let factor = match scales {
                    "fp32" => f64::from((scale_a * scale_b) as f32),
                    _ => scale_a * scale_b,
                };
                outer += (factor * f64::from(inner)) as f32;
            }
            outer.to_bits()
        };
        let expected: Vec<u32> = (0..m * n).map(|at| element(at / n, at % n)).collect();
        for engine in ["golden", "fast"] {
            sandbox.line(&format!("{line} --engine {engine}")).ok();
            let values = sandbox.load::<f32>("d.npy").1;
            let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, expected, "{format} {block_a} {engine}");
        }
    }
}
