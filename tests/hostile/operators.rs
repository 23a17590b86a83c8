//! Nodes with absurd shapes and attributes: an error of the node, with little memory.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use ndarray::{ArrayD, IxDyn};
use quaver_fast::Fast;
use quaver_quant::graph::{NoHook, Session, supported};
use quaver_quant::onnx::{Attribute, Graph, Initializer, Model, Node, ValueInfo};
use quaver_quant::{ElementType, Error, Plan, Tensor};
use quaver_tests::peak;
use quaver_verify::Random;

use crate::{LIMIT, cases};

/// Memory of a node of a few numbers.
const MEMORY: usize = 64 << 20;

/// An operator, its operands and its attributes.
type Case = (&'static str, Vec<Tensor>, Vec<(&'static str, Attribute)>);

fn floats(shape: &[usize]) -> Tensor {
    let mut number = 0.0;
    Tensor::Float(ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        number += 0.25;
        number - 1.0
    }))
}

fn ints(values: &[i64]) -> Tensor {
    Tensor::Int(ElementType::Int64, ndarray::arr1(values).into_dyn())
}

fn int(value: i64) -> Tensor {
    Tensor::Int(ElementType::Int64, ndarray::arr0(value).into_dyn())
}

fn text(value: &str) -> Attribute {
    Attribute::String(value.as_bytes().to_vec())
}

/// Runs one node of constants in operator set 24.
fn node(operator: &str, inputs: &[Tensor], attributes: &[(&str, Attribute)]) -> Result<(), Error> {
    let names: Vec<String> = (0..inputs.len()).map(|i| format!("x{i}")).collect();
    let pairs = names.iter().zip(inputs);
    let model = Model {
        opsets: vec![(String::new(), 24)],
        graph: Graph {
            nodes: vec![Node {
                operator: operator.to_owned(),
                inputs: names.clone(),
                outputs: vec!["y".to_owned()],
                attributes: attributes
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
                ..Node::default()
            }],
            initializers: pairs
                .map(|(name, tensor)| Initializer::new(name, tensor))
                .collect::<Result<_, _>>()?,
            outputs: vec![ValueInfo {
                name: "y".to_owned(),
                ..ValueInfo::default()
            }],
            ..Graph::default()
        },
        ..Model::default()
    };
    let mut engine = Fast::new(1).expect("a thread starts");
    let mut session = Session::new(&model)?;
    let results = session.run(BTreeMap::new(), &Plan::keep(), &mut engine, &mut NoHook);
    results.map(|_| ())
}

