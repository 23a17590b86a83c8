//! `quaver qat`.

use ndarray::{Array1, ArrayD, IxDyn};
use quaver_quant::onnx::{Storage, write};
use quaver_quant::{ElementType, Tensor, npz};

use crate::run::{model, numbers};
use crate::support::Sandbox;

/// The model of `quaver run`'s tests, and images of 5 classes: a bright row, or the last column.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write(&model(), &sandbox.path("m.onnx"), Storage::Auto).unwrap();
    for (name, count, seed) in [("train", 120, 7), ("test", 60, 8)] {
        let mut images = numbers(&[count, 1, 4, 4], seed).mapv(|x| x * 0.5);
        let labels: Vec<i64> = (0..count as i64).map(|i| i * 3 % 5).collect();
        for (mut image, &class) in images.outer_iter_mut().zip(&labels) {
            for place in 0..4 {
                match class {
                    4 => image[[0, place, 3]] += 1.0,
                    row => image[[0, row as usize, place]] += 1.0,
                }
            }
        }
        let labels = Tensor::Int(ElementType::Int64, Array1::from(labels).into_dyn());
        let path = sandbox.path(&format!("{name}.npz"));
        npz::write(&path, [("label", &labels), ("x", &Tensor::Float(images))]).unwrap();
    }
    sandbox
}

const DATA: &str = "m.onnx --data train.npz --labels train.npz:label";
const TEST: &str = "--test test.npz --test-labels test.npz:label";

/// The share of test images whose largest output by `quaver run` is their class.
fn accuracy(sandbox: &Sandbox, plan: &str) -> f64 {
    npz::write(
        &sandbox.path("images.npz"),
        [("x", &npz::read(&sandbox.path("test.npz")).unwrap()["x"])],
    )
    .unwrap();
    sandbox
        .line(&format!("run out.onnx --input images.npz {plan} -o y.npz"))
        .ok();
    let outputs = npz::read(&sandbox.path("y.npz")).unwrap();
    let Tensor::Float(outputs) = &outputs["y"] else {
        panic!("the outputs are FP32");
    };
    let right = outputs.outer_iter().enumerate().filter(|(i, row)| {
        let best = (row.iter().enumerate()).reduce(|a, b| if b.1 > a.1 { b } else { a });
        best.unwrap().0 == i * 3 % 5
    });
    right.count() as f64 / outputs.shape()[0] as f64
}

#[test]
fn the_reported_accuracy_is_that_of_run() {
    let sandbox = sandbox();
    for (train, run) in [
        (
            "--format e2m1fn --profile h100",
            "--format e2m1fn --profile h100",
        ),
        (
            "--format int4 --per tensor --calibrator mse --recalibrate --plan-output p.json",
            "--plan p.json",
        ),
        ("--plan p.json --gradient ste", "--plan p.json"),
    ] {
        let line = format!("qat {DATA} {TEST} {train} --epochs 4 --rate 0.02 -o out.onnx --json");
        let report = sandbox.line(&line).json();
        let epochs = report["epochs"].as_array().unwrap();
        assert_eq!(epochs.len(), 4, "{report}");
        let after = report["after"]["quantised"].as_f64().unwrap();
        assert_eq!(epochs[3]["test_accuracy"].as_f64(), Some(after));
        assert_eq!(accuracy(&sandbox, run), after, "{report}");
        assert_eq!(
            accuracy(&sandbox, ""),
            report["after"]["fp32"].as_f64().unwrap()
        );
    }
}

#[test]
fn the_seed_decides_the_bytes_and_threads_do_not() {
    let sandbox = sandbox();
    let bytes = |rest: &str| {
        let line = format!("qat {DATA} --format e4m3fn --epochs 2 {rest} -o out.onnx");
        let text = sandbox.line(&line).ok();
        assert!(text.contains("accuracy of 120 examples: FP32"), "{text}");
        std::fs::read(sandbox.path("out.onnx")).unwrap()
    };
    let one = bytes("--threads 1");
    assert!(bytes("--threads 3") == one);
    assert!(bytes("--seed 1") != one);
}

