//! Pairs of nodes that quantise and dequantise, with constant scales and with those of a run.

use ndarray::{ArrayD, IxDyn, arr1};

use super::builder::Builder;
use crate::onnx::Attribute;
use crate::{ElementType, Error, Tensor};

/// The zero points of a type: as many as there are scales.
pub(crate) fn zeros(element: ElementType, shape: &[usize]) -> Tensor {
    match element.is_integer() {
        true => Tensor::Int(element, ArrayD::zeros(IxDyn(shape))),
        false => Tensor::Codes(element, ArrayD::zeros(IxDyn(shape))),
    }
}

/// Where a pair of nodes stands: what it quantises to, and the beginning of its names.
pub(crate) struct Pair<'b> {
    pub(crate) base: &'b str,
    pub(crate) element: ElementType,
}

/// What a dynamic scale is of.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// The whole tensor.
    All,
    /// Each place of the other axes.
    Axes(&'a [i64]),
}

impl Pair<'_> {
    /// The name of a constant or node of it.
    fn at(&self, what: &str) -> String {
        format!("{}/{what}", self.base)
    }

    /// Numbers quantised and back, by scales that are constants; several lie along an axis.
    pub(crate) fn constant(
        &self,
        builder: &mut Builder,
        x: &str,
        scales: &[f32],
        axis: Option<i64>,
        output: Option<&str>,
    ) -> Result<String, Error> {
        let (scale, shape) = match axis {
            None => (ndarray::arr0(scales[0]).into_dyn(), Vec::new()),
            Some(_) => (arr1(scales).into_dyn(), vec![scales.len()]),
        };
        let scale = builder.constant(&self.at("scale"), &Tensor::Float(scale))?;
        let attributes = || {
            let axis = axis.map(|axis| ("axis", Attribute::Int(axis)));
            axis.into_iter().collect::<Vec<_>>()
        };
        let mut to = attributes();
        let mut inputs = vec![x, &scale];
        let zero;
        if self.element == ElementType::Float4E2m1 {
            // A zero point would be added, and -0 become +0.
            let number = i64::from(self.element.number());
            to.push(("output_dtype", Attribute::Int(number)));
        } else {
            zero = builder.constant(&self.at("zero"), &zeros(self.element, &shape))?;
            inputs.push(&zero);
        }
        let codes = builder.node("QuantizeLinear", self.base, &inputs, to);
        Ok(self.back(builder, &codes, &scale, attributes(), output))
    }

    /// Codes as numbers.
    pub(crate) fn back(
        &self,
        builder: &mut Builder,
        codes: &str,
        scale: &str,
        attributes: Vec<(&str, Attribute)>,
        output: Option<&str>,
    ) -> String {
        let inputs = [codes, scale];
        match output {
            None => builder.node("DequantizeLinear", self.base, &inputs, attributes),
            Some(output) => {
                builder.node_to("DequantizeLinear", self.base, &inputs, attributes, output);
                output.to_owned()
            }
        }
    }

    /// Numbers quantised and back by scales that the run finds: `RNE32(amax / largest)`, 1 where that
    /// is 0. The scales may have any shape, so the division and the product are nodes of their own.
    pub(crate) fn dynamic(
        &self,
        builder: &mut Builder,
        x: &str,
        of: Of<'_>,
        largest: f32,
        output: Option<&str>,
    ) -> Result<String, Error> {
        let magnitude = builder.node("Abs", self.base, &[x], Vec::new());
        // False of infinity and of NaN.
        let limit = builder.number(&self.at("largest_finite"), f32::MAX)?;
        let finite = builder.node("LessOrEqual", self.base, &[&magnitude, &limit], Vec::new());
        let zero = builder.number(&self.at("nothing"), 0.0)?;
        let magnitude = builder.node(
            "Where",
            self.base,
            &[&finite, &magnitude, &zero],
            Vec::new(),
        );
        let mut amax = |axes: Option<&[i64]>| -> Result<String, Error> {
            let axes = match axes {
                None => None,
                Some(axes) => {
                    let axes = Tensor::Int(ElementType::Int64, arr1(axes).into_dyn());
                    Some(builder.constant(&self.at("axes"), &axes)?)
                }
            };
            let mut inputs = vec![magnitude.as_str()];
            inputs.extend(axes.as_deref());
            Ok(builder.node("ReduceMax", self.base, &inputs, Vec::new()))
        };
        let amax = match of {
            Of::All => amax(None)?,
            Of::Axes(axes) => amax(Some(axes))?,
        };
        let largest = builder.number(&self.at("largest"), largest)?;
        let quotient = builder.node("Div", self.base, &[&amax, &largest], Vec::new());
        let none = builder.node("Equal", self.base, &[&quotient, &zero], Vec::new());
        let one = builder.number(&self.at("one"), 1.0)?;
        let scale = builder.node("Where", self.base, &[&none, &one, &quotient], Vec::new());
        let divided = builder.node("Div", self.base, &[x, &scale], Vec::new());
        let rounded = self.constant(builder, &divided, &[1.0], None, None)?;
        let inputs = [rounded.as_str(), scale.as_str()];
        Ok(match output {
            None => builder.node("Mul", self.base, &inputs, Vec::new()),
            Some(output) => {
                builder.node_to("Mul", self.base, &inputs, Vec::new(), output);
                output.to_owned()
            }
        })
    }
}
