//! Operator sets: what a node of an older one means, where that is not what it means here.

use super::super::context::node_error;
use super::Operator;
use crate::Error;
use crate::onnx::{Attribute, Node};

/// An attribute whose meaning changed while the operator kept the rest of its own.
struct Changed {
    operator: &'static str,
    /// The operator set from which on any value is supported.
    from: i64,
    attribute: &'static str,
    /// The values that always meant the same, as text; none if it may not be there.
    allowed: &'static [&'static str],
}

/// Every such attribute (ONNX, "Operator Changelog").
static CHANGED: &[Changed] = &[
    Changed {
        operator: "BatchNormalization",
        from: 9,
        attribute: "spatial",
        allowed: &["1"],
    },
    // Which end has the odd pad was turned round.
    Changed {
        operator: "ConvTranspose",
        from: 11,
        attribute: "auto_pad",
        allowed: &["NOTSET", "VALID"],
    },
    Changed {
        operator: "ConvTranspose",
        from: 11,
        attribute: "output_shape",
        allowed: &[],
    },
];

/// Refuses a node whose operator set gives it another meaning.
pub(crate) fn check(node: &Node, operator: &Operator, opset: i64) -> Result<(), Error> {
    if opset < operator.since {
        let since = operator.since;
        let message = format!(
            "the model is of opset {opset}, in which this operator is another; supported from opset {since} on"
        );
        return Err(node_error(node, message));
    }
    let own = CHANGED
        .iter()
        .filter(|row| row.operator == node.operator && opset < row.from);
    for row in own {
        let found = match node.attribute(row.attribute) {
            None => continue,
            Some(Attribute::Int(value)) => value.to_string(),
            Some(Attribute::String(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(_) => "a list".to_owned(),
        };
        if !row.allowed.contains(&found.as_str()) {
            let (attribute, from) = (row.attribute, row.from);
            let message = format!(
                "the model is of opset {opset}, in which {attribute} = {found} means something else; \
                 supported from opset {from} on"
            );
            return Err(node_error(node, message));
        }
    }
    // Training has more outputs than inference before it became an attribute.
    if node.operator == "BatchNormalization" && opset < 14 && node.outputs.len() > 1 {
        return Err(node_error(node, "training is not supported"));
    }
    Ok(())
}
