//! The interpreter, and what can watch it.
//!
//! Nodes run in the file's order, each by a function of `operators`; matrix products go through
//! `products`, where the plan decides in what they are computed. A value is dropped after its last use.

mod awake;
mod blocks;
mod buffers;
pub(crate) mod context;
mod documentation;
mod hook;
pub(crate) mod host;
mod operand;
pub(crate) mod operators;
mod outputs;
mod products;
pub(crate) mod scales;
pub(crate) mod spread;

use std::collections::{BTreeMap, HashMap, HashSet};

use ndarray::{ArrayD, Axis};
use quaver_contract::Engine;

use awake::Awake;
use buffers::Buffers;
use context::{Context, MOST_ELEMENTS, node_error};
pub use documentation::{NEWEST_OPSET, operators_markdown};
pub use hook::{Hook, Layer, NoHook, Product};
pub use operators::{Operator, supported};
use operators::{check, operator};
use products::{Products, Weights};

use crate::onnx::{Attribute, Model, Node};
use crate::plan::Plan;
use crate::{Error, Tensor};

/// A model made ready: its operators found, its constants read.
pub struct Session<'m> {
    model: &'m Model,
    opset: i64,
    nodes: Vec<(&'m Node, &'static Operator)>,
    constants: HashMap<&'m str, Tensor>,
    /// For each node, values that nothing after it needs.
    done: Vec<Vec<&'m str>>,
    weights: Weights,
    buffers: Buffers,
    most: usize,
}

