//! What a forward pass leaves for the way back, and the way back.

use std::collections::{HashMap, HashSet};

use ndarray::ArrayD;

use super::gradient::{Gradient, through_output};
use super::operators::{Step, find};
use crate::graph::{Hook, Layer};
use crate::onnx::{Graph, Node};
use crate::plan::Plan;
use crate::{Error, Tensor};

/// Every value of a run by its name.
#[derive(Debug, Default)]
pub(super) struct Tape {
    values: HashMap<String, Tensor>,
    /// Results before their output quantiser, by node.
    unquantised: HashMap<String, ArrayD<f32>>,
}

impl Tape {
    /// Of a run with that input.
    pub(super) fn new(name: &str, input: ArrayD<f32>) -> Self {
        let mut tape = Self::default();
        tape.values.insert(name.to_owned(), Tensor::Float(input));
        tape
    }
}

impl Hook for Tape {
    fn node(&mut self, node: &Node, results: &[Tensor]) -> Result<(), Error> {
        for (name, result) in node.outputs.iter().zip(results) {
            self.values.insert(name.clone(), result.clone());
        }
        Ok(())
    }

    fn layer(&mut self, layer: &Layer<'_>) -> Result<(), Error> {
        if let Some(result) = &layer.unquantised {
            let node = layer.node.to_owned();
            self.unquantised.insert(node, result.to_owned());
        }
        Ok(())
    }
}

/// Names of values that depend on a trained constant, those among them.
pub(super) fn dependent<'m>(graph: &'m Graph, trained: &HashSet<&'m str>) -> HashSet<&'m str> {
    let mut found = trained.clone();
    for node in &graph.nodes {
        if node.inputs.iter().any(|name| found.contains(name.as_str())) {
            found.extend(node.outputs.iter().map(String::as_str));
        }
    }
    found
}

/// How the way back goes.
pub(super) struct Way<'a> {
    pub(super) graph: &'a Graph,
    pub(super) plan: &'a Plan,
    pub(super) gradient: Gradient,
    /// As [`dependent`] has them.
    pub(super) dependent: &'a HashSet<&'a str>,
}

impl Tape {
    /// The gradient of every dependent value by its name, from that of the output; nodes go from the last
    /// to the first, and a value that several nodes read takes their parts in that order.
    pub(super) fn backward<'a, 't>(
        &'t self,
        way: &Way<'a>,
        constant: impl Fn(&str) -> Option<&'t Tensor>,
        (output, upstream): (&'a str, ArrayD<f32>),
    ) -> Result<HashMap<&'a str, ArrayD<f32>>, Error> {
        let mut gradients = HashMap::from([(output, upstream)]);
        for node in way.graph.nodes.iter().rev() {
            let result = node.outputs.first().map_or("", String::as_str);
            let Some(mut upstream) = gradients.remove(result) else {
                continue;
            };
            let plan = (way.plan.layer(node.label()), way.gradient);
            if let Some(unquantised) = self.unquantised.get(node.label()) {
                upstream = through_output(plan, unquantised, upstream)?;
            }
            let value = |name: &String| self.values.get(name).or_else(|| constant(name));
            let step = Step {
                node,
                plan,
                operands: node.inputs.iter().map(value).collect(),
                wanted: (node.inputs.iter())
                    .map(|name| way.dependent.contains(name.as_str()))
                    .collect(),
            };
            let found = (find(node)?.backward)(&step, &upstream)?;
            for (name, gradient) in node.inputs.iter().zip(found) {
                let Some(gradient) = gradient else { continue };
                match gradients.get_mut(name.as_str()) {
                    Some(sum) => *sum += &gradient,
                    None => drop(gradients.insert(name, gradient)),
                }
            }
        }
        Ok(gradients)
    }
}
