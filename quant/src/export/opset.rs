//! What a newer version of ONNX's operators changes in nodes of an older one.
//!
//! Each row is a version of an operator at which a node may lose its meaning, by the changelog of ONNX
//! 1.22 (every version whose attributes or inputs are no extension of those before, and those whose
//! text says something else). Nodes are rewritten where the change is one of form, else refused.

use super::builder::Builder;
use super::{is_own, version};
use crate::onnx::{Attribute, Graph, Model, Node};
use crate::{ElementType, Error, Tensor};

/// Below this, operators broadcast by attributes.
const OLDEST: i64 = 7;

/// When a node is changed by a version.
#[derive(Clone, Copy)]
enum When {
    /// Always.
    Always,
    /// Where it has the attribute, which is gone or says something else.
    With(&'static str),
    /// Where it lacks the attribute, whose default is another or new.
    Without(&'static str),
    /// Unless the axis is the last one: older versions flatten from it on.
    AxisIsNotLast,
    /// Where it has the attribute, which has become the second input of integers.
    Input(&'static str),
    /// Where nothing says how many parts there are.
    Parts,
}

/// Operators by the version that changes them, and when.
const CHANGES: &[(&[&str], i64, When)] = &[
    (&["BatchNormalization"], 9, When::With("spatial")),
    (&["Scan"], 9, When::Always),
    (&["Upsample"], 9, When::Always),
    (&["Slice", "TopK", "Upsample"], 10, When::Always),
    (&["Pad", "Resize", "Scatter"], 11, When::Always),
    (&["Clip"], 11, When::With("min")),
    (&["Clip"], 11, When::With("max")),
    (&["Dropout"], 12, When::With("ratio")),
    (
        &["Hardmax", "LogSoftmax", "Softmax"],
        13,
        When::AxisIsNotLast,
    ),
    (
        &["ReduceSum", "Squeeze", "Unsqueeze"],
        13,
        When::Input("axes"),
    ),
    (&["Split"], 13, When::Input("split")),
    (&["Resize"], 13, When::Always),
    (
        &["RoiAlign"],
        16,
        When::Without("coordinate_transformation_mode"),
    ),
    (&["Split"], 18, When::Parts),
    (
        &[
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
            "ReduceSumSquare",
        ],
        18,
        When::Input("axes"),
    ),
    (&["AveragePool"], 19, When::With("ceil_mode")),
    (&["DFT"], 20, When::Always),
    (&["GridSample"], 20, When::With("mode")),
    (&["GroupNormalization"], 21, When::Always),
    (
        &["AveragePool", "LpPool", "MaxPool"],
        22,
        When::With("ceil_mode"),
    ),
];

/// Raises a model to a version of ONNX's operators; a model of that version or a newer one stays.
///
/// # Errors
/// [`Error::Illegal`] for a model older than 7; [`Error::Node`] with the node that would mean another
/// thing.
pub fn raise(model: &mut Model, wanted: i64) -> Result<(), Error> {
    let found = version(model);
    if found >= wanted {
        return Ok(());
    }
    if found < OLDEST {
        let allowed = format!("{OLDEST} and newer, to be raised to {wanted}");
        return Err(Error::illegal("opset", found, allowed));
    }
    let mut builder = Builder::new(&model.graph);
    rewrite(&mut model.graph, (found, wanted), &mut builder)?;
    let (_, constants) = builder.finish();
    model.graph.initializers.extend(constants);
    for (domain, version) in &mut model.opsets {
        if is_own(domain) {
            *version = wanted;
        }
    }
    Ok(())
}

/// Nodes of a graph and of those within.
fn rewrite(graph: &mut Graph, versions: (i64, i64), builder: &mut Builder) -> Result<(), Error> {
    for node in &mut graph.nodes {
        if is_own(&node.domain) {
            for (operators, at, when) in CHANGES {
                let between = versions.0 < *at && *at <= versions.1;
                if between && operators.contains(&node.operator.as_str()) {
                    change(node, *at, *when, builder)?;
                }
            }
        }
        for (_, attribute) in &mut node.attributes {
            if let Attribute::Graph(graph) = attribute {
                rewrite(graph, versions, builder)?;
            }
        }
    }
    Ok(())
}

fn change(node: &mut Node, at: i64, when: When, builder: &mut Builder) -> Result<(), Error> {
    let changed = match when {
        When::Always => true,
        When::With(name) => match node.attribute(name) {
            // The value that says nothing.
            Some(Attribute::Int(0)) if name == "ceil_mode" => false,
            Some(Attribute::Int(1)) if name == "spatial" => false,
            found => found.is_some(),
        },
        When::Without(name) => node.attribute(name).is_none(),
        When::AxisIsNotLast => !matches!(node.attribute("axis"), Some(Attribute::Int(-1))),
        When::Input(name) => {
            let place = node.attributes.iter().position(|(key, _)| key == name);
            if let Some(place) = place {
                let Attribute::Ints(list) = node.attributes.remove(place).1 else {
                    return Err(refuse(node, at));
                };
                let list = ndarray::Array1::from_vec(list).into_dyn();
                let list = Tensor::Int(ElementType::Int64, list);
                let wanted = format!("{}/{name}", node.label());
                node.inputs.truncate(1);
                node.inputs.push(builder.constant(&wanted, &list)?);
            }
            false
        }
        When::Parts => {
            let says = node.inputs.get(1).is_some_and(|name| !name.is_empty());
            if !says && node.attribute("num_outputs").is_none() {
                let parts = Attribute::Int(node.outputs.len() as i64);
                node.attributes.push(("num_outputs".to_owned(), parts));
            }
            false
        }
    };
    match changed {
        true => Err(refuse(node, at)),
        false => Ok(()),
    }
}

fn refuse(node: &Node, at: i64) -> Error {
    Error::Node {
        node: node.label().to_owned(),
        operator: node.operator.clone(),
        message: format!(
            "opset {at}, which the model has to be raised beyond, changes what it means"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(operator: &str, attribute: Option<(&str, Attribute)>, opset: i64) -> Model {
        let mut model = Model {
            ir_version: 4,
            opsets: vec![(String::new(), opset)],
            ..Model::default()
        };
        model.graph.nodes.push(Node {
            operator: operator.to_owned(),
            inputs: vec!["x".to_owned()],
            outputs: vec!["y".to_owned(), "z".to_owned()],
            attributes: attribute
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..Node::default()
        });
        model
    }

    #[test]
    fn nodes_that_change_are_rewritten_or_refused() {
        let axes = || Attribute::Ints(vec![1]);
        let axis = Attribute::Int;
        for (operator, attribute, from, allowed) in [
            ("Relu", None, 7, true),
            ("Relu", None, 6, false),
            ("Softmax", Some(("axis", axis(-1))), 11, true),
            ("Softmax", Some(("axis", axis(1))), 11, false),
            ("Softmax", None, 12, false),
            ("Softmax", None, 13, true),
            ("ReduceMean", Some(("axes", axes())), 13, true),
            ("Squeeze", Some(("axes", axes())), 11, true),
            ("Split", None, 13, true),
            ("Clip", Some(("min", Attribute::Float(0.0))), 10, false),
            ("Clip", None, 10, true),
            ("AveragePool", Some(("ceil_mode", axis(1))), 18, false),
            ("AveragePool", Some(("ceil_mode", axis(0))), 18, true),
        ] {
            let mut raised = model(operator, attribute, from);
            let result = raise(&mut raised, 19);
            assert_eq!(result.is_ok(), allowed, "{operator} of {from}: {result:?}");
            if allowed {
                assert_eq!(raised.opsets[0].1, 19);
                let node = &raised.graph.nodes[0];
                assert!(node.attribute("axes").is_none(), "{operator}");
                if operator == "Split" {
                    assert_eq!(node.attribute("num_outputs"), Some(&axis(2)));
                }
            }
        }
    }
}
