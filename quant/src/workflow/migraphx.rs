//! AMD MIGraphX's pass from OCP to FNUZ, for matrix units that have E4M3FNUZ alone.
//!
//! Products (MatMul, Gemm, Conv) whose two operands are DequantizeLinear of FLOAT8E4M3FN with constant
//! scales and zero points get codes of FLOAT8E4M3FNUZ: the same bits, which stand for half the number, but
//! 0x80 (-0) becomes 0x00 and 7F and FF (NaN) become 0x80. Doubled scales, or the product times 4, make
//! up for it. Source: AMDMIGraphX, `fp8_ocp_to_fnuz`. Two of its defects are not taken over: it turns -0
//! into NaN, as it looks for 0x80 by comparing a NaN, and it lets a doubled scale overflow.
//!
//! Inputs and outputs of the model keep their types: codes that a run is given, or that another node
//! makes, go through Cast and a QuantizeLinear of scale 2, which is exact. A QuantizeLinear that matched
//! products alone read becomes one of FNUZ, behind a Clip to what OCP saturates at.

mod codes;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub use codes::{ConstantRow, fnuz_code};
use codes::{FNUZ, OCP, check, doubled, floats};
use serde::Serialize;

use crate::export::builder::Builder;
use crate::export::{constants, is_own, remove_unused, used};
use crate::onnx::{Attribute, Initializer, Model, Node};
use crate::scale::max_value;
use crate::{ElementType, Error, Tensor};

/// What makes up for codes that stand for half their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compensate {
    /// Scales of DequantizeLinear are doubled.
    Scale,
    /// The product is multiplied by 4: Gemm's alpha, or a Mul behind the node.
    Result,
}

impl Compensate {
    /// Every choice with its name.
    pub const ALL: &'static [(Self, &'static str)] =
        &[(Self::Scale, "scale"), (Self::Result, "result")];
}

/// What was done to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Products whose operands are FNUZ now.
    pub products: Vec<String>,
    /// Constants whose codes were converted.
    pub constants: Vec<ConstantRow>,
    /// Nodes QuantizeLinear that make FNUZ now.
    pub quantizers: usize,
    /// Tensors that are converted by nodes: inputs of the model among them.
    pub converted_by_nodes: usize,
    /// Products with an operand of FP8 that stay as they are, and why.
    pub left_alone: Vec<LeftRow>,
}

/// A product that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftRow {
    /// Its name.
    pub node: String,
    /// Why.
    pub reason: String,
}

/// An operand that matches: the DequantizeLinear behind it.
#[derive(Clone, Copy)]
struct Matched {
    product: usize,
    place: usize,
    dequantize: usize,
}

/// A pass over a model.
struct Pass<'m> {
    model: &'m Model,
    constants: HashMap<&'m str, &'m Initializer>,
    /// The node that makes a tensor.
    makers: HashMap<&'m str, usize>,
    builder: Builder,
    nodes: Vec<Node>,
    /// New nodes before one of the original's.
    before: BTreeMap<usize, Vec<Node>>,
    /// New nodes behind one.
    behind: BTreeMap<usize, Vec<Node>>,
    /// Converted codes by the name of the original.
    codes: HashMap<String, String>,
    report: Report,
}

/// Converts a model.
///
/// # Errors
/// [`Error::Illegal`] for a scale whose double, or an alpha whose fourfold, is beyond binary32, a bias
/// whose quarter is not exact, and a constant whose values would change.
pub fn convert(model: &Model, compensate: Compensate) -> Result<(Model, Report), Error> {
    let graph = &model.graph;
    let mut makers = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        makers.extend(node.outputs.iter().map(|output| (output.as_str(), index)));
    }
    let mut pass = Pass {
        model,
        constants: constants(graph),
        makers,
        builder: Builder::new(graph),
        nodes: graph.nodes.clone(),
        before: BTreeMap::new(),
        behind: BTreeMap::new(),
        codes: HashMap::new(),
        report: Report::default(),
    };
    let matched = pass.matches();
    pass.operands(&matched, compensate)?;
    if compensate == Compensate::Result {
        let products: BTreeSet<usize> = matched.iter().map(|row| row.product).collect();
        for product in products {
            pass.multiply(product)?;
        }
    }
    let report = pass.report.clone();
    Ok((pass.finish(), report))
}

