//! `quaver convert`.

use crate::support::Sandbox;

#[test]
fn every_code_round_trips_through_fp32() {
    let sandbox = Sandbox::new();
    let formats = sandbox.line("formats --json").json();
    let mut converted = 0;
    for format in formats["formats"].as_array().unwrap() {
        let name = format["name"].as_str().unwrap();
        let bits = format["bits"].as_u64().unwrap();
        if bits > 8 {
            continue;
        }
        let codes: Vec<u8> = (0..1_u16 << bits).map(|code| code as u8).collect();
        sandbox.save("codes.npy", &[2, codes.len() / 2], codes.clone());
        let to = [
            "convert",
            "--from",
            name,
            "--to",
            "fp32",
            "codes.npy",
            "-o",
            "fp32.npy",
        ];
        sandbox.run(&to).ok();
        let back = [
            "convert", "--from", "fp32", "--to", name, "fp32.npy", "-o", "back.npy",
        ];
        sandbox.run(&back).ok();
        let (shape, back) = sandbox.load::<u8>("back.npy");
        assert_eq!(shape, [2, codes.len() / 2]);
        let canonical = format["canonical_nan"].as_u64();
        for (&code, &back) in codes.iter().zip(&back) {
            let nan = format["nan_codes"].as_array().unwrap().iter().any(|range| {
                let edge = |i: usize| range[i].as_u64().unwrap();
                (edge(0)..=edge(1)).contains(&u64::from(code))
            });
            let expected = if nan { canonical.unwrap() } else { code.into() };
            assert_eq!(u64::from(back), expected, "{name} {code:02x}");
            converted += 1;
        }
    }
    assert!(converted > 0);
}

#[test]
fn element_types_orders_and_shapes_give_the_same_codes() {
    let sandbox = Sandbox::new();
    let numbers: Vec<f32> = (0..24).map(|i| (i as f32 - 11.0) * 1.3).collect();
    let bits: Vec<u32> = numbers.iter().map(|x| x.to_bits()).collect();
    sandbox.save("f4.npy", &[2, 3, 4], numbers.clone());
    sandbox.save("u4.npy", &[2, 3, 4], bits);
    sandbox.save_fortran("fortran.npy", &[2, 3, 4], &numbers);
    let mut big_endian = crate::support::npy_header(
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3, 4), }",
    );
    big_endian.extend(numbers.iter().flat_map(|x| x.to_be_bytes()));
    sandbox.write("big_endian.npy", big_endian);
    let inputs = ["f4", "u4", "fortran", "big_endian"];
    let mut results = Vec::new();
    for input in inputs {
        let input = format!("{input}.npy");
        sandbox
            .run(&[
                "convert", "--from", "f32", "--to", "e4m3fn", &input, "-o", "o.npy",
            ])
            .ok();
        results.push(sandbox.load::<u8>("o.npy"));
    }
    assert_eq!(results.len(), inputs.len());
    assert_eq!(results[0].0, [2, 3, 4]);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn shapes_without_elements_or_axes_are_kept() {
    let sandbox = Sandbox::new();
    let shapes: &[&[usize]] = &[&[], &[0], &[3, 0, 2], &[1]];
    for shape in shapes {
        let length = shape.iter().product();
        sandbox.save("x.npy", shape, vec![1.5_f32; length]);
        let report = sandbox
            .line("convert --from fp32 --to bf16 x.npy -o y.npy --json")
            .json();
        assert_eq!(report["elements"].as_u64(), Some(length as u64));
        let (found, codes) = sandbox.load::<u16>("y.npy");
        assert_eq!(found, *shape);
        assert_eq!(codes, vec![0x3fc0; length]);
    }
}

#[test]
fn wide_results_have_their_own_types() {
    let sandbox = Sandbox::new();
    sandbox.save("x.npy", &[2], vec![1.0_f32, -2.5]);
    for (to, descriptor) in [
        ("fp32", "<f4"),
        ("fp16", "<f2"),
        ("bf16", "<u2"),
        ("tf32", "<u4"),
    ] {
        sandbox
            .run(&[
                "convert", "--from", "fp32", "--to", to, "x.npy", "-o", "y.npy",
            ])
            .ok();
        let file = std::fs::read(sandbox.path("y.npy")).unwrap();
        let header = String::from_utf8_lossy(&file[..64]).into_owned();
        assert!(header.contains(descriptor), "{to}: {header}");
        // And they are read again.
        sandbox
            .run(&[
                "convert", "--from", to, "--to", "fp32", "y.npy", "-o", "z.npy",
            ])
            .ok();
        assert_eq!(sandbox.load::<f32>("z.npy").1, [1.0, -2.5], "{to}");
    }
}

