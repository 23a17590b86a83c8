//! Every operator's gradients against central finite differences of its forward pass.
//!
//! Numbers are small multiples of 1/8 and steps are 1/64, and factors are powers of two: each FP32
//! operation is exact, and so is the difference quotient of an operator that is linear in each operand,
//! or linear in pieces with no edge within a step. Gradients have to be equal.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ndarray::{ArrayD, IxDyn};
use quaver_fast::Fast;

use super::super::gradient::Gradient;
use super::super::tape::{Tape, Way, dependent};
use super::TABLE;
use crate::graph::{NoHook, Session};
use crate::onnx::{Attribute, Graph, Initializer, Model, Node, ValueInfo};
use crate::plan::Plan;
use crate::{ElementType, Tensor};

/// One node: its attributes, the shapes of its operands (the first is the model's input), and those
/// operands that are not to be differentiated.
struct Case {
    operator: &'static str,
    shapes: Vec<Vec<usize>>,
    attributes: Vec<(&'static str, Attribute)>,
    /// Numbers of operands instead of random ones.
    fixed: Vec<(usize, Tensor)>,
    /// Every number of the first operand is another one, so that the largest stays the largest.
    distinct: bool,
}

fn case(
    operator: &'static str,
    shapes: &[&[usize]],
    attributes: Vec<(&'static str, Attribute)>,
) -> Case {
    Case {
        operator,
        shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
        attributes,
        fixed: Vec::new(),
        distinct: false,
    }
}

fn ints(name: &'static str, values: &[i64]) -> (&'static str, Attribute) {
    (name, Attribute::Ints(values.to_vec()))
}

fn int(name: &'static str, value: i64) -> (&'static str, Attribute) {
    (name, Attribute::Int(value))
}

fn float(name: &'static str, value: f32) -> (&'static str, Attribute) {
    (name, Attribute::Float(value))
}

fn list(values: &[f32]) -> Tensor {
    Tensor::Float(ndarray::arr1(values).into_dyn())
}

fn cases() -> Vec<Case> {
    let image: &[usize] = &[2, 4, 5, 4];
    let kernel = |h, w| ints("kernel_shape", &[h, w]);
    let pads = || ints("pads", &[1, 1, 1, 1]);
    let with = |case: Case, fixed: Vec<(usize, Tensor)>| Case { fixed, ..case };
    let distinct = |case: Case| Case {
        distinct: true,
        ..case
    };
    let shape = Tensor::Int(ElementType::Int64, ndarray::arr1(&[2, -1]).into_dyn());
    let scalar = Initializer::new("c", &list(&[0.5, 1.5])).unwrap();
    let statistics = vec![(3, list(&[0.5; 4])), (4, list(&[3.0; 4]))];
    vec![
        case("Add", &[&[3, 4], &[3, 4]], vec![]),
        case("Add", &[&[2, 3, 4], &[3, 1]], vec![]),
        case("Add", &[&[2, 1], &[3, 2, 4]], vec![]),
        case("AveragePool", &[image], vec![kernel(2, 2)]),
        case(
            "AveragePool",
            &[image],
            vec![kernel(2, 2), ints("strides", &[1, 2]), pads()],
        ),
        case(
            "AveragePool",
            &[image],
            vec![kernel(2, 4), pads(), int("count_include_pad", 1)],
        ),
        with(
            case(
                "BatchNormalization",
                &[image, &[4], &[4], &[4], &[4]],
                vec![float("epsilon", 1.0)],
            ),
            statistics.clone(),
        ),
        with(
            case(
                "BatchNormalization",
                &[&[3, 4], &[4], &[4], &[4], &[4]],
                vec![float("epsilon", 1.0)],
            ),
            statistics,
        ),
        case("Constant", &[], vec![("value", Attribute::Tensor(scalar))]),
        case("Conv", &[image, &[3, 4, 3, 2], &[3]], vec![]),
        case(
            "Conv",
            &[image, &[6, 2, 3, 3]],
            vec![int("group", 2), pads()],
        ),
        case(
            "Conv",
            &[image, &[2, 4, 2, 2], &[2]],
            vec![
                ints("strides", &[2, 1]),
                ints("dilations", &[1, 2]),
                ints("pads", &[0, 1, 2, 0]),
            ],
        ),
        case("Flatten", &[image], vec![]),
        case("Flatten", &[image], vec![int("axis", 2)]),
        case("Gemm", &[&[3, 4], &[4, 2], &[2]], vec![]),
        case(
            "Gemm",
            &[&[4, 3], &[4, 2], &[3, 2]],
            vec![int("transA", 1), float("beta", 0.5)],
        ),
        case(
            "Gemm",
            &[&[3, 4], &[2, 4], &[3, 1]],
            vec![int("transB", 1), float("alpha", -2.0)],
        ),
        case("Gemm", &[&[3, 4], &[4, 2]], vec![]),
        case("GlobalAveragePool", &[&[2, 3, 4, 2]], vec![]),
        case("Identity", &[image], vec![]),
        case("MatMul", &[&[3, 4], &[4, 2]], vec![]),
        case("MatMul", &[&[2, 3, 4], &[4, 5]], vec![]),
        distinct(case(
            "MaxPool",
            &[image],
            vec![kernel(2, 2), ints("strides", &[2, 2])],
        )),
        distinct(case("MaxPool", &[image], vec![kernel(3, 2), pads()])),
        case("Relu", &[image], vec![]),
        with(case("Reshape", &[image, &[2]], vec![]), vec![(1, shape)]),
    ]
}

/// Odd multiples of 1/8 of magnitude below 2: none is within a step of 0.
fn numbers(shape: &[usize], state: &mut u32) -> ArrayD<f32> {
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((*state >> 28) as f32 * 2.0 - 15.0) / 8.0
    })
}

