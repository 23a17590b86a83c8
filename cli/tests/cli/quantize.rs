//! `quaver quantize intfp`, `mixed` and `poprt --fp8-weight`.

use std::path::Path;
use std::process::Command;

use ndarray::{ArrayD, IxDyn, arr1};
use quaver_quant::onnx::{Graph, Initializer, Model, Node, Storage, ValueInfo, write};
use quaver_quant::{ElementType, Tensor, npz};

use crate::support::Sandbox;

#[test]
fn plans_and_results_vs_numpy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(root.join("target/venv/bin/python"))
        .arg(root.join("scripts/intfp-plans.py"))
        .arg(env!("CARGO_BIN_EXE_quaver"))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}{errors}");
    for line in [
        "plans of a linear layer recomputed",
        "18 plans of every type of layer agree",
    ] {
        assert!(report.contains(line), "{report}");
    }
}

/// Four linear layers in a row, each with other numbers.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut state = 9u32;
    let mut numbers = |shape: &[usize], spread: f32| {
        let values = ArrayD::from_shape_simple_fn(IxDyn(shape), || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (state >> 16) as f32 / 32768.0 - 1.0;
            number * number.abs().powf(spread)
        });
        Tensor::Float(values)
    };
    let value = |name: &str| ValueInfo {
        name: name.to_owned(),
        element: Some(ElementType::Float),
        ..ValueInfo::default()
    };
    let names = ["x", "h1", "h2", "h3", "y"];
    let nodes = (0..4).map(|i| Node {
        name: format!("fc{i}"),
        operator: "MatMul".to_owned(),
        inputs: vec![names[i].to_owned(), format!("w{i}")],
        outputs: vec![names[i + 1].to_owned()],
        ..Node::default()
    });
    let nodes = nodes.collect();
    let weights = [0.0, 3.0, 1.0, 6.0].iter().enumerate().map(|(i, &spread)| {
        Initializer::new(format!("w{i}"), &numbers(&[12, 12], spread)).unwrap()
    });
    let model = Model {
        ir_version: 9,
        opsets: vec![(String::new(), 20)],
        graph: Graph {
            name: "four".to_owned(),
            nodes,
            initializers: weights.collect(),
            inputs: vec![value("x")],
            outputs: vec![value("y")],
            ..Graph::default()
        },
        ..Model::default()
    };
    write(&model, &sandbox.path("m.onnx"), Storage::Auto).unwrap();
    npz::write(&sandbox.path("x.npz"), [("x", &numbers(&[16, 12], 0.0))]).unwrap();
    sandbox
}

/// The relative error with those layers in bf16, by `quaver run` on a plan of its own making.
fn error(sandbox: &Sandbox, set: u32) -> f64 {
    let path = sandbox.path("all.json");
    let mut plan: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for layer in (0..4).filter(|layer| set >> layer & 1 == 1) {
        plan["layers"][format!("fc{layer}")] = serde_json::json!({ "keep": "bf16" });
    }
    sandbox.write("set.json", plan.to_string());
    let report = sandbox.line("run m.onnx --input x.npz --plan set.json --against-fp32 --json");
    report.json()["outputs"][0]["relative_error"]
        .as_f64()
        .unwrap()
}

#[test]
fn the_fewest_lifted_layers_vs_all_sets() {
    let sandbox = sandbox();
    sandbox
        .line("quantize mixed m.onnx --calibration x.npz -o all.json")
        .ok();
    let errors: Vec<f64> = (0..16).map(|set| error(&sandbox, set)).collect();
    let mut counts = Vec::new();
    let mut sorted = errors.clone();
    sorted.sort_by(f64::total_cmp);
    for limit in sorted.iter().skip(1).step_by(2).chain([&1.0]) {
        let limit = limit * 1.000_001;
        let line =
            format!("quantize mixed m.onnx --calibration x.npz --limit {limit} -o p.json --json");
        let outcome = sandbox.line(&line);
        if errors[15] > limit {
            assert_eq!(outcome.code, Some(1), "{limit}");
            continue;
        }
        let report = outcome.json();
        let sets = (0..16u32).filter(|&set| errors[set as usize] <= limit);
        let least = sets.map(u32::count_ones).min().unwrap();
        assert_eq!(
            report["lifted"].as_array().unwrap().len(),
            least as usize,
            "{report}"
        );
        assert_eq!(report["proof"], "minimal");
        assert!(report["plan"].as_f64().unwrap() <= limit);
        counts.push(least);
    }
    assert!(counts.contains(&0) && counts.contains(&2), "{counts:?}");
    let before = std::fs::read(sandbox.path("p.json")).unwrap();
    let line = "quantize mixed m.onnx --calibration x.npz --limit 1e-9 -o p.json";
    let outcome = sandbox.line(line);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("do not meet the limit"),
        "{}",
        outcome.stdout
    );
    assert_eq!(std::fs::read(sandbox.path("p.json")).unwrap(), before);
}

