//! The operators, one file a family. Adding one is a row of [`TABLE`] and its function.

mod activation;
mod attention;
mod convolution;
mod einsum;
mod elementwise;
mod generate;
mod groups;
mod index;
mod matrix;
mod normalise;
mod number;
mod pick;
mod pool;
mod quantise;
mod reduce;
mod rotary;
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
    other("ArgMin", reduce::arg_min),
    product("Attention", attention::attention),
    other("AveragePool", pool::average),
    other("BatchNormalization", normalise::batch),
    other("Cast", shape::cast),
    other("Ceil", |c, i| elementwise::unary(c, i, f32::ceil)),
    other("Celu", activation::celu),
    other("Clip", elementwise::clip),
    other("Concat", shape::concat),
    other("Constant", shape::constant),
    other("ConstantOfShape", shape::constant_of_shape),
    product("Conv", convolution::conv),
    product("ConvTranspose", convolution::conv_transpose),
    other("Cos", |c, i| elementwise::unary(c, i, f32::cos)),
    other("CumSum", generate::cum_sum),
    other("DepthToSpace", pick::depth_to_space),
    other("DequantizeLinear", quantise::dequantize),
    other("Div", elementwise::div),
    other("Dropout", shape::dropout),
    other("DynamicQuantizeLinear", quantise::dynamic),
    product("Einsum", einsum::einsum),
    other("Elu", activation::elu),
    other("Equal", |c, i| elementwise::compare(c, i, |a, b| a == b)),
    other("Erf", |c, i| elementwise::unary(c, i, libm::erff)),
    other("Exp", |c, i| elementwise::unary(c, i, f32::exp)),
    other("Expand", shape::expand),
    other("Flatten", shape::flatten),
    other("Floor", |c, i| elementwise::unary(c, i, f32::floor)),
    other("Gather", index::gather),
    other("GatherElements", pick::gather_elements),
    other("GatherND", pick::gather_nd),
    other("Gelu", elementwise::gelu),
    product("Gemm", matrix::gemm),
    other("GlobalAveragePool", pool::global_average),
    other("Greater", |c, i| elementwise::compare(c, i, |a, b| a > b)),
    other("GreaterOrEqual", |c, i| {
        elementwise::compare(c, i, |a, b| a >= b)
    }),
    other("GroupNormalization", groups::group),
    other("HardSigmoid", activation::hard_sigmoid),
    other("HardSwish", |c, i| {
        elementwise::unary(c, i, activation::hard_swish)
    }),
    other("Identity", shape::identity),
    other("InstanceNormalization", groups::instance),
    other("IsInf", number::is_inf),
    other("IsNaN", number::is_nan),
    other("LayerNormalization", normalise::layer),
    other("LeakyRelu", elementwise::leaky_relu),
    other("Less", |c, i| elementwise::compare(c, i, |a, b| a < b)),
    other("LessOrEqual", |c, i| {
        elementwise::compare(c, i, |a, b| a <= b)
    }),
    other("Log", |c, i| elementwise::unary(c, i, f32::ln)),
    other("LogSoftmax", groups::log_softmax),
    other("LpNormalization", groups::lp),
    product("MatMul", matrix::matmul),
    other("Max", elementwise::max),
    other("MaxPool", pool::max),
    other("Mean", number::mean),
    other("Min", elementwise::min),
    other("Mish", |c, i| elementwise::unary(c, i, activation::mish)),
    other("Mod", number::modulo),
    other("Mul", elementwise::mul),
    other("Neg", elementwise::neg),
    other("Not", elementwise::not),
    other("OneHot", generate::one_hot),
    other("Or", |c, i| elementwise::logic(c, i, |a, b| a | b)),
    other("PRelu", activation::prelu),
    other("Pad", index::pad),
    other("Pow", elementwise::pow),
    other("QuantizeLinear", quantise::quantize),
    other("RMSNormalization", groups::rms),
    other("Range", generate::range),
    other("Reciprocal", |c, i| elementwise::unary(c, i, f32::recip)),
    other("ReduceL1", reduce::l1),
    other("ReduceL2", reduce::l2),
    other("ReduceLogSum", reduce::log_sum),
    other("ReduceLogSumExp", reduce::log_sum_exp),
    other("ReduceMax", reduce::max),
    other("ReduceMean", reduce::mean),
    other("ReduceMin", reduce::min),
    other("ReduceProd", reduce::product),
    other("ReduceSum", reduce::sum),
    other("ReduceSumSquare", reduce::sum_square),
    other("Relu", elementwise::relu),
    other("Reshape", shape::reshape),
    other("RotaryEmbedding", rotary::rotary),
    other("Round", |c, i| {
        elementwise::unary(c, i, f32::round_ties_even)
    }),
    other("Selu", activation::selu),
    other("Shape", shape::shape),
    other("Sigmoid", |c, i| {
        elementwise::unary(c, i, |x| 1.0 / (1.0 + (-x).exp()))
    }),
    other("Sign", number::sign),
    other("Sin", |c, i| elementwise::unary(c, i, f32::sin)),
    other("Size", generate::size),
    other("Slice", index::slice),
    other("Softmax", normalise::softmax),
    other("Softplus", |c, i| {
        elementwise::unary(c, i, activation::softplus)
    }),
    other("Softsign", |c, i| {
        elementwise::unary(c, i, activation::softsign)
    }),
    other("SpaceToDepth", pick::space_to_depth),
    other("Split", index::split),
    other("Sqrt", |c, i| elementwise::unary(c, i, f32::sqrt)),
    other("Squeeze", shape::squeeze),
    other("Sub", elementwise::sub),
    other("Sum", number::sum),
    other("Swish", activation::swish),
    other("Tanh", |c, i| elementwise::unary(c, i, f32::tanh)),
    other("ThresholdedRelu", activation::thresholded_relu),
    other("Tile", generate::tile),
    other("TopK", pick::top_k),
    other("Transpose", shape::transpose),
    other("Trilu", generate::trilu),
    other("Unsqueeze", shape::unsqueeze),
    other("Where", elementwise::select),
    other("Xor", |c, i| elementwise::logic(c, i, |a, b| a ^ b)),
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
