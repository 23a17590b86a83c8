//! One product layer with its operands between pairs of nodes, exactly as `plan` means it.

use std::collections::HashMap;

use ndarray::ArrayD;

use super::builder::Builder;
use super::element;
use super::scale::{Of, Pair};
use super::scales::{LayerScales, OperandScale, OperandScales, QuantisedScales};
use super::weight::{self, Columns};
use crate::onnx::{Attribute, Initializer, Node};
use crate::plan::{Kept, Quantiser, ScalePlan};
use crate::scale::{Codec, max_value};
use crate::{ElementType, Error, Tensor};

/// The error of a layer that ONNX has no nodes for.
pub(super) fn refuse(node: &Node, what: &str) -> Error {
    Error::Node {
        node: node.label().to_owned(),
        operator: node.operator.clone(),
        message: format!("{what} cannot be exported"),
    }
}

/// Adds the nodes that round a result, given its name and the one that it gets.
type Round<'r> = &'r mut dyn FnMut(&mut Builder, &str, &str) -> Result<(), Error>;

/// What is rounded of a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounded {
    /// Each of its products.
    Products,
    /// Its result, of which they are terms.
    Result,
}

/// A product layer of the model.
pub(super) struct Layer<'m> {
    node: &'m Node,
    weight: Option<ArrayD<f32>>,
    /// The shape of a constant third operand.
    added: Option<&'m [usize]>,
}

impl<'m> Layer<'m> {
    pub(super) fn new(
        node: &'m Node,
        constants: &HashMap<&str, &'m Initializer>,
    ) -> Result<Self, Error> {
        let constant = |place: usize| {
            let name = node.inputs.get(place)?;
            constants.get(name.as_str()).copied()
        };
        let weight = match constant(1) {
            None => None,
            Some(tensor) if tensor.element == ElementType::Float => match tensor.tensor()? {
                Tensor::Float(values) if values.ndim() > 0 => Some(values),
                _ => return Err(refuse(node, "a weight without axes")),
            },
            Some(tensor) => {
                let what = format!("a weight of {}", tensor.element.name());
                return Err(refuse(node, &what));
            }
        };
        if node.inputs.len() < 2 {
            return Err(refuse(node, "a product of fewer than two operands"));
        }
        Ok(Self {
            node,
            weight,
            added: constant(2).map(|tensor| tensor.shape.as_slice()),
        })
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        match self.node.attribute(name) {
            Some(Attribute::Int(value)) => *value,
            _ => default,
        }
    }

    fn ints(&self, name: &str, places: usize) -> Vec<i64> {
        match self.node.attribute(name) {
            Some(Attribute::Ints(values)) => values.clone(),
            _ => vec![1; places],
        }
    }

    fn is(&self, operator: &str) -> bool {
        self.node.operator == operator
    }

    fn groups(&self) -> usize {
        usize::try_from(self.int("group", 1)).unwrap_or(1).max(1)
    }

    fn base(&self, operand: &str) -> String {
        format!("{}/{operand}", self.node.label())
    }

    /// The filter's lengths along the axes of places.
    fn kernel(&self) -> Option<Vec<i64>> {
        let weight = self.weight.as_ref().map(|weight| {
            let places = weight.shape().iter().skip(2);
            places.map(|&length| length as i64).collect()
        });
        weight.or_else(|| match self.node.attribute("kernel_shape") {
            Some(Attribute::Ints(values)) => Some(values.clone()),
            _ => None,
        })
    }

