//! `quaver model`: what an ONNX file says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use quaver_quant::ElementType;
use quaver_quant::onnx::{self, Dimension, Initializer, Model, ValueInfo};
use serde::Serialize;

use crate::console;
use crate::error::CliError;

const EXAMPLES: &str = "\
Nodes and tensors of branches and loops count as well, and so do tensors in attributes (`Constant`).
Tensors beside the model are read from its folder. Bytes are those of the elements, as the file has
them.

EXAMPLES:
  quaver model resnet50.onnx
  quaver model resnet50.onnx --json | jq .bytes";

/// Arguments of `quaver model`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ModelArgs {
    /// The model
    #[arg(value_name = "FILE.onnx")]
    file: PathBuf,

    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    ir_version: i64,
    producer: String,
    opsets: Vec<Opset>,
    graph: String,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    nodes: usize,
    operators: Vec<Operator>,
    tensors: Vec<Tensor>,
    types: Vec<Type>,
    /// Elements of all tensors.
    elements: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Opset {
    domain: String,
    version: i64,
}

#[derive(Serialize)]
struct Value {
    name: String,
    /// `null` where it is no tensor, or one of strings or complex numbers.
    #[serde(rename = "type")]
    element: Option<&'static str>,
    /// `null` where the file does not say how many lengths there are.
    shape: Option<Vec<Length>>,
}

/// A number; or the name of a length that a run decides, which may be empty.
#[derive(Serialize)]
#[serde(untagged)]
enum Length {
    Fixed(usize),
    Symbolic(String),
}

#[derive(Serialize)]
struct Operator {
    domain: String,
    operator: String,
    count: usize,
}

#[derive(Serialize)]
struct Tensor {
    /// Empty for those in attributes that have none.
    name: String,
    #[serde(rename = "type")]
    element: &'static str,
    shape: Vec<usize>,
    bytes: usize,
}

#[derive(Serialize)]
struct Type {
    #[serde(rename = "type")]
    element: &'static str,
    tensors: usize,
    elements: u64,
    bytes: u64,
}

/// Prints what the model has.
///
/// # Errors
/// [`CliError`] naming the file, and the byte and field of what is wrong in it.
pub(crate) fn run(args: &ModelArgs) -> Result<(), CliError> {
    let model = onnx::read(&args.file).map_err(CliError::model(&args.file))?;
    let report = Report::new(&model);
    match args.json {
        true => console::print_json(&report),
        false => console::print(&report.text()),
    }
}

