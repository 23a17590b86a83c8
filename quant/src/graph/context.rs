//! A node under way: its attributes and operands, and what is said when they will not do.

use ndarray::ArrayD;

use super::products::Products;
use crate::onnx::{Attribute, Node};
use crate::{ElementType, Error, Tensor};

/// The most elements that a node may make out of a few numbers: a gibibyte of FP32.
pub(crate) const MOST_ELEMENTS: usize = 1 << 28;

/// What an operator is given beside its operands.
pub(crate) struct Context<'a, 'p> {
    pub(crate) node: &'a Node,
    /// Version of ONNX's operator set.
    pub(crate) opset: i64,
    pub(crate) products: &'a mut Products<'p>,
    /// Which inputs are constants of the model.
    pub(crate) constant: Vec<bool>,
    /// The most elements that it may make.
    pub(crate) most: usize,
}

impl Context<'_, '_> {
    /// An error of this node.
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        node_error(self.node, message)
    }

    /// The elements of a result of that shape, before anything is allocated for it.
    pub(crate) fn elements(&self, shape: &[usize]) -> Result<usize, Error> {
        // A length of 0 does not excuse others that overflow.
        let all = shape
            .iter()
            .try_fold(1usize, |all, &n| all.checked_mul(n.max(1)));
        match all.filter(|&all| all <= self.most) {
            Some(_) => Ok(shape.iter().product()),
            None => Err(self.error(format!(
                "a result of shape {shape:?} has more than {} elements",
                self.most
            ))),
        }
    }

    /// What its node says.
    pub(crate) const fn attributes(&self) -> Attributes<'_> {
        Attributes { node: self.node }
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> Result<i64, Error> {
        self.attributes().int(name, default)
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> Result<f32, Error> {
        self.attributes().float(name, default)
    }

    pub(crate) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Error> {
        self.attributes().ints(name)
    }

    pub(crate) fn text(&self, name: &str, default: &str) -> Result<String, Error> {
        self.attributes().text(name, default)
    }

    /// Refuses an attribute value other than the one that is supported.
    pub(crate) fn only(&self, name: &str, found: &str, allowed: &[&str]) -> Result<(), Error> {
        self.attributes().only(name, found, allowed)
    }

    /// The operand at that place, which must be there.
    pub(crate) fn operand<'t>(
        &self,
        inputs: &[Option<&'t Tensor>],
        place: usize,
    ) -> Result<&'t Tensor, Error> {
        let operand = inputs.get(place).copied().flatten();
        operand.ok_or_else(|| self.error(format!("input {place} is missing")))
    }

    /// FP32 numbers at that place.
    pub(crate) fn floats<'t>(
        &self,
        inputs: &[Option<&'t Tensor>],
        place: usize,
    ) -> Result<&'t ArrayD<f32>, Error> {
        match self.operand(inputs, place)? {
            Tensor::Float(values) => Ok(values),
            other => Err(self.error(format!(
                "input {place} is {}, not {}",
                other.element_type().name(),
                ElementType::Float.name()
            ))),
        }
    }

    /// FP32 numbers at that place, if there is an operand.
    pub(crate) fn optional_floats<'t>(
        &self,
        inputs: &[Option<&'t Tensor>],
        place: usize,
    ) -> Result<Option<&'t ArrayD<f32>>, Error> {
        match inputs.get(place).copied().flatten() {
            None => Ok(None),
            Some(_) => self.floats(inputs, place).map(Some),
        }
    }

    /// Integers at that place, as a list.
    pub(crate) fn integers(
        &self,
        inputs: &[Option<&Tensor>],
        place: usize,
    ) -> Result<Vec<i64>, Error> {
        match self.operand(inputs, place)? {
            Tensor::Int(_, values) => Ok(values.iter().copied().collect()),
            other => Err(self.error(format!(
                "input {place} is {}, not integers",
                other.element_type().name()
            ))),
        }
    }

    /// Integers from the input at that place, else from the attribute.
    pub(crate) fn list(
        &self,
        inputs: &[Option<&Tensor>],
        place: usize,
        attribute: &str,
    ) -> Result<Option<Vec<i64>>, Error> {
        match inputs.get(place).copied().flatten() {
            Some(_) => self.integers(inputs, place).map(Some),
            None => self.ints(attribute),
        }
    }

    /// An axis of that many, counted from the end when negative.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize, Error> {
        let whole = rank as i64;
        let place = if axis < 0 { axis + whole } else { axis };
        match (0..whole).contains(&place) {
            true => Ok(place as usize),
            false => Err(self.error(format!("axis {axis} of {rank}"))),
        }
    }
}

/// The attributes of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) node: &'a Node,
}

impl Attributes<'_> {
    /// An error of this node.
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        node_error(self.node, message)
    }

    fn attribute<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&Attribute) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(attribute) = self.node.attribute(name) else {
            return Ok(None);
        };
        match read(attribute) {
            Some(value) => Ok(Some(value)),
            None => Err(self.error(format!("attribute {name} is no {kind}"))),
        }
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> Result<i64, Error> {
        let value = self.attribute(name, "integer", |attribute| match attribute {
            Attribute::Int(value) => Some(*value),
            _ => None,
        })?;
        Ok(value.unwrap_or(default))
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> Result<f32, Error> {
        let value = self.attribute(name, "number", |attribute| match attribute {
            Attribute::Float(value) => Some(*value),
            _ => None,
        })?;
        Ok(value.unwrap_or(default))
    }

    pub(crate) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Error> {
        self.attribute(name, "list of integers", |attribute| match attribute {
            Attribute::Ints(values) => Some(values.clone()),
            _ => None,
        })
    }

    pub(crate) fn text(&self, name: &str, default: &str) -> Result<String, Error> {
        let value = self.attribute(name, "text", |attribute| match attribute {
            Attribute::String(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        })?;
        Ok(value.unwrap_or_else(|| default.to_owned()))
    }

    /// Refuses an attribute value other than the one that is supported.
    pub(crate) fn only(&self, name: &str, found: &str, allowed: &[&str]) -> Result<(), Error> {
        match allowed.contains(&found) {
            true => Ok(()),
            false => Err(self.error(format!(
                "attribute {name} = {found} is not supported ({})",
                allowed.join(", ")
            ))),
        }
    }
}

/// An error of a node.
pub(crate) fn node_error(node: &Node, message: impl Into<String>) -> Error {
    Error::Node {
        node: node.label().to_owned(),
        operator: node.operator.clone(),
        message: message.into(),
    }
}

/// The shape to which both broadcast (ONNX, "Multidirectional Broadcasting").
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let length = |shape: &[usize], i: usize| {
        let missing = rank - shape.len();
        if i < missing { 1 } else { shape[i - missing] }
    };
    (0..rank)
        .map(|i| match (length(a, i), length(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}
