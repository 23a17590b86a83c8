//! Training as a whole.

mod quantisers;

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};
use quaver_contract::Formats;
use quaver_fast::Fast;

use super::gradient::Gradient;
use super::{Examples, Settings, Trainer, calibrate, fixed};
use crate::graph::{NoHook, Session};
use crate::onnx::{self, Attribute, Graph, Initializer, Model, Node, ValueInfo};
use crate::plan::{LayerPlan, Plan, PlanFile};
use crate::{ElementType, Tensor};

fn plan(input: &str, weight: &str, rest: &str) -> Plan {
    let row = format!("{{\"input\": {input}, \"weight\": {weight}{rest}}}");
    let text = format!(
        "{{\"accumulator\": \"dot_hopper\", \"default\": \"fp32\",
          \"layers\": {{\"conv\": {row}, \"fc\": {row}}}}}"
    );
    let file = PlanFile::parse(text.as_bytes()).unwrap();
    file.plan(&Formats::default()).unwrap()
}

fn quantiser(format: &str, scale: &str) -> String {
    format!("{{\"format\": \"{format}\", \"scale\": {scale}}}")
}

struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn tensor(&mut self, shape: &[usize], factor: f32) -> ArrayD<f32> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || factor * self.next())
    }
}

/// Conv, Relu, MaxPool, Flatten, Gemm over images of 6 x 6 with 4 classes.
fn model() -> Model {
    let mut numbers = Numbers(3);
    let node =
        |name: &str, operator: &str, inputs: &[&str], attributes: Vec<(String, Attribute)>| Node {
            name: name.to_owned(),
            operator: operator.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![format!("{name}.y")],
            attributes,
            ..Node::default()
        };
    let pads = ("pads".to_owned(), Attribute::Ints(vec![1; 4]));
    let twos = |name: &str| (name.to_owned(), Attribute::Ints(vec![2; 2]));
    let constants = [
        ("w", numbers.tensor(&[6, 1, 3, 3], 0.5)),
        ("b", numbers.tensor(&[6], 0.1)),
        ("v", numbers.tensor(&[54, 4], 0.2)),
        ("d", numbers.tensor(&[4], 0.1)),
    ];
    let value = |name: &str| ValueInfo {
        name: name.to_owned(),
        ..ValueInfo::default()
    };
    Model {
        ir_version: 9,
        opsets: vec![(String::new(), 20)],
        graph: Graph {
            nodes: vec![
                node("conv", "Conv", &["x", "w", "b"], vec![pads]),
                node("relu", "Relu", &["conv.y"], vec![]),
                node(
                    "pool",
                    "MaxPool",
                    &["relu.y"],
                    vec![twos("kernel_shape"), twos("strides")],
                ),
                node("flat", "Flatten", &["pool.y"], vec![]),
                node("fc", "Gemm", &["flat.y", "v", "d"], vec![]),
            ],
            initializers: (constants.into_iter())
                .map(|(name, x)| Initializer::new(name, &Tensor::Float(x)).unwrap())
                .collect(),
            inputs: vec![value("x")],
            outputs: vec![value("fc.y")],
            ..Graph::default()
        },
        ..Model::default()
    }
}

/// Images whose bright quarter is their class, under noise.
fn examples(count: usize, seed: u32) -> Examples {
    let mut numbers = Numbers(seed);
    let mut inputs = numbers.tensor(&[count, 1, 6, 6], 0.8);
    let labels: Vec<i64> = (0..count as i64).map(|i| i * 7 % 4).collect();
    for (mut image, &class) in inputs.outer_iter_mut().zip(&labels) {
        let (top, left) = (class as usize / 2 * 3, class as usize % 2 * 3);
        for y in top..top + 3 {
            for x in left..left + 3 {
                image[[0, y, x]] += 0.5;
            }
        }
    }
    let labels = Tensor::Int(ElementType::Int64, ndarray::Array1::from(labels).into_dyn());
    Examples::new("x", Tensor::Float(inputs), &labels).unwrap()
}

fn settings() -> Settings {
    Settings {
        gradient: Gradient::Pwl,
        batch: 16,
        rate: 0.02,
        momentum: 0.9,
        seed: 1,
    }
}