impl<'m> Session<'m> {
    /// Makes a model ready.
    ///
    /// # Errors
    /// [`Error::Node`] for an operator that is not supported, or not in the model's operator set, or an input that comes from nowhere; the
    /// errors of reading constants.
    pub fn new(model: &'m Model) -> Result<Self, Error> {
        let graph = &model.graph;
        let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let opset = model.opsets.iter().find(|(domain, _)| own(domain));
        let opset = opset.map_or(1, |&(_, version)| version);
        let mut constants = HashMap::new();
        for initializer in &graph.initializers {
            constants.insert(initializer.name.as_str(), initializer.tensor()?);
        }
        let mut known: HashSet<&str> = constants.keys().copied().collect();
        known.extend(graph.inputs.iter().map(|input| input.name.as_str()));
        let mut nodes = Vec::new();
        let mut last_use: HashMap<&str, usize> = HashMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let found = if own(&node.domain) {
                operator(&node.operator)
            } else {
                None
            };
            let operator = found.ok_or_else(|| {
                node_error(node, "this operator is not supported (`quaver run --operators` lists those that are)")
            })?;
            check(node, operator, opset)?;
            for input in node.inputs.iter().filter(|name| !name.is_empty()) {
                if !known.contains(input.as_str()) {
                    return Err(node_error(
                        node,
                        format!("input {input} comes from nowhere"),
                    ));
                }
                last_use.insert(input, index);
            }
            known.extend(node.outputs.iter().map(String::as_str));
            nodes.push((node, operator));
        }
        for output in &graph.outputs {
            if !known.contains(output.name.as_str()) {
                let message = "comes from nowhere";
                return Err(Error::illegal("output", &output.name, message));
            }
            last_use.insert(&output.name, usize::MAX);
        }
        let mut done = vec![Vec::new(); nodes.len()];
        for (name, index) in last_use {
            if let Some(done) = done.get_mut(index) {
                done.push(name);
            }
        }
        Ok(Self {
            model,
            opset,
            nodes,
            constants,
            done,
            weights: Weights::default(),
            buffers: Buffers::default(),
            most: MOST_ELEMENTS,
        })
    }

    /// Sets the most elements that a node may make, and that all values of a run together may have
    /// beyond 64 for each element that the model and the run's inputs have; 2^28 where nothing is set.
    pub fn limit(&mut self, elements: usize) {
        self.most = elements;
    }

    /// Names of the inputs that a run has to be given.
    pub fn inputs(&self) -> impl Iterator<Item = &'m str> {
        let inputs = self
            .model
            .graph
            .inputs
            .iter()
            .map(|input| input.name.as_str());
        inputs.filter(|name| !self.constants.contains_key(name))
    }

    /// Names of the nodes whose products a plan decides about, with their operators.
    pub fn layers(&self) -> impl Iterator<Item = (&'m str, &'m str)> {
        let layers = self
            .nodes
            .iter()
            .filter(|(_, operator)| operator.is_product);
        layers.map(|(node, _)| (node.label(), node.operator.as_str()))
    }

    /// The numbers of each output channel of a node's constant weight; `None` where it has none.
    pub fn weight(&self, name: &str) -> Option<Vec<Vec<f32>>> {
        let (node, _) = self.nodes.iter().find(|(node, _)| node.label() == name)?;
        let Tensor::Float(values) = self.constants.get(node.inputs.get(1)?.as_str())? else {
            return None;
        };
        // Their second operands count as activations, whose axes are no channels.
        if matches!(node.operator.as_str(), "Attention" | "Einsum") {
            return None;
        }
        let transposed = matches!(node.attribute("transB"), Some(Attribute::Int(1..)));
        let axis = match node.operator.as_str() {
            "Conv" => 0,
            "Gemm" if transposed => 0,
            _ => values.ndim().checked_sub(1)?,
        };
        if axis >= values.ndim() {
            return None;
        }
        // Channels of a transposed convolution share columns of the product: one scale for all.
        let all = || vec![values.iter().copied().collect()];
        Some(match node.operator.as_str() {
            "ConvTranspose" | "Einsum" => all(),
            _ => values
                .axis_iter(Axis(axis))
                .map(|channel| channel.iter().copied().collect())
                .collect(),
        })
    }

    /// The constant weight of a node with products; `None` where it has none.
    pub fn constant(&self, name: &str) -> Option<&ArrayD<f32>> {
        let (node, _) = self.nodes.iter().find(|(node, _)| node.label() == name)?;
        match self.constants.get(node.inputs.get(1)?.as_str())? {
            Tensor::Float(values) => Some(values),
            _ => None,
        }
    }

    /// The numbers of each output channel of a node's constant weight, and how many columns of its
    /// products each channel has: one, but for a transposed convolution, where it has one a tap.
    pub fn columns(&self, name: &str) -> Option<(Vec<Vec<f32>>, usize)> {
        let (node, _) = self.nodes.iter().find(|(node, _)| node.label() == name)?;
        let values = self.constant(name)?;
        if node.operator == "MatMul" && values.ndim() == 1 {
            return Some((vec![values.iter().copied().collect()], 1));
        }
        if node.operator != "ConvTranspose" {
            return Some((self.weight(name)?, 1));
        }
        let groups = match node.attribute("group") {
            Some(Attribute::Int(groups)) => usize::try_from(*groups).ok()?,
            _ => 1,
        };
        let &[depth, per_group, ref taps @ ..] = values.shape() else {
            return None;
        };
        // Groups beyond the channels would be channels without end.
        let own = depth.checked_div(groups).filter(|own| *own > 0)?;
        let channel = |(group, filter)| -> Vec<f32> {
            let rows = (group * own)..((group + 1) * own);
            let rows = values.slice_axis(Axis(0), rows.into());
            rows.index_axis(Axis(1), filter).iter().copied().collect()
        };
        let channels = (0..groups).flat_map(|group| (0..per_group).map(move |f| (group, f)));
        Some((channels.map(channel).collect(), taps.iter().product()))
    }

    /// What a node multiplies its activation by before its product: Gemm's `alpha`, else 1.
    pub fn factor(&self, name: &str) -> f32 {
        let node = self.nodes.iter().find(|(node, _)| node.label() == name);
        match node.and_then(|(node, _)| node.attribute("alpha")) {
            Some(Attribute::Float(alpha)) => *alpha,
            _ => 1.0,
        }
    }

    /// The constant of that name.
    pub(crate) fn value(&self, name: &str) -> Option<&Tensor> {
        self.constants.get(name)
    }

    /// Puts other numbers in the place of a constant, and forgets codes of weights.
    ///
    /// # Panics
    /// Where the model has no constant of that name: only its own are trained.
    pub(crate) fn replace(&mut self, name: &str, values: ArrayD<f32>) {
        let place = self.constants.get_mut(name);
        *place.expect("a constant of the model") = Tensor::Float(values);
        self.forget();
    }

    /// Forgets codes of weights that another plan made.
    pub fn forget(&mut self) {
        self.weights = Weights::default();
    }

    /// Runs the model; the outputs in the graph's order. Runs of one plan keep the codes of constant
    /// weights: [`Session::forget`] before another plan.
    ///
    /// # Errors
    /// [`Error::Illegal`] for an input that is missing or unknown; [`Error::Node`] and
    /// [`Error::Engine`] with the node that could not be run.
    pub fn run(
        &mut self,
        inputs: BTreeMap<String, Tensor>,
        plan: &Plan,
        engine: &mut dyn Engine,
        hook: &mut dyn Hook,
    ) -> Result<Vec<(String, Tensor)>, Error> {
        let wanted: Vec<&str> = self.inputs().collect();
        for name in &wanted {
            if !inputs.contains_key(*name) {
                return Err(Error::illegal("input", name, "the run has to be given it"));
            }
        }
        if let Some(name) = inputs.keys().find(|name| !wanted.contains(&name.as_str())) {
            return Err(Error::illegal("input", name, wanted.join(", ")));
        }
        let mut values: HashMap<&str, Tensor> = HashMap::new();
        for (name, tensor) in inputs {
            let place = wanted.iter().find(|wanted| **wanted == name);
            values.insert(place.expect("it was just found"), tensor);
        }
        let given = values.values().chain(self.constants.values());
        let given = given.map(elements).fold(0, usize::saturating_add);
        let room = self.most.saturating_add(given.saturating_mul(64));
        let mut held = values.values().map(elements).sum::<usize>();
        let mut products =
            Products::new(plan, engine, hook, (&mut self.weights, &mut self.buffers));
        let awake = Awake::default();
        for (index, &(node, operator)) in self.nodes.iter().enumerate() {
            awake.call();
            let value = |name: &String| match name.as_str() {
                "" => None,
                name => values.get(name).or_else(|| self.constants.get(name)),
            };
            let operands: Vec<Option<&Tensor>> = node.inputs.iter().map(value).collect();
            let is_constant = |name: &String| self.constants.contains_key(name.as_str());
            let mut context = Context {
                node,
                opset: self.opset,
                products: &mut products,
                constant: node.inputs.iter().map(is_constant).collect(),
                most: self.most.min(room.saturating_sub(held)),
            };
            let results = (operator.run)(&mut context, &operands)?;
            products.hook.node(node, &results)?;
            for (name, tensor) in node.outputs.iter().zip(results) {
                held += elements(&tensor);
                let old = values.insert(name, tensor);
                held -= old.as_ref().map_or(0, elements);
            }
            for name in &self.done[index] {
                if let Some(value) = values.remove(name) {
                    held -= elements(&value);
                    products.buffers.give(value);
                }
            }
        }
        let outputs = self.model.graph.outputs.iter().map(|output| {
            let name = output.name.as_str();
            let value = values.remove(name);
            let value = value.or_else(|| self.constants.get(name).cloned());
            let value = value.ok_or_else(|| Error::illegal("output", name, "no node made it"))?;
            Ok((name.to_owned(), value))
        });
        outputs.collect()
    }
}

fn elements(tensor: &Tensor) -> usize {
    tensor.shape().iter().product()
}
