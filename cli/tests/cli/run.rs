//! `quaver run` and `quaver compare`.

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};
use quaver_quant::onnx::{Attribute, Graph, Initializer, Model, Node, Storage, ValueInfo, write};
use quaver_quant::{ElementType, Tensor, npz};

use crate::support::Sandbox;

/// Small numbers that repeat nowhere soon.
pub(crate) fn numbers(shape: &[usize], seed: u32) -> ArrayD<f32> {
    let mut state = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as f32 / 32768.0 - 1.0
    })
}

fn constant(name: &str, values: ArrayD<f32>) -> Initializer {
    Initializer::new(name, &Tensor::Float(values)).unwrap()
}

/// Two filters of 3 x 3 with padding, ReLU, and a layer of 5 outputs.
pub(crate) fn model() -> Model {
    let node =
        |operator: &str, name: &str, inputs: &[&str], output: &str, attributes: Vec<_>| Node {
            name: name.to_owned(),
            operator: operator.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            attributes,
            ..Node::default()
        };
    let pads = ("pads".to_owned(), Attribute::Ints(vec![1; 4]));
    let value = |name: &str| ValueInfo {
        name: name.to_owned(),
        element: Some(ElementType::Float),
        ..ValueInfo::default()
    };
    Model {
        ir_version: 9,
        opsets: vec![(String::new(), 20)],
        graph: Graph {
            name: "small".to_owned(),
            nodes: vec![
                node("Conv", "conv", &["x", "w", "b"], "c", vec![pads]),
                node("Relu", "relu", &["c"], "r", Vec::new()),
                node("Flatten", "flatten", &["r"], "f", Vec::new()),
                node("Gemm", "fc", &["f", "v", "d"], "y", Vec::new()),
            ],
            initializers: vec![
                constant("w", numbers(&[2, 1, 3, 3], 1)),
                constant("b", numbers(&[2], 2)),
                constant("v", numbers(&[32, 5], 3)),
                constant("d", numbers(&[5], 4)),
            ],
            inputs: vec![value("x")],
            outputs: vec![value("y")],
            ..Graph::default()
        },
        ..Model::default()
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write(&model(), &sandbox.path("m.onnx"), Storage::Auto).unwrap();
    let x = Tensor::Float(numbers(&[3, 1, 4, 4], 5));
    npz::write(&sandbox.path("x.npz"), [("x", &x)]).unwrap();
    sandbox
}

/// The model by loops, in binary64.
fn expected() -> Vec<f64> {
    let [w, b, v, d] = [
        numbers(&[2, 1, 3, 3], 1),
        numbers(&[2], 2),
        numbers(&[32, 5], 3),
        numbers(&[5], 4),
    ]
    .map(|values| values.mapv(f64::from));
    let x = numbers(&[3, 1, 4, 4], 5).mapv(f64::from);
    let mut results = Vec::new();
    for image in 0..3 {
        let mut features = Vec::new();
        for filter in 0..2 {
            for (row, column) in (0..4).flat_map(|row| (0..4).map(move |column| (row, column))) {
                let mut sum = b[[filter]];
                for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                    let (y, z) = (row + i, column + j);
                    if (1..=4).contains(&y) && (1..=4).contains(&z) {
                        sum += x[[image, 0, y - 1, z - 1]] * w[[filter, 0, i, j]];
                    }
                }
                features.push(sum.max(0.0));
            }
        }
        for output in 0..5 {
            let products = features.iter().enumerate().map(|(i, f)| f * v[[i, output]]);
            results.push(d[[output]] + products.sum::<f64>());
        }
    }
    results
}

fn read(sandbox: &Sandbox, name: &str) -> Vec<f32> {
    let arrays: BTreeMap<String, Tensor> = npz::read(&sandbox.path(name)).unwrap();
    match &arrays["y"] {
        Tensor::Float(values) => values.iter().copied().collect(),
        other => panic!("{other:?}"),
    }
}

fn distance(results: &[f32], expected: &[f64]) -> f64 {
    let distance = |(&a, &b): (&f32, &f64)| (f64::from(a) - b).powi(2);
    let whole: f64 = expected.iter().map(|b| b * b).sum();
    (results.iter().zip(expected).map(distance).sum::<f64>() / whole).sqrt()
}

