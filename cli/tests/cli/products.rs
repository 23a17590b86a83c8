//! Products of a batch under quantised plans.

use quaver_quant::onnx::{Attribute, Model, Node, Storage, ValueInfo, write};
use quaver_quant::{ElementType, Tensor, npz};

use crate::run::{model, numbers};
use crate::support::Sandbox;

/// A node with everything of a model around it.
fn one(operator: &str, inputs: &[&str], attributes: Vec<(String, Attribute)>) -> Model {
    let mut model = model();
    model.opsets[0].1 = 23;
    let value = |name: &&str| ValueInfo {
        name: (*name).to_owned(),
        element: Some(ElementType::Float),
        ..ValueInfo::default()
    };
    model.graph.nodes = vec![Node {
        name: "node".to_owned(),
        operator: operator.to_owned(),
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        outputs: vec!["y".to_owned()],
        attributes,
        ..Node::default()
    }];
    model.graph.initializers.clear();
    model.graph.inputs = inputs.iter().map(value).collect();
    model
}

#[test]
fn batches_of_every_product_vs_golden() {
    let sandbox = Sandbox::new();
    let equation = |text: &str| vec![("equation".to_owned(), Attribute::String(text.into()))];
    // Two heads of two batches have a product of queries and one of values each.
    let cases = [
        ("Attention", vec![[2, 2, 5, 8]; 3], Vec::new(), 8),
        ("MatMul", vec![[2, 3, 5, 8], [2, 1, 8, 4]], Vec::new(), 6),
        (
            "Einsum",
            vec![[2, 3, 5, 8], [2, 3, 4, 8]],
            equation("abik,abjk->abij"),
            6,
        ),
    ];
    let plans = [
        r#"{"format": "e4m3fn", "scale": "dynamic"}"#,
        r#"{"format": "e5m2", "scale": "dynamic-lines"}"#,
        r#"{"format": "int8", "scale": 0.01}"#,
        r#"{"format": "e4m3fn", "scale": {"blocks": "mx"}}"#,
    ];
    for (operator, shapes, attributes, jobs) in cases {
        let names = &["a", "b", "c"][..shapes.len()];
        let made = one(operator, names, attributes);
        write(&made, &sandbox.path("n.onnx"), Storage::Auto).unwrap();
        let arrays = shapes
            .iter()
            .zip(1..)
            .map(|(shape, i)| Tensor::Float(numbers(shape, i)));
        let arrays: Vec<Tensor> = arrays.collect();
        let named = names.iter().copied().zip(&arrays);
        npz::write(&sandbox.path("n.npz"), named).unwrap();
        for plan in plans {
            let output = r#"{"format": "e4m3fn", "scale": "dynamic"}"#;
            let layer = format!(r#"{{"input": {plan}, "weight": {plan}, "output": {output}}}"#);
            let text = format!(
                r#"{{"accumulator": "fp32", "default": "fp32", "layers": {{"node": {layer}}}}}"#
            );
            std::fs::write(sandbox.path("n.json"), text).unwrap();
            let text = sandbox
                .line("compare n.onnx --input n.npz --plan n.json")
                .ok();
            let wanted = format!("{jobs} jobs, ");
            assert!(
                text.contains(&wanted) && text.contains(" 0 differ"),
                "{plan}: {text}"
            );
            let run = "run n.onnx --input n.npz --plan n.json --against-fp32 --json";
            let report: serde_json::Value = serde_json::from_str(&sandbox.line(run).ok()).unwrap();
            let error = report["outputs"][0]["relative_error"].as_f64().unwrap();
            assert!(error > 0.0 && error < 0.15, "{operator} {plan}: {error}");
        }
    }
}