#[test]
fn bad_input_is_named_and_leaves_no_file() {
    let sandbox = sandbox();
    let save = |name: &str, label: Tensor, x: ArrayD<f32>| {
        let arrays = [("label", &label), ("x", &Tensor::Float(x))];
        npz::write(&sandbox.path(name), arrays).unwrap();
    };
    let labels = |list: &[i64]| Tensor::Int(ElementType::Int64, ndarray::arr1(list).into_dyn());
    let images = |count: usize| ArrayD::<f32>::zeros(IxDyn(&[count, 1, 4, 4]));
    save("nan.npz", labels(&[0]), images(1) + f32::NAN);
    save("none.npz", labels(&[]), images(0));
    save("high.npz", labels(&[5]), images(1));
    save("below.npz", labels(&[-1]), images(1));
    save("short.npz", labels(&[1]), images(2));
    save("floats.npz", Tensor::Float(images(1)), images(1));
    save(
        "shape.npz",
        labels(&[1]),
        ArrayD::zeros(IxDyn(&[1, 1, 5, 4])),
    );
    save("flat.npz", labels(&[1]), ArrayD::zeros(IxDyn(&[1, 16])));
    let mut tanh = model();
    tanh.graph.nodes[1].operator = "Tanh".to_owned();
    write(&tanh, &sandbox.path("tanh.onnx"), Storage::Auto).unwrap();
    npz::write(&sandbox.path("other.npz"), [("z", &labels(&[1]))]).unwrap();
    sandbox.write("text.npz", "no archive");
    let files = sandbox.files();
    let of = |name: &str| format!("m.onnx --data {name} --labels {name}:label --format e4m3fn");
    for (arguments, parts) in [
        (of("nan.npz"), ["nan.npz", "array x, element 0 NaN"]),
        (of("none.npz"), ["none.npz", "1 or more examples"]),
        (of("high.npz"), ["label 5", "0 to 4"]),
        (of("below.npz"), ["label -1", "integers from 0"]),
        (of("short.npz"), ["number of labels 1", "2, one for each"]),
        (of("floats.npz"), ["array of labels FLOAT", "integers"]),
        (of("shape.npz"), ["node fc", "cannot be multiplied"]),
        (of("flat.npz"), ["node conv", "[1, 16]"]),
        (of("other.npz"), ["other.npz", "one named x"]),
        (of("text.npz"), ["text.npz", "archive"]),
        (of("gone.npz"), ["gone.npz", "No such file"]),
        (
            DATA.replace("m.onnx", "tanh.onnx") + " --format e4m3fn",
            ["node relu (Tanh)", "Relu"],
        ),
        (DATA.to_owned(), ["--format missing", "--plan"]),
        (
            format!("{DATA} --format e4m3fn --batch 0"),
            ["batch 0", "1 or more"],
        ),
        (
            format!("{DATA} --format e4m3fn --rate -1"),
            ["rate -1", "positive"],
        ),
        (
            format!("{DATA} --format e4m3fn --rate 1e30"),
            ["epoch 1", "a smaller rate"],
        ),
        (
            format!("{DATA} --format e4m3fn --momentum 1"),
            ["momentum 1", "1"],
        ),
        (
            format!("{DATA} --format e4m3fn --epochs 0"),
            ["'0'", "--epochs"],
        ),
        (
            format!("{DATA} --format e4m3fn --gradient none"),
            ["ste", "pwl"],
        ),
        (
            format!("{DATA} --format e4m3fn --calibrator max"),
            ["--plan-output", "required"],
        ),
        (
            format!("{DATA} --format e4m3fn --calibrator most --plan-output p.json"),
            ["calibrator most", "percentile"],
        ),
        (
            format!("{DATA} --format e4m3fn --per token --calibrator max --plan-output p.json"),
            ["layer conv one a row", "tensor"],
        ),
        (
            format!("{DATA} --format e4m3fn --test test.npz"),
            ["--test-labels", "required"],
        ),
        (
            "m.onnx --data train.npz --labels train.npz --format e4m3fn".to_owned(),
            ["--labels train.npz", "label, x"],
        ),
    ] {
        let outcome = sandbox.line(&format!("qat {arguments} -o out.onnx"));
        assert_eq!(outcome.code, Some(2), "{arguments}: {}", outcome.stderr);
        assert_eq!(
            outcome.stderr.lines().count(),
            1,
            "{arguments}: {}",
            outcome.stderr
        );
        for part in parts {
            assert!(
                outcome.stderr.contains(part),
                "{arguments}: {}",
                outcome.stderr
            );
        }
        assert_eq!(sandbox.files(), files, "{arguments}");
    }
}
