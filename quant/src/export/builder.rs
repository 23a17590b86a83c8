//! New nodes, constants and names of a graph.

use std::collections::HashSet;

use crate::onnx::{Attribute, Graph, Initializer, Node};
use crate::{Error, Tensor};

/// The nodes of a graph under way, and the constants that it gets.
pub(crate) struct Builder {
    /// Nodes in their order.
    pub(crate) nodes: Vec<Node>,
    constants: Vec<Initializer>,
    /// Every name that is taken, of tensors and of nodes, at any depth.
    names: HashSet<String>,
}

impl Builder {
    /// Without nodes, beside the names of a graph.
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut names = HashSet::new();
        for graph in graph.graphs() {
            for node in &graph.nodes {
                names.insert(node.name.clone());
                names.extend(node.inputs.iter().chain(&node.outputs).cloned());
            }
            let values = graph.inputs.iter().chain(&graph.outputs);
            names.extend(values.map(|value| value.name.clone()));
            names.extend(graph.initializers.iter().map(|x| x.name.clone()));
        }
        Self {
            nodes: Vec::new(),
            constants: Vec::new(),
            names,
        }
    }

    /// A name that nothing has: the wanted one, or with the first number behind it that is free.
    pub(crate) fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            name = format!("{wanted}.{number}");
            number += 1;
        }
        name
    }

    /// Adds a node of one output, whose name it returns.
    pub(crate) fn node(
        &mut self,
        operator: &str,
        base: &str,
        inputs: &[&str],
        attributes: Vec<(&str, Attribute)>,
    ) -> String {
        let output = self.name(&format!("{base}/{operator}_output"));
        self.node_to(operator, base, inputs, attributes, &output);
        output
    }

    /// Adds a node that makes a tensor of that name.
    pub(crate) fn node_to(
        &mut self,
        operator: &str,
        base: &str,
        inputs: &[&str],
        attributes: Vec<(&str, Attribute)>,
        output: &str,
    ) {
        let name = self.name(&format!("{base}/{operator}"));
        self.nodes.push(Node {
            name,
            operator: operator.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..Node::default()
        });
    }

    /// Adds a constant, and returns its name.
    ///
    /// # Errors
    /// Those of [`Initializer::new`].
    pub(crate) fn constant(&mut self, wanted: &str, tensor: &Tensor) -> Result<String, Error> {
        let name = self.name(wanted);
        self.constants.push(Initializer::new(&name, tensor)?);
        Ok(name)
    }

    /// Adds an FP32 number, a scalar.
    ///
    /// # Errors
    /// None in fact: FP32 numbers have an element type.
    pub(crate) fn number(&mut self, wanted: &str, value: f32) -> Result<String, Error> {
        self.constant(wanted, &Tensor::Float(ndarray::arr0(value).into_dyn()))
    }

    /// The nodes and the constants.
    pub(crate) fn finish(self) -> (Vec<Node>, Vec<Initializer>) {
        (self.nodes, self.constants)
    }
}