/// Losses, the accuracy after them, and the model.
fn train(settings: Settings, plan: &Plan, epochs: usize, threads: usize) -> (Vec<f64>, f64, Model) {
    let model = model();
    let mut trainer = Trainer::new(&model, settings).unwrap();
    let mut engine = Fast::new(threads).unwrap();
    let data = examples(200, 11);
    let mut losses = Vec::new();
    for _ in 0..epochs {
        let seen = trainer.epoch(&data, plan, &mut engine, |_| ()).unwrap();
        losses.push(seen.loss);
    }
    let accuracy = trainer.accuracy(&data, plan, &mut engine).unwrap();
    (losses, accuracy, trainer.model().unwrap())
}

fn bytes(model: &Model) -> Vec<u8> {
    let mut bytes = Vec::new();
    onnx::write_to(model, &mut bytes).unwrap();
    bytes
}

fn plans() -> Vec<Plan> {
    let dynamic = |format| {
        plan(
            &quantiser(format, "\"dynamic\""),
            &quantiser(format, "\"dynamic-lines\""),
            "",
        )
    };
    let blocks = quantiser("e2m1fn", "{\"blocks\": \"mx:16\"}");
    let output = format!(", \"output\": {}", quantiser("e4m3fn", "0.0625"));
    let int4 = quantiser("int4", "0.25");
    let host = format!(
        ", \"compute\": \"bf16\", \"output\": {}",
        quantiser("fp16", "1")
    );
    vec![
        dynamic("e4m3fn"),
        dynamic("e2m1fn"),
        plan(&blocks, &blocks, ""),
        plan(&quantiser("e4m3fn", "0.01"), &int4, &output),
        plan(&quantiser("e5m2", "\"dynamic-lines\""), &int4, ""),
        plan(&quantiser("fp16", "1"), &int4, &host),
    ]
}

#[test]
fn loss_falls_under_every_plan() {
    for (index, plan) in plans().iter().enumerate() {
        for gradient in Gradient::ALL.iter().copied() {
            let settings = Settings {
                gradient,
                ..settings()
            };
            let (losses, accuracy, _) = train(settings, plan, 6, 1);
            let (first, last) = (losses[0], losses[5]);
            assert!(last < 0.8 * first, "plan {index} {gradient:?}: {losses:?}");
            assert!(accuracy > 0.6, "plan {index} {gradient:?}: {accuracy}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    for plan in plans() {
        let pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| bytes(&train(settings(), &plan, 1, threads).2))
        };
        let one = pool(1);
        for threads in 2..=4 {
            assert!(pool(threads) == one, "{threads} threads");
        }
        let other = Settings {
            seed: 2,
            ..settings()
        };
        assert!(bytes(&train(other, &plan, 1, 1).2) != one, "another seed");
    }
}

#[test]
fn the_written_model_runs_with_the_bits_that_training_saw() {
    for plan in plans() {
        let model = model();
        let mut trainer = Trainer::new(&model, settings()).unwrap();
        let mut engine = Fast::new(1).unwrap();
        let data = examples(40, 5);
        trainer.epoch(&data, &plan, &mut engine, |_| ()).unwrap();
        let mut seen = trainer
            .session
            .run(inputs(&data), &plan, &mut engine, &mut NoHook)
            .unwrap();
        let written = trainer.model().unwrap();
        let mut session = Session::new(&written).unwrap();
        let mut run = session
            .run(inputs(&data), &plan, &mut engine, &mut NoHook)
            .unwrap();
        assert_eq!(seen.pop(), run.pop());
        // Another model than before, in its weights alone.
        assert_eq!(written.graph.nodes, model.graph.nodes);
        for (now, then) in written
            .graph
            .initializers
            .iter()
            .zip(&model.graph.initializers)
        {
            assert_eq!((&now.name, &now.shape), (&then.name, &then.shape));
            assert!(now.bytes != then.bytes, "{} is trained", now.name);
        }
    }
}

fn inputs(data: &Examples) -> BTreeMap<String, Tensor> {
    BTreeMap::from([("x".to_owned(), Tensor::Float(data.inputs.clone()))])
}