    /// A layer of a type: operands and result rounded to it.
    pub(super) fn keep(&self, kept: Kept, builder: &mut Builder) -> Result<LayerScales, Error> {
        let row = LayerScales::Kept {
            operator: self.node.operator.clone(),
            keep: kept.name(),
        };
        let to = match kept {
            Kept::Fp32 => {
                builder.nodes.push(self.node.clone());
                return Ok(row);
            }
            Kept::Fp16 => ElementType::Float16,
            Kept::Bf16 => ElementType::Bfloat16,
        };
        let cast = |to: ElementType| vec![("to", Attribute::Int(i64::from(to.number())))];
        let base = self.base("input");
        let a = self.scaled_input(builder)?;
        let a = builder.node("Cast", &base, &[&a], cast(to));
        let a = builder.node("Cast", &base, &[&a], cast(ElementType::Float));
        let base = self.base("weight");
        let narrow = match &self.weight {
            None => builder.node("Cast", &base, &[&self.node.inputs[1]], cast(to)),
            Some(weight) => {
                let format = to.format().expect("it has a row");
                let codec = Codec::with(&quaver_contract::Conversion::native(format))?;
                let values: Vec<f32> = weight.iter().copied().collect();
                let mut codes = vec![0u16; values.len()];
                codec.encode(&values, 1.0, &mut codes);
                let codes = ArrayD::from_shape_vec(weight.raw_dim(), codes);
                let codes = Tensor::Codes(to, codes.expect("as many codes"));
                builder.constant(&format!("{base}/{}", kept.name()), &codes)?
            }
        };
        let b = builder.node("Cast", &base, &[&narrow], cast(ElementType::Float));
        self.product(
            builder,
            &a,
            &b,
            Some((Rounded::Products, &mut |builder, y, output| {
                let base = self.base("output");
                let y = builder.node("Cast", &base, &[y], cast(to));
                builder.node_to("Cast", &base, &[&y], cast(ElementType::Float), output);
                Ok(())
            })),
        )?;
        Ok(row)
    }

    /// A quantised layer.
    pub(super) fn quantise(
        &self,
        input: &Quantiser,
        weight: &Quantiser,
        output: Option<&Quantiser>,
        builder: &mut Builder,
    ) -> Result<LayerScales, Error> {
        let (a, input) = self.input(input, builder)?;
        let (b, weight) = self.weight(weight, builder)?;
        let mut row = QuantisedScales {
            operator: self.node.operator.clone(),
            input,
            weight,
            output: None,
        };
        match output {
            None => self.product(builder, &a, &b, None)?,
            Some(quantiser) => {
                let (element, operand) = self.operand(quantiser, "output")?;
                row.output = Some(operand);
                let base = self.base("output");
                let pair = Pair {
                    base: &base,
                    element,
                };
                self.product(
                    builder,
                    &a,
                    &b,
                    Some((Rounded::Result, &mut |builder, y, output| {
                        self.output(builder, &pair, quantiser, y, output)
                    })),
                )?;
            }
        }
        Ok(LayerScales::Quantised(Box::new(row)))
    }

    /// The element type of an operand, and what is said of it.
    fn operand(
        &self,
        quantiser: &Quantiser,
        operand: &str,
    ) -> Result<(ElementType, OperandScales), Error> {
        let format = quantiser.conversion.format;
        let element = element(format.name).ok_or_else(|| {
            let key = format!("layers.{}.{operand}.format", self.node.label());
            let allowed = "formats with an element type of ONNX: e4m3fn, e5m2, e4m3fnuz, e5m2fnuz, \
                e2m1fn, int8, int4";
            Error::illegal(key, format.name, allowed)
        })?;
        let scale = match &quantiser.scale {
            ScalePlan::Tensor(scale) => OperandScale::Tensor(*scale),
            ScalePlan::Channels(scales) => OperandScale::Several(scales.clone()),
            ScalePlan::DynamicTensor => OperandScale::Dynamic("dynamic"),
            ScalePlan::DynamicLines => OperandScale::Dynamic("dynamic-lines"),
            ScalePlan::DynamicPercentile { .. } => {
                return Err(refuse(self.node, "a scale of a percentile"));
            }
            ScalePlan::Blocks(_) => return Err(refuse(self.node, "scales of blocks")),
        };
        Ok((element, OperandScales::new(format.name, element, scale)))
    }

    /// The first operand; of Gemm times its alpha, which comes before the quantiser.
    fn scaled_input(&self, builder: &mut Builder) -> Result<String, Error> {
        let x = self.node.inputs[0].clone();
        match self.node.attribute("alpha") {
            Some(Attribute::Float(alpha)) if self.is("Gemm") && *alpha != 1.0 => {
                let base = self.base("input");
                let alpha = builder.number(&format!("{base}/alpha"), *alpha)?;
                Ok(builder.node("Mul", &base, &[&alpha, &x], Vec::new()))
            }
            _ => Ok(x),
        }
    }