/// The line is refused in one line that has all of the texts.
fn refused(sandbox: &Sandbox, line: &str, expected: &[&str]) {
    let outcome = sandbox.line(line);
    let error = outcome.stderr;
    assert_eq!(outcome.code, Some(2), "{line}: {error}");
    assert_eq!(error.lines().count(), 1, "{line}: {error}");
    for text in expected {
        assert!(error.contains(text), "{line}: {error}");
    }
}

#[test]
fn a_small_network_vs_loops() {
    let sandbox = sandbox();
    let expected = expected();
    let run = |options: &str| {
        let line = format!("run m.onnx --input x.npz -o y.npz --json {options}");
        let report = sandbox.line(&line).json();
        (report, distance(&read(&sandbox, "y.npz"), &expected))
    };
    let (report, exact) = run("");
    assert!(exact < 1e-6, "{exact}");
    assert_eq!((&report["jobs"], &report["macs"]), (&0.into(), &0.into()));
    let mut errors = Vec::new();
    for options in [
        "--format e4m3fn",
        "--format e5m2",
        "--format e4m3fn --keep fc=bf16",
    ] {
        let (report, error) = run(&format!("{options} --against-fp32"));
        let told = report["outputs"][0]["relative_error"].as_f64().unwrap();
        assert!((told - error).abs() < 1e-5, "{told} {error}");
        assert_eq!(report["layers"].as_array().unwrap().len(), 2);
        let kept = options.contains("keep");
        assert_eq!(report["jobs"], if kept { 1 } else { 2 });
        let conv = 3 * 16 * 2 * 9;
        assert_eq!(report["macs"], if kept { conv } else { conv + 3 * 5 * 32 });
        errors.push(error);
    }
    assert!(errors[2] < errors[0] && errors[0] < errors[1], "{errors:?}");
    assert!(
        errors.iter().all(|&error| error > 1e-3 && error < 0.2),
        "{errors:?}"
    );
}

#[test]
fn every_engine_and_every_kind_of_scale_agrees() {
    let sandbox = sandbox();
    for per in ["tensor", "channel", "token"] {
        for format in ["e4m3fn --format-a e5m2", "int8", "e2m1fn"] {
            // The core has FP8 alone.
            let engines = match format.starts_with("e4m3fn") {
                true => "golden,fast,cycle",
                false => "golden,fast",
            };
            let line = format!(
                "compare m.onnx --input x.npz --format {format} --per {per} --engines {engines} --json"
            );
            let report = sandbox.line(&line).json();
            assert_eq!(report["differing"], 0, "{line}");
            assert_eq!(report["outputs"], 3 * 16 * 2 + 3 * 5, "{line}");
            assert!(report["first"].is_null());
        }
    }
    for name in ["h100", "gaudi3"] {
        let line = format!("compare m.onnx --input x.npz --format e4m3fn --profile {name}");
        let text = sandbox.line(&line).ok();
        assert!(
            text.contains("2 jobs, 111 outputs, 0 differ; golden = fast"),
            "{text}"
        );
    }
}

