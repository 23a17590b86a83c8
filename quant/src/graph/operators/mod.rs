//! The operators, one file a family. Adding one is a row of [`TABLE`] and its function.

mod activation;
mod attention;
pub(crate) mod convolution;
mod einsum;
mod elementwise;
mod functions;
mod generate;
mod groups;
mod index;
mod matrix;
mod normalise;
mod number;
mod pick;
pub(crate) mod pool;
mod quantise;
mod reduce;
mod rotary;
mod shape;
mod version;

use super::context::Context;
use crate::{Error, Tensor};
pub(crate) use version::check;

/// What an operator does: its outputs from its inputs, of which optional ones may be missing.
type Run = fn(&mut Context<'_, '_>, &[Option<&Tensor>]) -> Result<Vec<Tensor>, Error>;

/// An operator of ONNX's own domain.
#[derive(Debug)]
pub struct Operator {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a matrix product, which a plan decides about.
    pub is_product: bool,
    /// The first operator set in which it means what it does here; older ones are refused.
    pub since: i64,
    /// What of it is supported, where that is not everything; Markdown.
    pub note: &'static str,
    /// What it does.
    pub(crate) run: Run,
}

const fn product(name: &'static str, since: i64, note: &'static str, run: Run) -> Operator {
    Operator {
        name,
        is_product: true,
        since,
        note,
        run,
    }
}

const fn other(name: &'static str, since: i64, note: &'static str, run: Run) -> Operator {
    Operator {
        name,
        is_product: false,
        since,
        note,
        run,
    }
}

