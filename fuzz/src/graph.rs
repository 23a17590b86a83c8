//! Models of a few nodes, made of the fuzzer's choices: operators with operands of any type and shape,
//! and hostile attributes.

use arbitrary::{Result, Unstructured};
use ndarray::{ArrayD, IxDyn};
use quaver_quant::graph::supported;
use quaver_quant::onnx::{Attribute, Graph, Initializer, Model, Node, ValueInfo};
use quaver_quant::{ElementType, Plan, Tensor};

use crate::model;

/// Names of attributes; an operator does not look at those of others.
const NAMES: &[&str] = &[
    "allowzero",
    "alpha",
    "approximate",
    "auto_pad",
    "axes",
    "axis",
    "batch_axis",
    "batch_dims",
    "beta",
    "bias",
    "block_size",
    "blocksize",
    "ceil_mode",
    "count_include_pad",
    "detect_negative",
    "detect_positive",
    "dilations",
    "direction",
    "dtype",
    "end",
    "epsilon",
    "equation",
    "exclusive",
    "fmod",
    "gamma",
    "group",
    "interleaved",
    "is_causal",
    "k",
    "keepdims",
    "kernel_shape",
    "kv_num_heads",
    "largest",
    "mode",
    "noop_with_empty_axes",
    "num_groups",
    "num_heads",
    "num_outputs",
    "output_dtype",
    "output_padding",
    "output_shape",
    "p",
    "pads",
    "perm",
    "q_num_heads",
    "qk_matmul_output_mode",
    "reverse",
    "rotary_embedding_dim",
    "saturate",
    "scale",
    "seed",
    "select_last_index",
    "shape",
    "softcap",
    "sorted",
    "split",
    "start",
    "stash_type",
    "storage_order",
    "strides",
    "to",
    "transA",
    "transB",
    "upper",
    "value",
    "value_floats",
    "value_int",
    "value_ints",
    "axes",
    "precision",
];

/// Texts that some attribute means something by.
const TEXTS: &[&str] = &[
    "SAME_UPPER",
    "SAME_LOWER",
    "VALID",
    "NOTSET",
    "constant",
    "reflect",
    "edge",
    "tanh",
    "none",
    "DCR",
    "CRD",
    "ab,bc->ac",
    "aab->b",
    "...a,a->...",
    "a,b",
    "abc->",
    "i,i",
    "...ij,...jk->...ik",
];

const NUMBERS: &[i64] = &[
    0,
    1,
    2,
    3,
    4,
    -1,
    -2,
    -3,
    7,
    8,
    255,
    256,
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
    1 << 31,
    1 << 32,
    1 << 40,
    1 << 62,
];

const LENGTHS: &[usize] = &[0, 1, 1, 2, 2, 3, 4, 5, 8, 33];

pub(crate) fn run(bytes: &[u8]) -> bool {
    let Ok(model) = model(&mut Unstructured::new(bytes)) else {
        return false;
    };
    model::said(model::run(&model, &Plan::keep()))
}

fn number(input: &mut Unstructured<'_>) -> Result<i64> {
    match input.int_in_range(0..=3)? {
        0 => Ok(*input.choose(NUMBERS)?),
        _ => input.int_in_range(-4..=8),
    }
}

fn list(input: &mut Unstructured<'_>, most: usize) -> Result<Vec<i64>> {
    let length = input.int_in_range(0..=most)?;
    (0..length).map(|_| number(input)).collect()
}

fn tensor(input: &mut Unstructured<'_>) -> Result<Tensor> {
    let rank = input.int_in_range(0..=5)?;
    let mut shape = Vec::new();
    for _ in 0..rank {
        let length = *input.choose(LENGTHS)?;
        let all: usize = shape.iter().product::<usize>() * length;
        shape.push(if all > 4096 { 1 } else { length });
    }
    let count = shape.iter().product();
    let shape = IxDyn(&shape);
    let element = *input.choose(ElementType::ALL)?;
    // A few numbers, over and over.
    let values = list(input, 6)?;
    let at = |i: usize| values.get(i % values.len().max(1)).copied().unwrap_or(1);
    let array = |values: Vec<i64>| ArrayD::from_shape_vec(shape.clone(), values).expect("so many");
    let all = array((0..count).map(at).collect());
    Ok(match input.int_in_range(0..=4)? {
        0 => Tensor::Int(ElementType::Int64, all),
        1 if element.is_integer() => {
            let bits = element.bits() as u32;
            let (low, high) = match (element.is_signed(), bits) {
                (_, 64) => (0, i64::MAX),
                (true, bits) => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
                (false, bits) => (0, (1 << bits) - 1),
            };
            Tensor::Int(element, all.mapv(|x| x.clamp(low, high)))
        }
        2 => Tensor::Bool(all.mapv(|x| x > 0)),
        _ => Tensor::Float(all.mapv(|x| x as f32 / 2.0)),
    })
}

fn attribute(input: &mut Unstructured<'_>) -> Result<(String, Attribute)> {
    let name = (*input.choose(NAMES)?).to_owned();
    let value = match input.int_in_range(0..=6)? {
        0 | 1 => Attribute::Int(number(input)?),
        2 | 3 => Attribute::Ints(list(input, 6)?),
        4 => Attribute::Float(f32::from_bits(input.arbitrary()?)),
        5 => Attribute::String(input.choose(TEXTS)?.as_bytes().to_vec()),
        _ => match Initializer::new("", &tensor(input)?) {
            Ok(tensor) => Attribute::Tensor(tensor),
            Err(_) => Attribute::Floats(vec![1.0]),
        },
    };
    Ok((name, value))
}

fn model(input: &mut Unstructured<'_>) -> Result<Model> {
    let operators: Vec<&str> = supported().map(|operator| operator.name).collect();
    let mut graph = Graph::default();
    let mut names = vec![String::new()];
    for index in 0..input.int_in_range(1..=4)? {
        let operator = (*input.choose(&operators)?).to_owned();
        let mut inputs = Vec::new();
        for place in 0..input.int_in_range(0..=5)? {
            // Three of four operands are constants of their own.
            if input.ratio(1, 4)? {
                inputs.push(input.choose(&names)?.clone());
                continue;
            }
            let name = format!("x{index}_{place}");
            if let Ok(constant) = Initializer::new(&name, &tensor(input)?) {
                graph.initializers.push(constant);
                names.push(name.clone());
                inputs.push(name);
            }
        }
        let attributes = input.int_in_range(0..=6)?;
        let attributes = (0..attributes)
            .map(|_| attribute(input))
            .collect::<Result<_>>()?;
        let outputs: Vec<String> = (0..input.int_in_range(1..=3)?)
            .map(|place| format!("y{index}_{place}"))
            .collect();
        graph.nodes.push(Node {
            operator,
            inputs,
            outputs: outputs.clone(),
            attributes,
            ..Node::default()
        });
        graph.outputs.push(ValueInfo {
            name: outputs[0].clone(),
            ..ValueInfo::default()
        });
        names.extend(outputs);
    }
    Ok(Model {
        opsets: vec![(String::new(), input.int_in_range(7..=24)?)],
        graph,
        ..Model::default()
    })
}