#[test]
fn absurd_nodes_are_refused() {
    let huge = i64::MAX;
    let side = Attribute::Int;
    let long = || floats(&[1, 1, 1 << 15, 1]);
    let (column, row) = (|| floats(&[1 << 15, 1]), || floats(&[1, 1 << 15]));
    let cases: Vec<Case> = vec![
        ("Add", vec![column(), row()], vec![]),
        ("Less", vec![column(), row()], vec![]),
        ("Max", vec![column(), row()], vec![]),
        ("MatMul", vec![column(), row()], vec![]),
        ("Gemm", vec![column(), row()], vec![]),
        ("Conv", vec![long(), floats(&[1 << 15, 1, 1, 1])], vec![]),
        (
            "ConvTranspose",
            vec![long(), floats(&[1, 1 << 15, 1, 1])],
            vec![],
        ),
        ("Attention", vec![long(), long(), long()], vec![]),
        (
            "Attention",
            vec![floats(&[1, 2, 4]); 3],
            vec![("q_num_heads", side(huge))],
        ),
        (
            "Attention",
            vec![floats(&[1, 2, 4]); 3],
            vec![("q_num_heads", side(-1))],
        ),
        ("ConstantOfShape", vec![ints(&[1 << 29])], vec![]),
        ("ConstantOfShape", vec![ints(&[0, huge, huge])], vec![]),
        (
            "DepthToSpace",
            vec![floats(&[1, 4, 2, 2])],
            vec![("blocksize", side(huge))],
        ),
        (
            "DepthToSpace",
            vec![floats(&[1, 4, 2, 2])],
            vec![("blocksize", side(0))],
        ),
        (
            "SpaceToDepth",
            vec![floats(&[1, 4, 2, 2])],
            vec![("blocksize", side(-2))],
        ),
        (
            "DequantizeLinear",
            vec![ints(&[1, 2]), floats(&[2])],
            vec![("block_size", side(-1))],
        ),
        (
            "DequantizeLinear",
            vec![
                Tensor::Int(ElementType::Int8, ArrayD::zeros(IxDyn(&[2, 3]))),
                floats(&[1]),
                Tensor::Int(ElementType::Int8, ArrayD::zeros(IxDyn(&[3]))),
            ],
            vec![],
        ),
        (
            "QuantizeLinear",
            vec![
                floats(&[2, 0]),
                floats(&[1]),
                Tensor::Int(ElementType::Int8, ArrayD::zeros(IxDyn(&[0]))),
            ],
            vec![],
        ),
        (
            "QuantizeLinear",
            vec![floats(&[4]), floats(&[3])],
            vec![("axis", side(0)), ("block_size", side(2))],
        ),
        (
            "Einsum",
            vec![floats(&[1 << 15]), floats(&[1 << 15])],
            vec![("equation", text("a,b->ab"))],
        ),
        (
            "Einsum",
            vec![floats(&[2])],
            vec![("equation", text("aé->a"))],
        ),
        (
            "Einsum",
            vec![floats(&[2])],
            vec![("equation", text("a->aa"))],
        ),
        (
            "Einsum",
            vec![floats(&[2, 3])],
            vec![("equation", text("aa->a"))],
        ),
        (
            "Einsum",
            vec![floats(&[2]); 3],
            vec![("equation", text("a,a,a->a"))],
        ),
        (
            "Einsum",
            vec![floats(&[2])],
            vec![("equation", text("...a...->a"))],
        ),
        (
            "Expand",
            vec![floats(&[1]), ints(&[1 << 20, 1 << 20])],
            vec![],
        ),
        (
            "GatherElements",
            vec![floats(&[2]), ints(&[i64::MIN])],
            vec![],
        ),
        ("GatherND", vec![floats(&[2]), ints(&[huge])], vec![]),
        (
            "GatherND",
            vec![floats(&[2, 2]), ints(&[0])],
            vec![("batch_dims", side(huge))],
        ),
        (
            "GroupNormalization",
            vec![floats(&[1, 2, 2]), floats(&[2]), floats(&[2])],
            vec![("num_groups", side(0))],
        ),
        (
            "OneHot",
            vec![ints(&[0, 1]), int(1 << 40), floats(&[2])],
            vec![],
        ),
        ("OneHot", vec![ints(&[0, 1]), int(-1), floats(&[2])], vec![]),
        ("Mod", vec![ints(&[1]), ints(&[0])], vec![]),
        ("Pad", vec![floats(&[2]), ints(&[huge, huge])], vec![]),
        ("Pad", vec![floats(&[2]), ints(&[i64::MIN, 0])], vec![]),
        ("Range", vec![int(0), int(huge), int(1)], vec![]),
        ("Range", vec![int(0), int(huge), int(0)], vec![]),
        (
            "RotaryEmbedding",
            vec![
                floats(&[1, 1, 1, 4]),
                floats(&[2, 2]),
                floats(&[2, 2]),
                ints(&[7]),
            ],
            vec![],
        ),
        (
            "RotaryEmbedding",
            vec![floats(&[1, 1, 4]), floats(&[1, 1, 2]), floats(&[1, 1, 2])],
            vec![("num_heads", side(0))],
        ),
        ("Tile", vec![floats(&[2]), ints(&[huge])], vec![]),
        ("Tile", vec![floats(&[0, 2]), ints(&[huge, huge])], vec![]),
        ("TopK", vec![floats(&[2]), ints(&[3])], vec![]),
        ("TopK", vec![floats(&[2]), ints(&[-1])], vec![]),
        ("Trilu", vec![floats(&[2])], vec![]),
    ];
    for (operator, inputs, attributes) in cases {
        let start = Instant::now();
        let (result, most) = peak(|| node(operator, &inputs, &attributes));
        let error = result.expect_err(operator);
        assert!(matches!(error, Error::Node { .. }), "{operator}: {error}");
        assert!(
            most < MEMORY,
            "{operator} {attributes:?}: {most} bytes of memory"
        );
        assert!(start.elapsed() < LIMIT, "{operator}");
    }
}