#[test]
fn metrics_have_their_limits() {
    let sandbox = sandbox();
    let labels = Tensor::Int(ElementType::Int64, arr1(&[3i64; 16]).into_dyn());
    npz::write(&sandbox.path("l.npz"), [("y", &labels)]).unwrap();
    for (options, fp32) in [
        ("--metric cosine --limit 0.9", 1.0),
        ("--metric top1-agreement --limit 0.5", 1.0),
        ("--metric relative-error --limit 0.5", 0.0),
    ] {
        let line = format!("quantize mixed m.onnx --calibration x.npz {options} -o p.json --json");
        let report = sandbox.line(&line).json();
        assert_eq!(report["fp32"], fp32, "{line}");
        assert_eq!(report["meets"], true, "{line}");
    }
    let line = "quantize mixed m.onnx --calibration x.npz --metric top1-accuracy --labels l.npz:y \
        --limit 0 -o p.json --json";
    let report = sandbox.line(&line.replace('\\', " ")).json();
    assert!(report["fp32"].as_f64().unwrap() < 1.0, "{report}");
}

#[test]
fn wrong_keys_are_named() {
    let sandbox = sandbox();
    let intfp = "quantize intfp m.onnx --calibration x.npz -o p.json";
    let mixed = "quantize mixed m.onnx --calibration x.npz -o p.json";
    for (command, text, expected) in [
        (intfp, r#"{"inputs": {}}"#, "inputs"),
        (intfp, r#"{"input": {"format": "fp9"}}"#, "fp9"),
        (
            intfp,
            r#"{"input": {"format": "int8", "calibrator": "least"}}"#,
            "calibrator",
        ),
        (
            intfp,
            r#"{"weight": {"format": "int8", "calibrator": "entropy"}}"#,
            "calibrator entropy",
        ),
        (
            intfp,
            r#"{"input": {"format": "int8", "per": "token"}}"#,
            "per token",
        ),
        (
            intfp,
            r#"{"input": {"format": "int8", "blocks": "mx:0"}}"#,
            "blocks mx:0",
        ),
        (
            intfp,
            r#"{"output": {"format": "int8", "blocks": "mx"}}"#,
            "blocks mx",
        ),
        (
            intfp,
            r#"{"input": {"format": "e8m0fnu"}}"#,
            "format e8m0fnu",
        ),
        (
            intfp,
            r#"{"layers": [{"names": ["none"]}]}"#,
            "layers[0].names none",
        ),
        (
            intfp,
            r#"{"layers": [{"types": ["Conv9d"]}]}"#,
            "layers[0].types Conv9d",
        ),
        (
            intfp,
            r#"{"layers": [{"keep": "fp32"}]}"#,
            "layers[0].names",
        ),
        (
            intfp,
            r#"{"layers": [{"names": ["fc*"], "kept": "fp32"}]}"#,
            "kept",
        ),
        (
            intfp,
            r#"{"layers": [{"names": ["fc*"], "keep": "int8"}]}"#,
            "keep of layer fc0 int8",
        ),
        (
            intfp,
            r#"{"input": {"format": "int8"}, "accumulator": "sum"}"#,
            "accumulator sum",
        ),
        (mixed, r#"{"op_types": {}}"#, "op_types"),
        (mixed, r#"{"default": "fp9"}"#, "default fp9"),
        (
            mixed,
            r#"{"op_name_dict": {"none*": "fp32"}}"#,
            "op_name_dict none*",
        ),
        (
            mixed,
            r#"{"op_type_dict": {"Lin": "fp32"}}"#,
            "op_type_dict Lin",
        ),
        (
            mixed,
            r#"{"op_type_dict": {"Linear": {"input": "fp16", "weight": "e5m2"}}}"#,
            "op_type_dict.Linear fp16",
        ),
    ] {
        sandbox.write("c.json", text);
        let outcome = sandbox.line(&format!("{command} --config c.json"));
        assert_eq!(outcome.code, Some(2), "{text}: {}", outcome.stdout);
        assert!(
            outcome.stderr.contains(expected),
            "{text}: {}",
            outcome.stderr
        );
        assert!(!sandbox.path("p.json").exists(), "{text}");
    }
}

#[test]
fn weights_alone_go_to_fp8() {
    let sandbox = sandbox();
    let line = "quantize poprt m.onnx --fp8-weight -o p.json";
    assert_eq!(sandbox.line(line).ok(), "4 layers in FP8, 0 in FP16\n");
    let line = "run m.onnx --input x.npz --plan p.json --against-fp32 --json";
    let report = sandbox.line(line).json();
    assert_eq!(report["jobs"], 0);
    let error = report["outputs"][0]["relative_error"].as_f64().unwrap();
    assert!(error > 1e-3 && error < 0.2, "{error}");
}