#[test]
fn training_recovers_what_quantisation_lost() {
    let model = train(settings(), &plans()[0], 12, 1).2;
    // Three bits: 0, three magnitudes, and scales at which many numbers saturate.
    let plan = plan(
        &quantiser("e1m1fn", "0.5"),
        &quantiser("e1m1fn", "0.25"),
        "",
    );
    let data = examples(200, 11);
    let mut engine = Fast::new(1).unwrap();
    let slower = Settings {
        rate: 0.005,
        ..settings()
    };
    let mut trainer = Trainer::new(&model, slower).unwrap();
    let fp32 = trainer.accuracy(&data, &Plan::keep(), &mut engine).unwrap();
    let before = trainer.accuracy(&data, &plan, &mut engine).unwrap();
    for _ in 0..10 {
        trainer.epoch(&data, &plan, &mut engine, |_| ()).unwrap();
    }
    let after = trainer.accuracy(&data, &plan, &mut engine).unwrap();
    println!("FP32 {fp32}, post-training {before}, trained {after}");
    assert!(fp32 > before, "{fp32} {before}");
    assert!(
        after - before > 0.5 * (fp32 - before),
        "{fp32} {before} {after}"
    );
}

#[test]
fn calibration_replaces_static_scales_alone() {
    let model = model();
    let mut trainer = Trainer::new(&model, settings()).unwrap();
    let mut engine = Fast::new(1).unwrap();
    let data = examples(40, 5);
    let dynamic = &plans()[0];
    let mut found = |plan: &Plan| {
        let how = ("max", &Formats::default());
        calibrate(plan, &mut trainer, &data, how, &mut engine).unwrap()
    };
    assert_eq!(found(dynamic).layers, dynamic.layers);
    let session = Session::new(&model).unwrap();
    let fixed = found(&fixed(dynamic, &session).unwrap());
    let LayerPlan::Quantised { input, weight, .. } = fixed.layer("conv") else {
        panic!("a job");
    };
    let largest = |values: &ArrayD<f32>| values.iter().fold(0f32, |top, x| top.max(x.abs()));
    assert_eq!(
        input.scale,
        crate::plan::ScalePlan::Tensor(largest(&data.inputs) / 448.0)
    );
    let channels = session.weight("conv").unwrap();
    let tops = channels
        .iter()
        .map(|list| list.iter().fold(0f32, |top, x| top.max(x.abs())) / 448.0);
    assert_eq!(
        weight.scale,
        crate::plan::ScalePlan::Channels(tops.collect())
    );
    let rows = super::fixed(&plans()[4], &session).unwrap_err().to_string();
    assert!(
        rows.contains("static scales of layer conv one a row"),
        "{rows}"
    );
}

#[test]
fn what_cannot_be_trained_is_named() {
    let refused = |change: &dyn Fn(&mut Model), settings: Settings| {
        let mut model = model();
        change(&mut model);
        let error = Trainer::new(&model, settings).err();
        error.expect("it is refused").to_string()
    };
    let tanh = |model: &mut Model| model.graph.nodes[1].operator = "Tanh".to_owned();
    let error = refused(&tanh, settings());
    assert!(
        error.starts_with("node relu (Tanh): training does not go through"),
        "{error}"
    );
    for row in super::operators::TABLE {
        assert!(error.contains(row.name), "{error}");
    }
    let foreign = |model: &mut Model| model.graph.nodes[1].domain = "org.else".to_owned();
    assert!(refused(&foreign, settings()).starts_with("node relu (Relu)"));
    let frozen = |model: &mut Model| {
        model
            .graph
            .initializers
            .iter_mut()
            .for_each(|x| x.element = ElementType::Int32)
    };
    assert!(refused(&frozen, settings()).contains("depends on FP32 constants"));
    let same = |_: &mut Model| ();
    for (settings, part) in [
        (
            Settings {
                batch: 0,
                ..settings()
            },
            "batch 0",
        ),
        (
            Settings {
                rate: 0.0,
                ..settings()
            },
            "rate 0",
        ),
        (
            Settings {
                rate: f32::NAN,
                ..settings()
            },
            "rate NaN",
        ),
        (
            Settings {
                momentum: 1.0,
                ..settings()
            },
            "momentum 1",
        ),
        (
            Settings {
                momentum: -0.1,
                ..settings()
            },
            "momentum -0.1",
        ),
    ] {
        let error = refused(&same, settings);
        assert!(error.contains(part), "{error}");
    }
    let model = model();
    let wild = Settings {
        rate: 1e30,
        ..settings()
    };
    let mut trainer = Trainer::new(&model, wild).unwrap();
    let mut engine = Fast::new(1).unwrap();
    let data = examples(64, 5);
    let error = trainer
        .epoch(&data, &plans()[0], &mut engine, |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("epoch 1") && error.contains("a smaller rate"),
        "{error}"
    );
}