impl Report {
    fn new(model: &Model) -> Self {
        let graph = &model.graph;
        let mut operators = BTreeMap::new();
        for graph in graph.graphs() {
            for node in &graph.nodes {
                *operators.entry((&node.operator, &node.domain)).or_insert(0) += 1;
            }
        }
        let operators = operators.into_iter();
        let operators = operators.map(|((operator, domain), count)| Operator {
            domain: domain.clone(),
            operator: operator.clone(),
            count,
        });
        let mut operators: Vec<Operator> = operators.collect();
        // The sort is stable: equal counts stay in the order of names.
        operators.sort_by_key(|row| std::cmp::Reverse(row.count));
        let tensors = graph.tensors();
        let types = ElementType::ALL.iter().filter_map(|&element| {
            let tensors = tensors.iter().filter(|tensor| tensor.element == element);
            let row = tensors.fold((0, 0, 0), |(count, elements, bytes), tensor| {
                let (n, b) = (tensor.elements() as u64, tensor.bytes.len() as u64);
                (count + 1, elements + n, bytes + b)
            });
            let (tensors, elements, bytes) = row;
            (tensors > 0).then_some(Type {
                element: element.name(),
                tensors,
                elements,
                bytes,
            })
        });
        let types: Vec<Type> = types.collect();
        let opsets = model.opsets.iter();
        Self {
            ir_version: model.ir_version,
            producer: model.producer.clone(),
            opsets: opsets
                .map(|(domain, version)| Opset {
                    domain: domain.clone(),
                    version: *version,
                })
                .collect(),
            graph: graph.name.clone(),
            inputs: graph.inputs.iter().map(Value::new).collect(),
            outputs: graph.outputs.iter().map(Value::new).collect(),
            nodes: operators.iter().map(|row| row.count).sum(),
            operators,
            tensors: tensors.into_iter().map(Tensor::new).collect(),
            elements: types.iter().map(|row| row.elements).sum(),
            bytes: types.iter().map(|row| row.bytes).sum(),
            types,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("IR version {}", self.ir_version);
        if !self.producer.is_empty() {
            text += &format!(", by {}", printable(&self.producer));
        }
        for Opset { domain, version } in &self.opsets {
            let domain = if domain.is_empty() { "ai.onnx" } else { domain };
            text += &format!(", {} {version}", printable(domain));
        }
        text.push('\n');
        let values = |values: &[Value]| values.iter().map(Value::cells).collect();
        let heading = ["name", "type", "shape"];
        text += &table("inputs", &heading, values(&self.inputs));
        text += &table("outputs", &heading, values(&self.outputs));
        let operators = self.operators.iter().map(|row| {
            let name = match row.domain.as_str() {
                "" => printable(&row.operator),
                domain => printable(&format!("{domain}.{}", row.operator)),
            };
            vec![name, row.count.to_string()]
        });
        let title = format!("nodes: {}", self.nodes);
        text += &table(&title, &["operator", "nodes"], operators.collect());
        let tensors = self.tensors.iter().map(|row| {
            let (name, shape) = (printable(&row.name), lengths(&row.shape));
            let element = row.element.to_owned();
            vec![name, element, shape, row.bytes.to_string()]
        });
        let title = format!("tensors: {}", self.tensors.len());
        let heading = ["name", "type", "shape", "bytes"];
        text += &table(&title, &heading, tensors.collect());
        let types = self.types.iter().map(|row| {
            let numbers = [row.tensors as u64, row.elements, row.bytes];
            let numbers = numbers.iter().map(u64::to_string);
            [row.element.to_owned()]
                .into_iter()
                .chain(numbers)
                .collect()
        });
        let title = format!("elements: {} in {} bytes", self.elements, self.bytes);
        let heading = ["type", "tensors", "elements", "bytes"];
        text + &table(&title, &heading, types.collect())
    }
}

impl Value {
    fn new(value: &ValueInfo) -> Self {
        let length = |dimension: &Dimension| match dimension {
            Dimension::Fixed(length) => Length::Fixed(*length),
            Dimension::Symbolic(name) => Length::Symbolic(name.clone()),
        };
        let shape = value.shape.as_ref();
        Self {
            name: value.name.clone(),
            element: value.element.map(ElementType::name),
            shape: shape.map(|shape| shape.iter().map(length).collect()),
        }
    }

    fn cells(&self) -> Vec<String> {
        let length = |length: &Length| match length {
            Length::Fixed(length) => length.to_string(),
            Length::Symbolic(name) if name.is_empty() => "?".to_owned(),
            Length::Symbolic(name) => printable(name),
        };
        let shape = self.shape.as_ref();
        let shape = shape.map(|shape| lengths(&shape.iter().map(length).collect::<Vec<_>>()));
        vec![
            printable(&self.name),
            self.element.unwrap_or("other").to_owned(),
            shape.unwrap_or_else(|| "?".to_owned()),
        ]
    }
}

impl Tensor {
    fn new(tensor: &Initializer) -> Self {
        Self {
            name: tensor.name.clone(),
            element: tensor.element.name(),
            shape: tensor.shape.clone(),
            bytes: tensor.bytes.len(),
        }
    }
}

/// A title and rows, or the title with `none`.
fn table(title: &str, heading: &[&str], mut rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return format!("\n{title}\n  none\n");
    }
    rows.insert(0, heading.iter().map(|&cell| cell.to_owned()).collect());
    for row in &mut rows {
        row[0].insert_str(0, "  ");
    }
    format!("\n{title}\n{}", console::columns(&rows))
}

/// Lengths in a cell; a scalar has none.
fn lengths(shape: &[impl ToString]) -> String {
    match shape {
        [] => "scalar".to_owned(),
        lengths => {
            let lengths: Vec<String> = lengths.iter().map(ToString::to_string).collect();
            lengths.join(" x ")
        }
    }
}

/// Text of a file for a terminal, which control characters would reach.
fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}
