//! A plan written into the model: the same layers in ONNX's own QuantizeLinear and DequantizeLinear.
//!
//! - [`mod@self`]: the model, and what was done to it;
//! - `layer`: one product layer and its operands;
//! - `weight`: constant weights as codes;
//! - `scale`: pairs of nodes, with scales that are constants or found at run time;
//! - [`opset`]: what raising a model's operator set would change;
//! - [`scales`]: the JSON beside the model;
//! - `builder`: new nodes, constants and names.
//!
//! What ONNX cannot say exactly as `plan` means it is refused, naming the layer. Accumulators have no
//! place in ONNX: a runtime adds as it does.

pub(crate) mod builder;
mod layer;
pub mod opset;
mod scale;
pub mod scales;
mod weight;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::builder::Builder;
use self::layer::Layer;
use self::scales::{LayerScales, ScalesFile};
use crate::onnx::{Graph, Initializer, Model};
use crate::plan::{Kept, LayerPlan, Plan};
use crate::{ElementType, Error};

/// Products whose two operands are their first inputs as they are, around which nodes can be put.
const WITH_NODES: [&str; 4] = ["Conv", "ConvTranspose", "Gemm", "MatMul"];

/// A model that says what a plan says, and what was done for it.
#[derive(Debug)]
pub struct Exported {
    /// The model.
    pub model: Model,
    /// Formats and scales of every product layer.
    pub scales: ScalesFile,
    /// How many nodes it has more than the original.
    pub nodes: usize,
}

/// Whether a domain is ONNX's own.
pub(crate) fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// The version of ONNX's own operators that a model uses.
pub(crate) fn version(model: &Model) -> i64 {
    let own = model.opsets.iter().find(|(domain, _)| is_own(domain));
    own.map_or(1, |&(_, version)| version)
}

/// The constants that no run replaces, by name: those that are no inputs of the graph as well.
pub(crate) fn constants(graph: &Graph) -> HashMap<&str, &Initializer> {
    let inputs: HashSet<&str> = graph.inputs.iter().map(|x| x.name.as_str()).collect();
    let own = graph.initializers.iter();
    own.filter(|tensor| !inputs.contains(tensor.name.as_str()))
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect()
}

/// Names of tensors that something reads: nodes, at any depth, and the graph's outputs.
pub(crate) fn used(graph: &Graph) -> HashSet<String> {
    let mut used = HashSet::new();
    for graph in graph.graphs() {
        used.extend(graph.nodes.iter().flat_map(|node| node.inputs.clone()));
        used.extend(graph.outputs.iter().map(|output| output.name.clone()));
    }
    used
}

/// Removes constants that were read and are no more.
pub(crate) fn remove_unused(graph: &mut Graph, before: &HashSet<String>) {
    let after = used(graph);
    let inputs: HashSet<String> = graph.inputs.iter().map(|x| x.name.clone()).collect();
    graph.initializers.retain(|tensor| {
        let name = &tensor.name;
        after.contains(name) || !before.contains(name) || inputs.contains(name)
    });
}

/// Raises the versions of the file format and of ONNX's operators to what a model needs.
///
/// # Errors
/// Those of [`opset::raise`].
fn raise(model: &mut Model, wanted: i64) -> Result<(), Error> {
    opset::raise(model, wanted)?;
    // The file formats that came with the versions: ONNX, docs/Versioning.md.
    let file = match version(model) {
        23.. => 11,
        21.. => 10,
        19.. => 9,
        _ => 4,
    };
    model.ir_version = model.ir_version.max(file);
    Ok(())
}

/// Writes a plan into a model.
///
/// # Errors
/// [`Error::Illegal`] for a layer of the plan that the model lacks, a format without an ONNX element
/// type, and scales that are none; [`Error::Node`] for a layer whose meaning ONNX has no nodes for, and a
/// node that a raised operator set would change.
pub fn export(model: &Model, plan: &Plan) -> Result<Exported, Error> {
    let graph = &model.graph;
    let is_product = |node: &&crate::onnx::Node| {
        let mut products = crate::graph::supported().filter(|operator| operator.is_product);
        is_own(&node.domain) && products.any(|operator| operator.name == node.operator)
    };
    let layers: Vec<&str> = graph
        .nodes
        .iter()
        .filter(is_product)
        .map(|node| node.label())
        .collect();
    if let Some(name) = plan
        .layers
        .keys()
        .find(|name| !layers.contains(&name.as_str()))
    {
        return Err(Error::illegal("layer", name, layers.join(", ")));
    }
    let inner = graph.graphs().into_iter().skip(1);
    if let Some(node) = inner.flat_map(|graph| &graph.nodes).find(is_product)
        && plan.default != LayerPlan::Keep(Kept::Fp32)
    {
        return Err(layer::refuse(node, "products within a graph's attribute"));
    }
    let before = used(graph);
    let constants = constants(graph);
    let mut builder = Builder::new(graph);
    let mut scales = BTreeMap::new();
    let mut wanted = 0;
    for node in &graph.nodes {
        if !is_product(&node) {
            builder.nodes.push(node.clone());
            continue;
        }
        let plan = plan.layer(node.label());
        if !WITH_NODES.contains(&node.operator.as_str()) && *plan != LayerPlan::Keep(Kept::Fp32) {
            return Err(layer::refuse(node, "an operator with products within it"));
        }
        let layer = Layer::new(node, &constants)?;
        let row = match plan {
            LayerPlan::Keep(kept) => layer.keep(*kept, &mut builder)?,
            LayerPlan::Quantised {
                input,
                weight,
                output,
            } => layer.quantise(input, weight, output.as_ref(), &mut builder)?,
            LayerPlan::Dequantised { .. } => {
                return Err(layer::refuse(node, "a layer that is computed on the host"));
            }
        };
        wanted = wanted.max(match (&row, plan) {
            (LayerScales::Quantised(row), _) => row.opset(),
            (_, LayerPlan::Keep(Kept::Fp32)) => 0,
            // Cast to BFLOAT16.
            _ => 13,
        });
        scales.insert(node.label().to_owned(), row);
    }
    let nodes = builder.nodes.len() - graph.nodes.len();
    let mut exported = model.clone();
    let (new_nodes, new_constants) = builder.finish();
    exported.graph.nodes = new_nodes;
    exported.graph.initializers.extend(new_constants);
    remove_unused(&mut exported.graph, &before);
    if wanted > 0 {
        raise(&mut exported, wanted)?;
    }
    Ok(Exported {
        model: exported,
        scales: ScalesFile {
            accumulator: plan.accumulator.name().to_owned(),
            layers: scales,
        },
        nodes,
    })
}

/// ONNX's element type for codes of a format; `None` for formats that it lacks.
pub fn element(format: &str) -> Option<ElementType> {
    const CODES: [ElementType; 7] = [
        ElementType::Float8E4m3fn,
        ElementType::Float8E5m2,
        ElementType::Float8E4m3fnuz,
        ElementType::Float8E5m2fnuz,
        ElementType::Float4E2m1,
        ElementType::Int8,
        ElementType::Int4,
    ];
    let found = CODES.iter().find(|element| {
        let row = element.format();
        row.is_some_and(|row| row.name == format)
    });
    found.copied()
}
