//! What an ONNX file says: its messages as plain data (onnx.proto of ONNX 1.22).
//!
//! Fields that nothing here reads (documentation, metadata, functions, devices, sparse tensors, ...) are
//! kept as the file has them in `rest`, and written again. Documentation and metadata of tensors and
//! attributes, and denotations of types, are dropped.

use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

use crate::ElementType;

/// A model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Version of the file format.
    pub ir_version: i64,
    /// The tool that wrote it.
    pub producer: String,
    /// Versions of operator sets by domain; the empty domain is ONNX's own.
    pub opsets: Vec<(String, i64)>,
    /// The graph.
    pub graph: Graph,
    /// Fields of the message that are not read.
    pub rest: Vec<u8>,
}

/// A graph: nodes in an order in which every input exists before its use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Constant tensors.
    pub initializers: Vec<Initializer>,
    /// What a run is given; names of initializers among them are defaults.
    pub inputs: Vec<ValueInfo>,
    /// What a run returns.
    pub outputs: Vec<ValueInfo>,
    /// Fields of the message that are not read, and constants of types that [`ElementType`] lacks.
    pub rest: Vec<u8>,
}

impl Graph {
    /// This graph and those in attributes of its nodes, at any depth.
    pub fn graphs(&self) -> Vec<&Self> {
        let mut graphs = vec![self];
        let mut next = 0;
        while let Some(&graph) = graphs.get(next) {
            let attributes = graph.nodes.iter().flat_map(|node| &node.attributes);
            graphs.extend(attributes.filter_map(|(_, attribute)| match attribute {
                Attribute::Graph(graph) => Some(graph),
                _ => None,
            }));
            next += 1;
        }
        graphs
    }

    /// Every tensor of its [`Graph::graphs`]: initializers, and attributes.
    pub fn tensors(&self) -> Vec<&Initializer> {
        let mut tensors = Vec::new();
        for graph in self.graphs() {
            tensors.extend(&graph.initializers);
            let attributes = graph.nodes.iter().flat_map(|node| &node.attributes);
            tensors.extend(attributes.filter_map(|(_, attribute)| match attribute {
                Attribute::Tensor(tensor) => Some(tensor),
                _ => None,
            }));
        }
        tensors
    }
}

/// One operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its name, which may be empty.
    pub name: String,
    /// Its operator.
    pub operator: String,
    /// The operator's domain.
    pub domain: String,
    /// Names of its inputs; an empty one is an optional input left out.
    pub inputs: Vec<String>,
    /// Names of its outputs; likewise.
    pub outputs: Vec<String>,
    /// Its attributes by name.
    pub attributes: Vec<(String, Attribute)>,
    /// Fields of the message that are not read.
    pub rest: Vec<u8>,
}

impl Node {
    /// The name by which plans and messages mean the node: its own, else that of its first output.
    pub fn label(&self) -> &str {
        match self.name.as_str() {
            "" => self.outputs.first().map_or("", String::as_str),
            name => name,
        }
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, attribute)| attribute)
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// One FP32 number.
    Float(f32),
    /// One integer.
    Int(i64),
    /// Text, or bytes that need not be any.
    String(Vec<u8>),
    /// A tensor.
    Tensor(Initializer),
    /// A graph, as branches and loops have it.
    Graph(Graph),
    /// FP32 numbers.
    Floats(Vec<f32>),
    /// Integers.
    Ints(Vec<i64>),
    /// Texts.
    Strings(Vec<Vec<u8>>),
    /// Any other kind, as the message in the file: lists of tensors or graphs, sparse tensors, types,
    /// references to a function's attribute, and tensors of types that [`ElementType`] lacks.
    Other(Vec<u8>),
}

/// A constant tensor as the file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Initializer {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: ElementType,
    /// Its lengths, the outermost first.
    pub shape: Vec<usize>,
    /// Its elements, little-endian in C order: as long as type and shape say.
    pub bytes: Bytes,
}

/// Bytes in memory, or in a file that is mapped there.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// Bytes of their own.
    Owned(Vec<u8>),
    /// Part of a mapped file.
    Mapped(Arc<Mmap>, Range<usize>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(file, range) => &file[range.clone()],
        }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Name, type and shape of an input or output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements, where the file says one.
    pub element: Option<ElementType>,
    /// Its lengths, where the file says how many there are.
    pub shape: Option<Vec<Dimension>>,
    /// Fields of the message that are not read; with them a type that is no tensor's, or has elements
    /// that [`ElementType`] lacks.
    pub rest: Vec<u8>,
}

/// A length in a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Always the same.
    Fixed(usize),
    /// Decided by a run; the name may be empty.
    Symbolic(String),
}
