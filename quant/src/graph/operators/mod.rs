//! The operators, one file a family. Adding one is a row of [`TABLE`] and its function.

mod attention;
mod convolution;
mod einsum;
mod elementwise;
mod index;
mod matrix;
mod normalise;
mod pool;
mod quantise;
mod reduce;
mod shape;

use super::context::Context;
use crate::{Error, Tensor};

/// What an operator does: its outputs from its inputs, of which optional ones may be missing.
type Run = fn(&mut Context<'_, '_>, &[Option<&Tensor>]) -> Result<Vec<Tensor>, Error>;

/// An operator of ONNX's own domain.
#[derive(Debug)]
pub(crate) struct Operator {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it is a matrix product, which a plan decides about.
    pub(crate) is_product: bool,
    /// What it does.
    pub(crate) run: Run,
}

const fn product(name: &'static str, run: Run) -> Operator {
    Operator {
        name,
        is_product: true,
        run,
    }
}

const fn other(name: &'static str, run: Run) -> Operator {
    Operator {
        name,
        is_product: false,
        run,
    }
}

/// Every operator, by name.
static TABLE: &[Operator] = &[
    other("Abs", |c, i| elementwise::unary(c, i, f32::abs)),
    other("Add", elementwise::add),
    other("And", |c, i| elementwise::logic(c, i, |a, b| a & b)),
    other("ArgMax", reduce::arg_max),
    product("Attention", attention::attention),
    other("AveragePool", pool::average),
    other("BatchNormalization", normalise::batch),
    other("Cast", shape::cast),
    other("Clip", elementwise::clip),
    other("Concat", shape::concat),
    other("Constant", shape::constant),
    other("ConstantOfShape", shape::constant_of_shape),
    product("Conv", convolution::conv),
    product("ConvTranspose", convolution::conv_transpose),
    other("DequantizeLinear", quantise::dequantize),
    other("Div", elementwise::div),
    other("Dropout", shape::dropout),
    product("Einsum", einsum::einsum),
    other("Equal", |c, i| elementwise::compare(c, i, |a, b| a == b)),
    other("Erf", |c, i| elementwise::unary(c, i, libm::erff)),
    other("Exp", |c, i| elementwise::unary(c, i, f32::exp)),
    other("Expand", shape::expand),
    other("Flatten", shape::flatten),
    other("Gather", index::gather),
    other("Gelu", elementwise::gelu),
    product("Gemm", matrix::gemm),
    other("GlobalAveragePool", pool::global_average),
    other("Greater", |c, i| elementwise::compare(c, i, |a, b| a > b)),
    other("GreaterOrEqual", |c, i| {
        elementwise::compare(c, i, |a, b| a >= b)
    }),
    other("Identity", shape::identity),
    other("LayerNormalization", normalise::layer),
    other("LeakyRelu", elementwise::leaky_relu),
    other("Less", |c, i| elementwise::compare(c, i, |a, b| a < b)),
    other("LessOrEqual", |c, i| {
        elementwise::compare(c, i, |a, b| a <= b)
    }),
    other("Log", |c, i| elementwise::unary(c, i, f32::ln)),
    product("MatMul", matrix::matmul),
    other("Max", elementwise::max),
    other("MaxPool", pool::max),
    other("Min", elementwise::min),
    other("Mul", elementwise::mul),
    other("Neg", elementwise::neg),
    other("Not", elementwise::not),
    other("Or", |c, i| elementwise::logic(c, i, |a, b| a | b)),
    other("Pad", index::pad),
    other("Pow", elementwise::pow),
    other("QuantizeLinear", quantise::quantize),
    other("Reciprocal", |c, i| elementwise::unary(c, i, f32::recip)),
    other("ReduceMax", reduce::max),
    other("ReduceMean", reduce::mean),
    other("ReduceSum", reduce::sum),
    other("Relu", elementwise::relu),
    other("Reshape", shape::reshape),
    other("Shape", shape::shape),
    other("Sigmoid", |c, i| {
        elementwise::unary(c, i, |x| 1.0 / (1.0 + (-x).exp()))
    }),
    other("Slice", index::slice),
    other("Softmax", normalise::softmax),
    other("Split", index::split),
    other("Sqrt", |c, i| elementwise::unary(c, i, f32::sqrt)),
    other("Squeeze", shape::squeeze),
    other("Sub", elementwise::sub),
    other("Tanh", |c, i| elementwise::unary(c, i, f32::tanh)),
    other("Transpose", shape::transpose),
    other("Unsqueeze", shape::unsqueeze),
    other("Where", elementwise::select),
];

/// The operator of that name.
pub(crate) fn operator(name: &str) -> Option<&'static Operator> {
    TABLE.iter().find(|operator| operator.name == name)
}

/// Names of the operators that are supported, and which are products.
pub fn supported() -> impl Iterator<Item = (&'static str, bool)> {
    TABLE
        .iter()
        .map(|operator| (operator.name, operator.is_product))
}