#[test]
fn policies_decide_overflow() {
    let sandbox = Sandbox::new();
    sandbox.save("x.npy", &[2], vec![1e6_f32, f32::NEG_INFINITY]);
    let cases: &[(&str, &str, [u8; 2])] = &[
        ("e4m3fn", "", [0x7f, 0x7f]),
        ("e4m3fn", "--overflow native", [0x7f, 0x7f]),
        ("e4m3fn", "--overflow saturate", [0x7e, 0xfe]),
        ("e4m3fn", "--overflow nan --rounding rz", [0x7e, 0x7f]),
        ("e5m2", "--overflow inf", [0x7c, 0xfc]),
        ("e5m2", "--overflow nan", [0x7e, 0x7e]),
        ("e5m2", "--policy ocp", [0x7b, 0xfb]),
        ("e5m2", "--policy ocp --overflow native", [0x7c, 0xfc]),
        ("e4m3fn", "--policy ml_dtypes", [0x7f, 0xff]),
        ("e4m3fn", "--policy ml_dtypes --nan canonical", [0x7f, 0x7f]),
        ("e4m3fnuz", "--policy ipu", [0x7f, 0x80]),
        ("f143*2^31", "--policy ipu-nan", [0x00, 0x80]),
        ("e8m0fnu", "--policy torch", [0x93, 0xff]),
        ("e8m0fnu", "--policy onnx --rounding rz", [0x92, 0xff]),
        ("e4m3fn", "--scale 4096", [0x77, 0x7f]),
    ];
    for (to, options, expected) in cases {
        sandbox
            .line(&format!(
                "convert --from fp32 --to {to} {options} x.npy -o y.npy"
            ))
            .ok();
        assert_eq!(sandbox.load::<u8>("y.npy").1, expected, "{to} {options}");
    }
}

#[test]
fn stochastic_rounding_follows_its_bits() {
    let sandbox = Sandbox::new();
    // Halfway between the e4m3fn codes of 1 and 1.125.
    sandbox.save("x.npy", &[4], vec![1.0625_f32; 4]);
    sandbox.save("r.npy", &[4], vec![0, 0x7fff_ffff, 0x8000_0000, u32::MAX]);
    sandbox
        .line("convert --from fp32 --to e4m3fn --rounding sr --random r.npy x.npy -o y.npy")
        .ok();
    assert_eq!(sandbox.load::<u8>("y.npy").1, [0x38, 0x38, 0x39, 0x39]);

    sandbox.save("x.npy", &[100, 100], vec![1.0625_f32; 10_000]);
    let seeded = |seed: &str| {
        sandbox
            .line(&format!(
                "convert --from fp32 --to e4m3fn --rounding sr --seed {seed} x.npy -o y.npy"
            ))
            .ok();
        sandbox.load::<u8>("y.npy").1
    };
    let first = seeded("1");
    assert_eq!(first, seeded("1"));
    assert_ne!(first, seeded("2"));
    // Within six standard deviations of one half.
    let up = first.iter().filter(|code| **code == 0x39).count();
    assert!((4700..=5300).contains(&up), "{up}");
}

#[test]
fn blocks_come_back_from_their_scales() {
    let sandbox = Sandbox::new();
    let numbers: Vec<f32> = (0..64 * 96)
        .map(|i| (i % 7) as f32 * 2f32.powi(i / 1000 - 3))
        .collect();
    sandbox.save("x.npy", &[64, 96], numbers.clone());
    for (kind, element) in [
        ("mx", "e4m3fn"),
        ("mx:32x1", "mxint8"),
        ("nvfp4", "e2m1fn"),
        ("16x24", "e5m2"),
    ] {
        let report = sandbox
            .line(&format!(
                "convert --from fp32 --to {element} --block {kind} --scales s.npy --json x.npy -o y.npy"
            ))
            .json();
        let tensor = match report.get("tensor_scale") {
            Some(bits) => format!("--tensor-scale {bits}"),
            None => String::new(),
        };
        assert_eq!(tensor.is_empty(), kind != "nvfp4");
        sandbox
            .line(&format!(
                "convert --from {element} --to fp32 --from-block {kind} --scales s.npy {tensor} y.npy -o z.npy"
            ))
            .ok();
        let (shape, back) = sandbox.load::<f32>("z.npy");
        assert_eq!(shape, [64, 96]);
        for (x, back) in numbers.iter().zip(back) {
            // A block spans at most three powers of two; two significand bits hold a quarter.
            assert!(
                (x - back).abs() <= x.abs() / 4.0 + 0.1,
                "{kind} of {element}: {x} is {back}"
            );
        }
    }
}

#[test]
fn scales_broadcast_and_are_undone() {
    let sandbox = Sandbox::new();
    sandbox.save("x.npy", &[2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    for (shape, scales) in [
        (vec![], vec![2.0_f32]),
        (vec![3], vec![1.0, 2.0, 4.0]),
        (vec![2, 1], vec![0.5, 8.0]),
        (vec![2, 3], vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
    ] {
        sandbox.save("s.npy", &shape, scales);
        sandbox
            .line("convert --from fp32 --to e4m3fn --scale s.npy x.npy -o y.npy")
            .ok();
        sandbox
            .line("convert --from e4m3fn --to fp32 --from-scale s.npy y.npy -o z.npy")
            .ok();
        assert_eq!(
            sandbox.load::<f32>("z.npy").1,
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "{shape:?}"
        );
    }
}

#[test]
fn int8_arrays_hold_integer_codes() {
    let sandbox = Sandbox::new();
    sandbox.save("x.npy", &[4], vec![-8_i8, -1, 0, 7]);
    sandbox
        .line("convert --from int4 --to fp32 x.npy -o y.npy")
        .ok();
    assert_eq!(sandbox.load::<f32>("y.npy").1, [-8.0, -1.0, 0.0, 7.0]);
}