    fn input(
        &self,
        quantiser: &Quantiser,
        builder: &mut Builder,
    ) -> Result<(String, OperandScales), Error> {
        let (element, row) = self.operand(quantiser, "input")?;
        let x = self.scaled_input(builder)?;
        let base = self.base("input");
        let pair = Pair {
            base: &base,
            element,
        };
        let largest = max_value(quantiser.conversion.format);
        let convolution = self.is("Conv") || self.is("ConvTranspose");
        if convolution && self.groups() > 1 && quantiser.scale == ScalePlan::DynamicLines {
            return Err(refuse(
                self.node,
                "a dynamic input scale for each group and place",
            ));
        }
        let kernel = self.kernel().unwrap_or_default();
        let point = !kernel.is_empty() && kernel.iter().all(|&length| length == 1);
        let of = match &quantiser.scale {
            ScalePlan::Tensor(scale) => {
                let name = pair.constant(builder, &x, &[*scale], None, None)?;
                return Ok((name, row));
            }
            ScalePlan::Channels(_) => {
                return Err(refuse(self.node, "an input scale for each output channel"));
            }
            ScalePlan::DynamicTensor => Of::All,
            ScalePlan::DynamicPercentile { .. } | ScalePlan::Blocks(_) => {
                unreachable!("such an operand was refused")
            }
            ScalePlan::DynamicLines => match self.node.operator.as_str() {
                "MatMul" => Of::Axes(&[-1]),
                "Gemm" if self.int("transA", 0) != 0 => Of::Axes(&[0]),
                "Gemm" | "ConvTranspose" => Of::Axes(&[1]),
                _ if point => Of::Axes(&[1]),
                _ => {
                    return Err(refuse(
                        self.node,
                        "a dynamic scale for each place of a filter",
                    ));
                }
            },
        };
        Ok((pair.dynamic(builder, &x, of, largest, None)?, row))
    }