impl Pass<'_> {
    /// The type of a DequantizeLinear's codes, where the model says it.
    fn element(&self, node: &Node) -> Option<ElementType> {
        let constant = |name: &String| self.constants.get(name.as_str()).map(|x| x.element);
        let inputs = &self.model.graph.inputs;
        let x = node.inputs.first()?;
        let given = || inputs.iter().find(|input| input.name == *x)?.element;
        let made = || {
            let maker = &self.model.graph.nodes[*self.makers.get(x.as_str())?];
            let attribute = match maker.operator.as_str() {
                "QuantizeLinear" => match maker.inputs.get(2).filter(|name| !name.is_empty()) {
                    Some(zero) => return constant(zero),
                    None => "output_dtype",
                },
                "Cast" => "to",
                _ => return None,
            };
            match maker.attribute(attribute)? {
                Attribute::Int(number) => ElementType::from_number(i32::try_from(*number).ok()?),
                _ => None,
            }
        };
        let zero = node.inputs.get(2).and_then(constant);
        zero.or_else(|| constant(x)).or_else(given).or_else(made)
    }

    /// The DequantizeLinear behind an operand.
    fn dequantize(&self, name: &str) -> Option<usize> {
        let index = *self.makers.get(name)?;
        let node = &self.model.graph.nodes[index];
        (is_own(&node.domain) && node.operator == "DequantizeLinear").then_some(index)
    }

    /// Why an operand does not match; `None` where it does.
    fn obstacle(&self, name: &str) -> Option<String> {
        let Some(index) = self.dequantize(name) else {
            return Some(format!("operand {name} comes from no DequantizeLinear"));
        };
        let node = &self.model.graph.nodes[index];
        match self.element(node) {
            Some(OCP) => {}
            Some(other) => return Some(format!("operand {name} is {}", other.name())),
            None => return Some(format!("the codes of operand {name} have no known type")),
        }
        let scale = node
            .inputs
            .get(1)
            .and_then(|name| self.constants.get(name.as_str()));
        match scale {
            None => return Some(format!("the scale of operand {name} is no constant")),
            Some(scale) if scale.element != ElementType::Float => {
                let element = scale.element.name();
                return Some(format!("the scale of operand {name} is {element}"));
            }
            Some(_) => {}
        }
        match node.inputs.get(2).filter(|name| !name.is_empty()) {
            None => None,
            Some(zero) => match self.constants.get(zero.as_str()) {
                None => Some(format!("the zero point of operand {name} is no constant")),
                Some(zero) if zero.bytes.iter().any(|&code| code != 0) => {
                    Some(format!("the zero point of operand {name} is not 0"))
                }
                Some(_) => None,
            },
        }
    }

    /// Operands of the products that match; the others with an operand of FP8 go to the report.
    fn matches(&mut self) -> Vec<Matched> {
        let mut matched = Vec::new();
        for (product, node) in self.model.graph.nodes.iter().enumerate() {
            let is_product = matches!(node.operator.as_str(), "Conv" | "Gemm" | "MatMul");
            let (true, true, [a, b, ..]) = (is_product, is_own(&node.domain), &node.inputs[..])
            else {
                continue;
            };
            let fp8 = |name: &str| {
                let node = self.dequantize(name).map(|at| &self.model.graph.nodes[at]);
                let element = node.and_then(|node| self.element(node));
                element.is_some_and(|element| element.name().starts_with("FLOAT8"))
            };
            if !fp8(a) && !fp8(b) {
                continue;
            }
            if let Some(reason) = self.obstacle(a).or_else(|| self.obstacle(b)) {
                let node = node.label().to_owned();
                self.report.left_alone.push(LeftRow { node, reason });
                continue;
            }
            self.report.products.push(node.label().to_owned());
            for (place, name) in [a, b].into_iter().enumerate() {
                let dequantize = self.dequantize(name).expect("it was found above");
                matched.push(Matched {
                    product,
                    place,
                    dequantize,
                });
            }
        }
        matched
    }

    /// How often a tensor is read, by nodes at any depth and as an output of the model.
    fn uses(&self, name: &str) -> usize {
        let graphs = self.model.graph.graphs();
        let of = |names: &[String]| names.iter().filter(|other| *other == name).count();
        let nodes = graphs.iter().flat_map(|graph| &graph.nodes);
        let outputs = graphs.iter().flat_map(|graph| &graph.outputs);
        nodes.map(|node| of(&node.inputs)).sum::<usize>()
            + outputs.filter(|output| output.name == name).count()
    }

    /// Gives every matched operand a DequantizeLinear of FNUZ: its own, or a copy where others read it.
    fn operands(&mut self, matched: &[Matched], compensate: Compensate) -> Result<(), Error> {
        let dequantizers: BTreeSet<usize> = matched.iter().map(|row| row.dequantize).collect();
        let alone: HashSet<usize> = dequantizers
            .iter()
            .copied()
            .filter(|&index| {
                let own = matched.iter().filter(|row| row.dequantize == index);
                self.uses(&self.model.graph.nodes[index].outputs[0]) == own.count()
            })
            .collect();
        for &index in &dequantizers {
            let original = &self.model.graph.nodes[index];
            let codes = self.converted(index, &alone)?;
            let mut node = original.clone();
            node.inputs[0] = codes;
            let scale = self.constants[original.inputs[1].as_str()];
            let scales = floats(scale)?;
            if compensate == Compensate::Scale {
                let doubled = doubled(scale)?;
                let wanted = format!("{}/doubled", scale.name);
                node.inputs[1] = self.builder.constant(&wanted, &doubled)?;
            }
            if let Some(zero) = node.inputs.get_mut(2).filter(|name| !name.is_empty()) {
                let shape = &self.constants[zero.as_str()].shape;
                let zeros = Tensor::Codes(FNUZ, ndarray::ArrayD::zeros(shape.as_slice()));
                *zero = self.builder.constant(&format!("{zero}/fnuz"), &zeros)?;
            }
            if let Some(constant) = self.constants.get(original.inputs[0].as_str()) {
                let row = check(constant, &scales)?;
                match self
                    .report
                    .constants
                    .iter_mut()
                    .find(|x| x.name == row.name)
                {
                    Some(known) => known.compared += row.compared,
                    None => self.report.constants.push(row),
                }
            }
            if alone.contains(&index) {
                self.nodes[index] = node;
                continue;
            }
            let base = original.label().to_owned();
            node.name = self.builder.name(&format!("{base}/fnuz"));
            node.outputs[0] = self.builder.name(&format!("{base}/fnuz_output"));
            for row in matched.iter().filter(|row| row.dequantize == index) {
                self.nodes[row.product].inputs[row.place] = node.outputs[0].clone();
            }
            self.behind.entry(index).or_default().push(node);
        }
        Ok(())
    }

    /// The name of a DequantizeLinear's codes in FNUZ.
    fn converted(&mut self, index: usize, alone: &HashSet<usize>) -> Result<String, Error> {
        let name = &self.model.graph.nodes[index].inputs[0];
        if let Some(known) = self.codes.get(name) {
            return Ok(known.clone());
        }
        let converted = if let Some(constant) = self.constants.get(name.as_str()) {
            let codes = constant.bytes.iter().map(|&code| fnuz_code(code).into());
            let codes = ndarray::ArrayD::from_shape_vec(constant.shape.as_slice(), codes.collect());
            let codes = codes.map_err(|error| Error::illegal(name, error, "whole tensors"))?;
            let codes = Tensor::Codes(FNUZ, codes);
            self.builder.constant(&format!("{name}/fnuz"), &codes)?
        } else if let Some(converted) = self.quantizer(name, alone)? {
            self.report.quantizers += 1;
            converted
        } else {
            self.report.converted_by_nodes += 1;
            let float = vec![("to", Attribute::Int(i64::from(ElementType::Float.number())))];
            let base = format!("{name}/fnuz");
            let numbers = self.builder.node("Cast", &base, &[name], float);
            let two = self.builder.number(&format!("{base}/scale"), 2.0)?;
            let zero = Tensor::Codes(FNUZ, ndarray::arr0(0).into_dyn());
            let zero = self.builder.constant(&format!("{base}/zero"), &zero)?;
            let inputs = [numbers.as_str(), &two, &zero];
            let codes = self
                .builder
                .node("QuantizeLinear", &base, &inputs, Vec::new());
            let nodes = std::mem::take(&mut self.builder.nodes);
            self.before.entry(index).or_default().extend(nodes);
            codes
        };
        self.codes.insert(name.clone(), converted.clone());
        Ok(converted)
    }

    /// Makes the QuantizeLinear behind a tensor one of FNUZ, where nothing else reads it and it has one
    /// constant scale; the name of what it makes then.
    fn quantizer(&mut self, name: &str, alone: &HashSet<usize>) -> Result<Option<String>, Error> {
        let Some(&index) = self.makers.get(name) else {
            return Ok(None);
        };
        let node = &self.model.graph.nodes[index];
        let constant = |place: usize| {
            let name = node.inputs.get(place)?;
            self.constants.get(name.as_str()).copied()
        };
        let nodes = self.model.graph.nodes.iter().enumerate();
        let own = nodes.filter(|(at, node)| alone.contains(at) && node.inputs[0] == name);
        let (Some(scale), Some(zero)) = (constant(1), constant(2)) else {
            return Ok(None);
        };
        let saturates = !matches!(node.attribute("saturate"), Some(Attribute::Int(0)));
        let fits = node.operator == "QuantizeLinear"
            && is_own(&node.domain)
            && scale.element == ElementType::Float
            && scale.elements() == 1
            && scale.shape.is_empty()
            && zero.bytes.iter().all(|&code| code == 0)
            && saturates
            && self.uses(name) == own.count();
        if !fits {
            return Ok(None);
        }
        let value = floats(scale)?[0];
        let doubled = doubled(scale)?;
        let base = format!("{}/fnuz", node.label());
        let mut changed = node.clone();
        // Beyond this OCP saturates, and FNUZ by the same scale goes further.
        let limit = max_value(OCP.format().expect("it has a row")) * value;
        if limit.is_finite() {
            let low = self.builder.number(&format!("{base}/low"), -limit)?;
            let high = self.builder.number(&format!("{base}/high"), limit)?;
            let inputs = [changed.inputs[0].as_str(), &low, &high];
            let clipped = self.builder.node("Clip", &base, &inputs, Vec::new());
            changed.inputs[0] = clipped;
            let nodes = std::mem::take(&mut self.builder.nodes);
            self.before.entry(index).or_default().extend(nodes);
        }
        changed.inputs[1] = self
            .builder
            .constant(&format!("{}/doubled", scale.name), &doubled)?;
        let zero = Tensor::Codes(FNUZ, ndarray::arr0(0).into_dyn());
        changed.inputs[2] = self.builder.constant(&format!("{base}/zero"), &zero)?;
        // Another name, since the file may say that the old one is OCP.
        changed.outputs[0] = self.builder.name(&format!("{name}/fnuz"));
        changed
            .attributes
            .retain(|(name, _)| name != "output_dtype");
        let made = changed.outputs[0].clone();
        self.nodes[index] = changed;
        Ok(Some(made))
    }

    /// Multiplies a product by 4, its bias apart.
    fn multiply(&mut self, index: usize) -> Result<(), Error> {
        let mut node = self.nodes[index].clone();
        let base = format!("{}/fnuz", node.label());
        if node.operator == "Gemm" {
            let alpha = match node.attribute("alpha") {
                Some(Attribute::Float(alpha)) => *alpha,
                _ => 1.0,
            };
            let four = 4.0 * alpha;
            if !four.is_finite() {
                let key = format!("alpha of {}", node.label());
                return Err(Error::illegal(
                    key,
                    alpha,
                    "numbers whose fourfold is finite",
                ));
            }
            node.attributes.retain(|(name, _)| name != "alpha");
            node.attributes
                .push(("alpha".to_owned(), Attribute::Float(four)));
            self.nodes[index] = node;
            return Ok(());
        }
        if let Some(bias) = node.inputs.get(2).filter(|name| !name.is_empty()).cloned() {
            node.inputs[2] = match self.constants.get(bias.as_str()) {
                Some(constant) => {
                    let values = floats(constant)?;
                    if let Some(value) = values.iter().find(|&&x| x * 0.25 * 4.0 != x) {
                        let allowed = "numbers whose quarter is exact; use --compensate scale";
                        return Err(Error::illegal(format!("bias {bias}"), value, allowed));
                    }
                    let Tensor::Float(values) = constant.tensor()? else {
                        return Err(Error::illegal(&bias, constant.element.name(), "FLOAT"));
                    };
                    let quarter = Tensor::Float(values.mapv(|value| value * 0.25));
                    self.builder.constant(&format!("{base}/bias"), &quarter)?
                }
                None => {
                    let quarter = self.builder.number(&format!("{base}/quarter"), 0.25)?;
                    let scaled = self
                        .builder
                        .node("Mul", &base, &[&bias, &quarter], Vec::new());
                    let nodes = std::mem::take(&mut self.builder.nodes);
                    self.before.entry(index).or_default().extend(nodes);
                    scaled
                }
            };
        }
        let output = node.outputs[0].clone();
        node.outputs[0] = self.builder.name(&format!("{base}/quarter_output"));
        let four = self.builder.number(&format!("{base}/four"), 4.0)?;
        let inputs = [node.outputs[0].as_str(), &four];
        self.builder
            .node_to("Mul", &base, &inputs, Vec::new(), &output);
        let nodes = std::mem::take(&mut self.builder.nodes);
        self.behind.entry(index).or_default().extend(nodes);
        self.nodes[index] = node;
        Ok(())
    }

    fn finish(mut self) -> Model {
        let before = used(&self.model.graph);
        let mut model = self.model.clone();
        let mut nodes = Vec::new();
        for (index, node) in self.nodes.into_iter().enumerate() {
            nodes.extend(self.before.remove(&index).unwrap_or_default());
            nodes.push(node);
            nodes.extend(self.behind.remove(&index).unwrap_or_default());
        }
        model.graph.nodes = nodes;
        let (_, constants) = self.builder.finish();
        model.graph.initializers.extend(constants);
        remove_unused(&mut model.graph, &before);
        model
    }
}