#[test]
fn operators_are_listed() {
    let sandbox = Sandbox::new();
    let text = sandbox.line("run --operators").ok();
    for start in ["Conv ", "MatMul ", "Softmax "] {
        assert!(text.lines().any(|found| found.starts_with(start)), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let sandbox = sandbox();
    let mut unknown = model();
    unknown.graph.nodes[1].operator = "Swirl".to_owned();
    write(&unknown, &sandbox.path("swirl.onnx"), Storage::Auto).unwrap();
    npz::write(
        &sandbox.path("z.npz"),
        [("z", &Tensor::Float(numbers(&[1], 1)))],
    )
    .unwrap();
    let wide = Tensor::Float(numbers(&[1, 2, 4, 4], 1));
    npz::write(&sandbox.path("wide.npz"), [("x", &wide)]).unwrap();
    let before = sandbox.files();
    for (line, expected) in [
        (
            "run swirl.onnx --input x.npz -o o.npz",
            vec!["swirl.onnx", "relu", "Swirl"],
        ),
        ("run m.onnx --input z.npz -o o.npz", vec!["input", "x"]),
        (
            "run m.onnx --input wide.npz -o o.npz",
            vec!["conv", "2 channels"],
        ),
        ("run m.onnx --input none.npz -o o.npz", vec!["none.npz"]),
        (
            "run m.onnx --input x.npz --format fp16",
            vec!["--format fp16", "8 bits"],
        ),
        (
            "run m.onnx --input x.npz --format e5m2 --keep none=fp32",
            vec!["--keep none=fp32", "conv, fc"],
        ),
        (
            "run m.onnx --input x.npz --format e5m2 --keep fc=fp8",
            vec!["--keep fc=fp8", "bf16"],
        ),
        ("compare m.onnx --input x.npz", vec!["--format missing"]),
        (
            "compare m.onnx --input x.npz --format e5m2 --engines fast",
            vec!["--engines fast", "two or more"],
        ),
        (
            "compare m.onnx --input x.npz --format int8 --engines fast,cycle",
            vec!["conv", "int8"],
        ),
    ] {
        refused(&sandbox, line, &expected);
    }
    assert_eq!(sandbox.files(), before);
}

/// Neural Compressor's workflow: measured, quantised, run, and equal on two engines.
#[test]
fn inc_measures_and_every_scale_method_makes_a_plan() {
    let sandbox = sandbox();
    let config = |mode: &str, method: &str, more: &str| {
        format!(
            r#"{{"mode": "{mode}", "scale_method": "{method}", "dump_stats_path": "stats"{more}}}"#
        )
    };
    sandbox.write(
        "m.json",
        config("AUTO", "maxabs_hw", r#", "measure_exclude": "NONE""#),
    );
    let line = "quantize inc m.onnx --config m.json --input x.npz --json";
    let report = sandbox.line(line).json();
    assert_eq!(
        (&report["did"], &report["layers"]),
        (&"measured".into(), &2.into())
    );
    let text = std::fs::read_to_string(sandbox.path("stats_hooks_maxabs.json")).unwrap();
    let measured: serde_json::Value = serde_json::from_str(&text).unwrap();
    let amax = |values: &ArrayD<f32>| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let conv = &measured["Nodes"]["conv"];
    let found = |value: &serde_json::Value| value[0][0].as_f64().unwrap() as f32;
    assert_eq!(found(&conv["inputs"]), amax(&numbers(&[3, 1, 4, 4], 5)));
    assert_eq!(
        found(&conv["params"]["weight"]),
        amax(&numbers(&[2, 1, 3, 3], 1))
    );
    assert!(found(&conv["outputs"]) > 0.0);

    let methods = quaver_quant::scale::gaudi::Method::ALL;
    let mut cases = 0;
    for &(_, device) in quaver_quant::scale::gaudi::Device::ALL {
        for &(_, method) in methods {
            for format in ["E4M3", "E5M2"] {
                let more = format!(r#", "fp8_config": "{format}", "hp_dtype": "fp32""#);
                sandbox.write("q.json", config("QUANTIZE", method, &more));
                let line =
                    format!("quantize inc m.onnx --config q.json --device {device} -o p.json");
                sandbox.line(&line).ok();
                let line = "compare m.onnx --input x.npz --plan p.json --json";
                let report = sandbox.line(line).json();
                assert_eq!(report["differing"], 0, "{device} {method} {format}");
                assert_eq!(report["jobs"], 2, "{device} {method} {format}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 2 * 7 * 2);
    // The scales of one case, by the formulas: s = amax / (240 * backoff), to a power of 16.
    sandbox.write(
        "q.json",
        config(
            "QUANTIZE",
            "maxabs_hw",
            r#", "blocklist": {"types": ["Linear"]}"#,
        ),
    );
    sandbox
        .line("quantize inc m.onnx --config q.json -o p.json")
        .ok();
    let text = std::fs::read_to_string(sandbox.path("p.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["accumulator"], "dot_gaudi2");
    let scale =
        |amax: f32, backoff: f32| 16f64.powf(f64::from(amax / (240.0 * backoff)).log(16.0).ceil());
    let layers = plan["layers"].as_object().unwrap();
    assert_eq!(layers.len(), 1);
    let conv = &layers["conv"];
    assert_eq!(
        conv["input"]["scale"],
        scale(amax(&numbers(&[3, 1, 4, 4], 5)), 0.25)
    );
    assert_eq!(
        conv["weight"]["scale"],
        scale(amax(&numbers(&[2, 1, 3, 3], 1)), 0.5)
    );
}

/// PopRT's workflow: its default, its parameters, and its search with both logs.
#[test]
fn poprt_converts_and_searches() {
    let sandbox = sandbox();
    let plan = || -> serde_json::Value {
        let text = std::fs::read_to_string(sandbox.path("p.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let differing = || {
        let line = "compare m.onnx --input x.npz --plan p.json --json";
        sandbox.line(line).json()["differing"].clone()
    };
    sandbox.line("quantize poprt m.onnx -o p.json").ok();
    for layer in ["conv", "fc"] {
        for operand in ["input", "weight"] {
            let quantiser = &plan()["layers"][layer][operand];
            assert_eq!(
                (&quantiser["format"], &quantiser["scale"]),
                (&"e4m3fnuz".into(), &1.0.into())
            );
        }
    }
    assert_eq!(differing(), 0);
    let line = "quantize poprt m.onnx --fp8-params F152,F143,-2,-3 --fp8-skip-op-names conv -o p.json --json";
    let report = sandbox.line(line).json();
    assert_eq!((&report["layers"], &report["kept"]), (&1.into(), &1.into()));
    let made = plan();
    assert_eq!(made["layers"]["fc"]["input"]["format"], "e5m2fnuz");
    assert_eq!(made["layers"]["fc"]["input"]["scale"], 0.25);
    assert_eq!(made["layers"]["fc"]["weight"]["scale"], 0.125);
    assert_eq!(made["default"], "fp16");

    for &(_, loss) in quaver_quant::loss::Loss::ALL {
        let line = format!(
            "quantize poprt m.onnx --quantize --loss {loss} --calibration x.npz --scale-range -8..2 \
             --num-of-layers-keep-fp16 1 --quantize-log q.log --precision-compare c.log -o p.json --json"
        );
        let report = sandbox.line(&line.replace("\\\n", "")).json();
        assert_eq!(report["layers"], 1, "{loss}");
        assert_eq!(report["lossy"].as_array().unwrap().len(), 1, "{loss}");
        assert_eq!(differing(), 0, "{loss}");
        let rows = |name: &str| -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(sandbox.path(name)).unwrap();
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let log = rows("q.log");
        assert_eq!(log.len(), 4, "{loss}");
        for row in log {
            let candidates = row["candidates"].as_array().unwrap();
            assert_eq!(candidates.len(), 2 * 11);
            let least = |value: &serde_json::Value| value["loss"].as_f64().unwrap();
            assert!(
                candidates
                    .iter()
                    .all(|one| least(one) >= least(&row["winner"])),
                "{row}"
            );
        }
        let precision = rows("c.log");
        assert_eq!(precision.len(), 2);
        for row in precision {
            for key in ["mse", "mae", "snr", "cosine"] {
                assert!(row[key].is_number(), "{key}: {row}");
            }
            let bins = row["noise"]["histogram"]["counts"].as_array().unwrap();
            assert_eq!(bins.len(), 32);
        }
    }
}

#[test]
fn what_is_wrong_with_a_workflow_is_named() {
    let sandbox = sandbox();
    let write = |name: &str, text: &str| sandbox.write(name, text);
    write("mode.json", r#"{"mode": "GUESS", "dump_stats_path": "s"}"#);
    write(
        "method.json",
        r#"{"scale_method": "best", "dump_stats_path": "s"}"#,
    );
    write("key.json", r#"{"scale": 1, "dump_stats_path": "s"}"#);
    write(
        "quantize.json",
        r#"{"mode": "QUANTIZE", "dump_stats_path": "none"}"#,
    );
    write(
        "measure.json",
        r#"{"mode": "MEASURE", "dump_stats_path": "s"}"#,
    );
    write(
        "plan.json",
        r#"{"accumulator": "fp32", "default": "fp32", "layers": {"x": {"keep": "fp16"}}}"#,
    );
    let before = sandbox.files();
    for (line, expected) in [
        (
            "quantize inc m.onnx --config mode.json -o p.json",
            vec!["mode.json", "GUESS"],
        ),
        (
            "quantize inc m.onnx --config method.json -o p.json",
            vec!["scale_method best", "maxabs_hw"],
        ),
        (
            "quantize inc m.onnx --config key.json -o p.json",
            vec!["key.json", "`scale`"],
        ),
        (
            "quantize inc m.onnx --config quantize.json -o p.json",
            vec!["none_hooks_maxabs.json"],
        ),
        (
            "quantize inc m.onnx --config quantize.json",
            vec!["--output missing"],
        ),
        (
            "quantize inc m.onnx --config measure.json",
            vec!["--input missing"],
        ),
        ("quantize inc m.onnx --config none.json", vec!["none.json"]),
        (
            "run m.onnx --input x.npz --plan plan.json",
            vec!["layer x", "conv, fc"],
        ),
        (
            "run m.onnx --input x.npz --plan mode.json",
            vec!["mode.json", "accumulator"],
        ),
    ] {
        refused(&sandbox, line, &expected);
    }
    assert_eq!(sandbox.files(), before);
}
