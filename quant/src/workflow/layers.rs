//! Layers by patterns of their names and by their types.

use crate::Error;
use crate::graph::Session;

/// A layer with products: a name, and its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerName {
    /// The node's name.
    pub name: String,
    /// Its operator in ONNX.
    pub operator: String,
    /// Its types, the most specific first; the last is the operator.
    pub types: Vec<String>,
    /// Whether its second operand is a constant of the model.
    pub constant: bool,
}

/// Types that are no operators of ONNX.
pub const TYPES: [&str; 6] = [
    "Linear",
    "Attention",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
];

/// The layers of a model in its order. `Linear` is Gemm, and MatMul with a constant; `Attention` is
/// MatMul of two activations; convolutions have their axes of places in their types.
pub fn layers(session: &Session<'_>) -> Vec<LayerName> {
    let layers = session.layers().map(|(name, operator)| {
        let weight = session.constant(name);
        let axes = weight.map(|weight| weight.ndim().saturating_sub(2));
        let more = match (operator, axes) {
            ("Gemm", _) | ("MatMul", Some(_)) => Some("Linear".to_owned()),
            ("MatMul", None) => Some("Attention".to_owned()),
            ("Conv" | "ConvTranspose", Some(axes)) => Some(format!("{operator}{axes}d")),
            _ => None,
        };
        LayerName {
            name: name.to_owned(),
            operator: operator.to_owned(),
            types: more.into_iter().chain([operator.to_owned()]).collect(),
            constant: weight.is_some(),
        }
    });
    layers.collect()
}

/// Whether a name is of a pattern, in which `*` stands for any letters.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    true
}

/// Checks that a pattern of names fits some layer.
///
/// # Errors
/// [`Error::Illegal`] with the key and the layers.
pub fn check_name(key: &str, pattern: &str, layers: &[LayerName]) -> Result<(), Error> {
    match layers.iter().any(|layer| fits(pattern, &layer.name)) {
        true => Ok(()),
        false => {
            let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
            Err(Error::illegal(key, pattern, names.join(", ")))
        }
    }
}

/// Checks that a type is one; a model need not have a layer of it.
///
/// # Errors
/// [`Error::Illegal`] with the key and the types.
pub fn check_type(key: &str, name: &str) -> Result<(), Error> {
    let operators = crate::graph::supported().filter(|operator| operator.is_product);
    let mut known: Vec<&str> = TYPES.to_vec();
    known.extend(operators.map(|operator| operator.name));
    match known.contains(&name) {
        true => Ok(()),
        false => Err(Error::illegal(key, name, known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, expected) in [
            ("fc", "fc", true),
            ("fc", "fc1", false),
            ("fc*", "fc1", true),
            ("*fc", "a.fc", true),
            ("*fc", "a.fc.b", false),
            ("*", "", true),
            ("a*b*c", "a.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("a*a", "a", false),
            ("", "a", false),
            ("**x", "x", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