fn operands(case: &Case) -> Vec<Tensor> {
    let mut state = 5;
    let shapes = case.shapes.iter().enumerate();
    let operands = shapes.map(|(place, shape)| {
        if let Some((_, fixed)) = case.fixed.iter().find(|row| row.0 == place) {
            return fixed.clone();
        }
        let mut values = numbers(shape, &mut state);
        if place == 0 && case.distinct {
            let count = values.len();
            // 37 is no divisor: every number once, in no order.
            for (index, value) in values.iter_mut().enumerate() {
                *value = (index * 37 % count) as f32 / 8.0;
            }
        }
        Tensor::Float(values)
    });
    operands.collect()
}

fn model(case: &Case, operands: &[Tensor]) -> Model {
    let names: Vec<String> = (0..operands.len())
        .map(|place| format!("x{place}"))
        .collect();
    let value = |name: &str| ValueInfo {
        name: name.to_owned(),
        ..ValueInfo::default()
    };
    let attributes = case.attributes.iter();
    let constants = names.iter().zip(operands).skip(1);
    Model {
        ir_version: 9,
        opsets: vec![(String::new(), 20)],
        graph: Graph {
            nodes: vec![Node {
                name: "node".to_owned(),
                operator: case.operator.to_owned(),
                inputs: names.clone(),
                outputs: vec!["y".to_owned()],
                attributes: attributes
                    .map(|(name, x)| ((*name).to_owned(), x.clone()))
                    .collect(),
                ..Node::default()
            }],
            initializers: constants
                .map(|(name, x)| Initializer::new(name, x).unwrap())
                .collect(),
            inputs: names.first().map(|name| value(name)).into_iter().collect(),
            outputs: vec![value("y")],
            ..Graph::default()
        },
        ..Model::default()
    }
}

fn result(model: &Model, input: Option<&Tensor>, hook: &mut dyn crate::graph::Hook) -> ArrayD<f32> {
    let inputs = input.map(|input| ("x0".to_owned(), input.clone()));
    let inputs: BTreeMap<_, _> = inputs.into_iter().collect();
    let mut engine = Fast::new(1).unwrap();
    let mut session = Session::new(model).unwrap();
    let outputs = session
        .run(inputs, &Plan::keep(), &mut engine, hook)
        .unwrap();
    match outputs.into_iter().next().unwrap().1 {
        Tensor::Float(values) => values,
        other => panic!("{other:?}"),
    }
}

/// The sum of a result's numbers, each times its factor; exact.
fn weighed(result: &ArrayD<f32>, factors: &ArrayD<f32>) -> f64 {
    let pairs = result.iter().zip(factors);
    pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

#[test]
fn gradients_of_every_operator_vs_finite_differences() {
    const STEP: f32 = 1.0 / 64.0;
    let mut seen = BTreeSet::new();
    for (index, case) in cases().iter().enumerate() {
        seen.insert(case.operator);
        let operands = operands(case);
        let own = model(case, &operands);
        let names: Vec<&str> = own.graph.nodes[0]
            .inputs
            .iter()
            .map(String::as_str)
            .collect();
        let fixed = |place: usize| case.fixed.iter().any(|row| row.0 == place);
        let places: Vec<usize> = (0..operands.len()).filter(|&place| !fixed(place)).collect();
        let wanted: HashSet<&str> = places.iter().map(|&place| names[place]).collect();
        let mut tape = match operands.first() {
            Some(Tensor::Float(input)) => Tape::new("x0", input.clone()),
            _ => Tape::default(),
        };
        let output = result(&own, operands.first(), &mut tape);
        let factors = numbers(output.shape(), &mut 99);
        let plan = Plan::keep();
        let way = Way {
            graph: &own.graph,
            plan: &plan,
            gradient: Gradient::Pwl,
            dependent: &dependent(&own.graph, &wanted),
        };
        let session = Session::new(&own).unwrap();
        let upstream = ("y", factors.clone());
        let found = tape
            .backward(&way, |name| session.value(name), upstream)
            .unwrap();
        assert_eq!(found.len(), places.len(), "{} {index}", case.operator);
        for place in places {
            let Tensor::Float(values) = &operands[place] else {
                panic!("only FP32 is differentiated");
            };
            let gradient = &found[names[place]];
            assert_eq!(
                gradient.shape(),
                values.shape(),
                "{} {index}",
                case.operator
            );
            for (element, gradient) in gradient.iter().enumerate() {
                let moved = |step: f32| {
                    let mut operands = operands.clone();
                    let mut values = values.clone();
                    *values.iter_mut().nth(element).unwrap() += step;
                    operands[place] = Tensor::Float(values);
                    let moved = model(case, &operands);
                    weighed(&result(&moved, operands.first(), &mut NoHook), &factors)
                };
                let expected = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
                let place = format!("{} {index}, operand {place}, {element}", case.operator);
                assert_eq!(f64::from(*gradient), expected, "{place}");
            }
        }
    }
    let all: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(seen, all, "every operator has a case");
}