/// Every operator, by name.
static TABLE: &[Operator] = &[
    other("Abs", 1, "", |c, i| elementwise::unary(c, i, f32::abs)),
    other("Add", 7, "", elementwise::add),
    other("And", 7, "", |c, i| elementwise::logic(c, i, |a, b| a & b)),
    other("ArgMax", 1, "", reduce::arg_max),
    other("ArgMin", 1, "", reduce::arg_min),
    product(
        "Attention",
        23,
        "softmax in FP32 only",
        attention::attention,
    ),
    other("AveragePool", 1, "one or two axes of places", pool::average),
    other(
        "BatchNormalization",
        7,
        "inference; before opset 9 `spatial` = 1",
        normalise::batch,
    ),
    other(
        "Cast",
        6,
        "between FP32, integers and truth values",
        shape::cast,
    ),
    other(
        "CastLike",
        15,
        "between FP32, integers and truth values",
        shape::cast_like,
    ),
    other("Ceil", 1, "", |c, i| elementwise::unary(c, i, f32::ceil)),
    other("Celu", 12, "", activation::celu),
    other("Clip", 1, "FP32 and integers", elementwise::clip),
    other("Concat", 4, "", shape::concat),
    other("Constant", 1, "", shape::constant),
    other("ConstantOfShape", 9, "", shape::constant_of_shape),
    product("Conv", 1, "one or two axes of places", convolution::conv),
    product(
        "ConvTranspose",
        1,
        "one or two axes of places; before opset 11 without `output_shape` and `SAME`",
        convolution::conv_transpose,
    ),
    other("Cos", 7, "", |c, i| elementwise::unary(c, i, f32::cos)),
    other("CumSum", 11, "", generate::cum_sum),
    other("DepthToSpace", 1, "", pick::depth_to_space),
    other(
        "DequantizeLinear",
        10,
        "scales in FP32",
        quantise::dequantize,
    ),
    other("Div", 7, "", elementwise::div),
    other("Dropout", 7, "inference", shape::dropout),
    other("DynamicQuantizeLinear", 11, "", quantise::dynamic),
    product(
        "Einsum",
        12,
        "one operand, or two that are a batched product",
        einsum::einsum,
    ),
    other("Elu", 1, "", activation::elu),
    other("Equal", 7, "", |c, i| {
        elementwise::compare(c, i, |a, b| a == b)
    }),
    other("Erf", 9, "", |c, i| {
        elementwise::looped(c, i, functions::errors)
    }),
    other("Exp", 1, "", |c, i| {
        elementwise::looped(c, i, functions::exponentials)
    }),
    other("Expand", 8, "", shape::expand),
    other("Flatten", 1, "", shape::flatten),
    other("Floor", 1, "", |c, i| elementwise::unary(c, i, f32::floor)),
    other("Gather", 1, "", index::gather),
    other("GatherElements", 11, "", pick::gather_elements),
    other("GatherND", 11, "", pick::gather_nd),
    other("Gelu", 20, "", elementwise::gelu),
    product("Gemm", 7, "", matrix::gemm),
    other("GlobalAveragePool", 1, "", pool::global_average),
    other("Greater", 7, "", |c, i| {
        elementwise::compare(c, i, |a, b| a > b)
    }),
    other("GreaterOrEqual", 12, "", |c, i| {
        elementwise::compare(c, i, |a, b| a >= b)
    }),
    other("GroupNormalization", 18, "", groups::group),
    other("HardSigmoid", 1, "", activation::hard_sigmoid),
    other("HardSwish", 14, "", |c, i| {
        elementwise::unary(c, i, activation::hard_swish)
    }),
    other("Identity", 1, "", shape::identity),
    other("InstanceNormalization", 1, "", groups::instance),
    other("IsInf", 10, "", number::is_inf),
    other("IsNaN", 9, "", number::is_nan),
    other("LayerNormalization", 17, "FP32", normalise::layer),
    other("LeakyRelu", 1, "", elementwise::leaky_relu),
    other("Less", 7, "", |c, i| {
        elementwise::compare(c, i, |a, b| a < b)
    }),
    other("LessOrEqual", 12, "", |c, i| {
        elementwise::compare(c, i, |a, b| a <= b)
    }),
    other("Log", 1, "", |c, i| elementwise::unary(c, i, f32::ln)),
    other("LogSoftmax", 1, "", groups::log_softmax),
    other("LpNormalization", 1, "", groups::lp),
    product("MatMul", 1, "", matrix::matmul),
    other("Max", 1, "", elementwise::max),
    other(
        "MaxPool",
        1,
        "one or two axes of places, FP32, no indices",
        pool::max,
    ),
    other("Mean", 1, "", number::mean),
    other("Min", 1, "", elementwise::min),
    other("Mish", 18, "", |c, i| {
        elementwise::unary(c, i, activation::mish)
    }),
    other("Mod", 10, "FP32 by `fmod` = 1", number::modulo),
    other("Mul", 7, "", elementwise::mul),
    other("Neg", 1, "", elementwise::neg),
    other("Not", 1, "", elementwise::not),
    other("OneHot", 11, "", generate::one_hot),
    other("Or", 7, "", |c, i| elementwise::logic(c, i, |a, b| a | b)),
    other("PRelu", 7, "", activation::prelu),
    other("Pad", 2, "constant, of FP32", index::pad),
    other("Pow", 7, "", elementwise::pow),
    other("QuantizeLinear", 10, "scales in FP32", quantise::quantize),
    other("RMSNormalization", 23, "", groups::rms),
    other("Range", 11, "", generate::range),
    other("Reciprocal", 1, "", |c, i| {
        elementwise::unary(c, i, f32::recip)
    }),
    other("ReduceL1", 1, "", reduce::l1),
    other("ReduceL2", 1, "", reduce::l2),
    other("ReduceLogSum", 1, "", reduce::log_sum),
    other("ReduceLogSumExp", 1, "", reduce::log_sum_exp),
    other("ReduceMax", 1, "FP32 and truth values", reduce::max),
    other("ReduceMean", 1, "", reduce::mean),
    other("ReduceMin", 1, "FP32 and truth values", reduce::min),
    other("ReduceProd", 1, "", reduce::product),
    other("ReduceSum", 1, "", reduce::sum),
    other("ReduceSumSquare", 1, "", reduce::sum_square),
    other("Relu", 1, "", elementwise::relu),
    other("Reshape", 1, "", shape::reshape),
    other("RotaryEmbedding", 23, "", rotary::rotary),
    other("Round", 11, "", |c, i| {
        elementwise::unary(c, i, f32::round_ties_even)
    }),
    other("Selu", 6, "", activation::selu),
    other("Shape", 1, "", shape::shape),
    other("Sigmoid", 1, "", |c, i| {
        elementwise::looped(c, i, functions::sigmoids)
    }),
    other("Sign", 9, "", number::sign),
    other("Sin", 7, "", |c, i| elementwise::unary(c, i, f32::sin)),
    other("Size", 1, "", generate::size),
    other("Slice", 1, "", index::slice),
    other("Softmax", 1, "", normalise::softmax),
    other("Softplus", 1, "", |c, i| {
        elementwise::unary(c, i, activation::softplus)
    }),
    other("Softsign", 1, "", |c, i| {
        elementwise::unary(c, i, activation::softsign)
    }),
    other("SpaceToDepth", 1, "", pick::space_to_depth),
    other("Split", 2, "", index::split),
    other("Sqrt", 1, "", |c, i| elementwise::unary(c, i, f32::sqrt)),
    other("Squeeze", 1, "", shape::squeeze),
    other("Sub", 7, "", elementwise::sub),
    other("Sum", 1, "", number::sum),
    other("Swish", 24, "", activation::swish),
    other("Tanh", 1, "", |c, i| elementwise::unary(c, i, f32::tanh)),
    other("ThresholdedRelu", 10, "", activation::thresholded_relu),
    other("Tile", 6, "", generate::tile),
    other("TopK", 1, "", pick::top_k),
    other("Transpose", 1, "", shape::transpose),
    other("Trilu", 14, "", generate::trilu),
    other("Unsqueeze", 1, "", shape::unsqueeze),
    other("Where", 9, "", elementwise::select),
    other("Xor", 7, "", |c, i| elementwise::logic(c, i, |a, b| a ^ b)),
];

/// The operator of that name.
pub(crate) fn operator(name: &str) -> Option<&'static Operator> {
    TABLE.iter().find(|operator| operator.name == name)
}

/// Every operator, by name.
pub fn supported() -> impl Iterator<Item = &'static Operator> {
    TABLE.iter()
}