    fn weight(
        &self,
        quantiser: &Quantiser,
        builder: &mut Builder,
    ) -> Result<(String, OperandScales), Error> {
        let (element, mut row) = self.operand(quantiser, "weight")?;
        let base = self.base("weight");
        let pair = Pair {
            base: &base,
            element,
        };
        if let Some(values) = &self.weight {
            let columns = match self.node.operator.as_str() {
                "Conv" => Columns::Filters(self.groups()),
                "ConvTranspose" => Columns::Elements(self.groups()),
                "Gemm" if self.int("transB", 0) != 0 => Columns::Along { axis: 0, batch: 0 },
                _ => Columns::Along {
                    axis: values.ndim() - 1,
                    batch: values.ndim().saturating_sub(2),
                },
            };
            let groups = match columns {
                Columns::Along { .. } => 1,
                Columns::Filters(groups) | Columns::Elements(groups) => groups,
            };
            if values.shape()[0] % groups != 0 {
                return Err(refuse(self.node, "a weight that its groups do not divide"));
            }
            let scales = weight::scales(values, quantiser, &columns)?;
            if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
                let key = format!("layers.{}.weight.scale", self.node.label());
                return Err(Error::illegal(key, scale, "positive, finite numbers"));
            }
            let (codes, numbers) = weight::quantise(builder, &pair, values, &scales, quantiser)?;
            row.initializer = Some(codes);
            row.scale = match scales.len() {
                1 => OperandScale::Tensor(scales.first().copied().unwrap_or(1.0)),
                _ => OperandScale::Several(scales.iter().copied().collect()),
            };
            if scales.len() > 1 {
                row.shape = scales.shape().to_vec();
            }
            return Ok((numbers, row));
        }
        let x = &self.node.inputs[1];
        let largest = max_value(quantiser.conversion.format);
        let transposed = self.int("transB", 0) != 0;
        let of = match (&quantiser.scale, self.node.operator.as_str()) {
            (ScalePlan::Tensor(scale), _) => {
                let name = pair.constant(builder, x, &[*scale], None, None)?;
                return Ok((name, row));
            }
            (ScalePlan::Channels(scales), operator @ ("MatMul" | "Gemm" | "Conv")) => {
                let axis = match operator {
                    "MatMul" => -1,
                    "Gemm" if !transposed => 1,
                    _ => 0,
                };
                let name = pair.constant(builder, x, scales, Some(axis), None)?;
                return Ok((name, row));
            }
            (ScalePlan::DynamicTensor, _) => Of::All,
            (ScalePlan::DynamicLines, "MatMul") => Of::Axes(&[-2]),
            (ScalePlan::DynamicLines, "Gemm") if transposed => Of::Axes(&[1]),
            (ScalePlan::DynamicLines, "Gemm") => Of::Axes(&[0]),
            _ => {
                return Err(refuse(
                    self.node,
                    "these scales of a weight that is no constant",
                ));
            }
        };
        Ok((pair.dynamic(builder, x, of, largest, None)?, row))
    }

    fn output(
        &self,
        builder: &mut Builder,
        pair: &Pair<'_>,
        quantiser: &Quantiser,
        y: &str,
        output: &str,
    ) -> Result<(), Error> {
        let largest = max_value(quantiser.conversion.format);
        match &quantiser.scale {
            ScalePlan::Tensor(scale) => {
                pair.constant(builder, y, &[*scale], None, Some(output))?;
            }
            ScalePlan::DynamicTensor if self.is("ConvTranspose") || self.groups() > 1 => {
                return Err(refuse(self.node, "a dynamic output scale for each product"));
            }
            ScalePlan::DynamicTensor => {
                pair.dynamic(builder, y, Of::All, largest, Some(output))?;
            }
            _ => {
                return Err(refuse(self.node, "several output scales"));
            }
        }
        Ok(())
    }

    /// The layer's node with other operands. An output quantiser rounds its whole result; a type rounds
    /// that of each product, before Gemm's C of several rows and ConvTranspose's bias are added.
    fn product(
        &self,
        builder: &mut Builder,
        a: &str,
        b: &str,
        round: Option<(Rounded, Round<'_>)>,
    ) -> Result<(), Error> {
        let mut node = self.node.clone();
        if node.inputs.len() < 2 || node.outputs.is_empty() {
            return Err(refuse(
                self.node,
                "a layer of fewer than two inputs or no output",
            ));
        }
        node.inputs[0] = a.to_owned();
        node.inputs[1] = b.to_owned();
        if self.is("Gemm") {
            node.attributes.retain(|(name, _)| name != "alpha");
        }
        let Some((rounded, round)) = round else {
            builder.nodes.push(node);
            return Ok(());
        };
        let output = node.outputs[0].clone();
        let base = self.base("output");
        let has_third = node.inputs.get(2).is_some_and(|name| !name.is_empty());
        let after = match self.node.operator.as_str() {
            _ if rounded == Rounded::Result => false,
            "ConvTranspose" => {
                let kernel = self.kernel().ok_or_else(|| {
                    refuse(
                        self.node,
                        "a result that is rounded, of filters of unknown shape,",
                    )
                })?;
                let strides = self.ints("strides", kernel.len());
                let dilations = self.ints("dilations", kernel.len());
                let lengths = kernel.iter().zip(&dilations).map(|(k, d)| (k - 1) * d + 1);
                if lengths
                    .zip(&strides)
                    .any(|(length, &stride)| length > stride)
                {
                    let what = "a rounded result whose terms overlap and are added after it";
                    return Err(refuse(self.node, what));
                }
                has_third
            }
            "Gemm" if has_third => match self.added {
                None => {
                    return Err(refuse(
                        self.node,
                        "a rounded result with a C that is no constant",
                    ));
                }
                Some(shape) => shape.len() == 2 && shape[0] != 1,
            },
            _ => false,
        };
        if !after {
            node.outputs[0] = builder.name(&format!("{base}/product"));
            let product = node.outputs[0].clone();
            builder.nodes.push(node);
            return round(builder, &product, &output);
        }
        let third = node.inputs.remove(2);
        let beta = match node.attribute("beta") {
            Some(Attribute::Float(beta)) => *beta,
            _ => 1.0,
        };
        node.attributes.retain(|(name, _)| name != "beta");
        node.outputs[0] = builder.name(&format!("{base}/product"));
        let product = node.outputs[0].clone();
        builder.nodes.push(node);
        let rounded = builder.name(&format!("{base}/rounded"));
        round(builder, &product, &rounded)?;
        let added = match self.is("Gemm") {
            true if beta == 1.0 => third,
            true => {
                let beta = builder.number(&format!("{base}/beta"), beta)?;
                builder.node("Mul", &base, &[&beta, &third], Vec::new())
            }
            false => {
                let places = self.kernel().map_or(0, |kernel| kernel.len());
                let mut shape = vec![1; places + 2];
                shape[1] = -1;
                let shape = ndarray::Array1::from_vec(shape).into_dyn();
                let shape = Tensor::Int(ElementType::Int64, shape);
                let shape = builder.constant(&format!("{base}/shape"), &shape)?;
                builder.node("Reshape", &base, &[&third, &shape], Vec::new())
            }
        };
        builder.node_to("Add", &base, &[&rounded, &added], Vec::new(), &output);
        Ok(())
    }
}