/// Every operator with operands of random types, ranks and numbers, and random attributes: a result or an
/// error, never a panic.
#[test]
fn random_nodes_end() {
    const SEED: u64 = 1;
    const NAMES: &[&str] = &[
        "axis",
        "axes",
        "keepdims",
        "block_size",
        "blocksize",
        "num_groups",
        "group",
        "batch_dims",
        "k",
        "p",
        "q_num_heads",
        "kv_num_heads",
        "num_heads",
        "rotary_embedding_dim",
        "interleaved",
        "is_causal",
        "fmod",
        "strides",
        "pads",
        "dilations",
        "kernel_shape",
        "perm",
        "shape",
        "to",
        "upper",
        "exclusive",
        "reverse",
        "output_padding",
        "output_shape",
        "start",
        "end",
    ];
    const NUMBERS: &[i64] = &[
        0,
        1,
        2,
        3,
        4,
        -1,
        -2,
        7,
        i64::MAX,
        i64::MIN,
        1 << 31,
        1 << 40,
    ];
    let number = |random: &mut Random| random.pick(NUMBERS);
    let mut wrong = Vec::new();
    for operator in supported() {
        let mut accepted = 0;
        for case in 0..cases() / 20 {
            let mut random = Random::new(SEED + case, operator.name);
            let mut inputs = Vec::new();
            for _ in 0..random.below(6) {
                let rank = random.below(5);
                let shape: Vec<usize> = (0..rank)
                    .map(|_| [0, 1, 2, 2, 3, 4][random.below(6)])
                    .collect();
                let count = shape.iter().product::<usize>();
                inputs.push(match random.below(4) {
                    0 | 1 => floats(&shape),
                    2 => {
                        let values = (0..count).map(|_| number(&mut random)).collect();
                        let values = ArrayD::from_shape_vec(IxDyn(&shape), values)
                            .expect("the same elements");
                        Tensor::Int(ElementType::Int64, values)
                    }
                    _ => Tensor::Bool(ArrayD::from_elem(IxDyn(&shape), true)),
                });
            }
            let mut attributes = Vec::new();
            for _ in 0..random.below(6) {
                let name = random.pick(NAMES);
                let list = (0..random.below(5)).map(|_| number(&mut random)).collect();
                attributes.push((
                    name,
                    if random.below(3) == 0 {
                        Attribute::Ints(list)
                    } else {
                        Attribute::Int(number(&mut random))
                    },
                ));
            }
            let equation = ["ab,bc->ac", "aab->b", "...a,a->...", "a,b", "abc->"][random.below(5)];
            attributes.push(("equation", text(equation)));
            let shapes: Vec<&[usize]> = inputs.iter().map(Tensor::shape).collect();
            let result = catch_unwind(AssertUnwindSafe(|| {
                node(operator.name, &inputs, &attributes)
            }));
            let Ok(result) = result else {
                let seed = SEED + case;
                wrong.push(format!(
                    "{}, seed {seed}: operands {shapes:?}, attributes {attributes:?}",
                    operator.name
                ));
                break;
            };
            accepted += u64::from(result.is_ok());
        }
        println!("{}: {accepted} accepted", operator.name);
    }
    assert!(wrong.is_empty(), "panics:\n{}", wrong.join("\n"));
}
