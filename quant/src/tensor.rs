//! What flows between the nodes of a model.

use ndarray::ArrayD;
use quaver_contract::{Format, formats};

/// One row an element type: its number in ONNX's `TensorProto.DataType`, its name there, the bits
/// that an element has in `raw_data`, and its row in the format table.
macro_rules! element_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal $bits:literal $format:expr;)*) => {
        /// The type of a tensor's elements (ONNX 1.22, `TensorProto.DataType`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ElementType { $($(#[$doc])* $variant,)* }

        impl ElementType {
            /// Every type, by its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its number in ONNX.
            pub const fn number(self) -> i32 {
                match self { $(Self::$variant => $number),* }
            }

            /// Its name in ONNX.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Bits of an element in a file; those of fewer than 8 share a byte, the first in the low bits.
            pub const fn bits(self) -> usize {
                match self { $(Self::$variant => $bits),* }
            }

            fn format_name(self) -> Option<&'static str> {
                match self { $(Self::$variant => $format),* }
            }
        }
    };
}

element_types! {
    /// binary32.
    Float = 1 "FLOAT" 32 Some("fp32");
    /// 0 to 255.
    Uint8 = 2 "UINT8" 8 None;
    /// -128 to 127.
    Int8 = 3 "INT8" 8 Some("int8");
    /// 0 to 65535.
    Uint16 = 4 "UINT16" 16 None;
    /// -2^15 to 2^15 - 1.
    Int16 = 5 "INT16" 16 None;
    /// -2^31 to 2^31 - 1.
    Int32 = 6 "INT32" 32 None;
    /// -2^63 to 2^63 - 1.
    Int64 = 7 "INT64" 64 None;
    /// A byte that is 0 or 1.
    Bool = 9 "BOOL" 8 None;
    /// binary16.
    Float16 = 10 "FLOAT16" 16 Some("fp16");
    /// binary64.
    Double = 11 "DOUBLE" 64 None;
    /// 0 to 2^32 - 1.
    Uint32 = 12 "UINT32" 32 None;
    /// 0 to 2^64 - 1.
    Uint64 = 13 "UINT64" 64 None;
    /// The upper half of binary32.
    Bfloat16 = 16 "BFLOAT16" 16 Some("bf16");
    /// OCP E4M3.
    Float8E4m3fn = 17 "FLOAT8E4M3FN" 8 Some("e4m3fn");
    /// E4M3 with bias 8, one NaN and no infinity.
    Float8E4m3fnuz = 18 "FLOAT8E4M3FNUZ" 8 Some("e4m3fnuz");
    /// OCP E5M2.
    Float8E5m2 = 19 "FLOAT8E5M2" 8 Some("e5m2");
    /// E5M2 with bias 16, one NaN and no infinity.
    Float8E5m2fnuz = 20 "FLOAT8E5M2FNUZ" 8 Some("e5m2fnuz");
    /// 0 to 15.
    Uint4 = 21 "UINT4" 4 None;
    /// -8 to 7.
    Int4 = 22 "INT4" 4 Some("int4");
    /// OCP FP4.
    Float4E2m1 = 23 "FLOAT4E2M1" 4 Some("e2m1fn");
    /// OCP MX's scales.
    Float8E8m0 = 24 "FLOAT8E8M0" 8 Some("e8m0fnu");
    /// 0 to 3.
    Uint2 = 25 "UINT2" 2 None;
    /// -2 to 1.
    Int2 = 26 "INT2" 2 None;
}

impl ElementType {
    /// The type of that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|x| x.number() == number)
    }

    /// Its row in the format table; `None` for types that are no format of the contract.
    pub fn format(self) -> Option<&'static Format> {
        let name = self.format_name()?;
        formats::TABLE.iter().find(|format| format.name == name)
    }

    /// Whether its elements are integers, which [`Tensor::Int`] holds.
    pub const fn is_integer(self) -> bool {
        matches!(
            self,
            Self::Uint8
                | Self::Int8
                | Self::Uint16
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::Uint32
                | Self::Uint64
                | Self::Uint4
                | Self::Int4
                | Self::Uint2
                | Self::Int2
        )
    }

    /// Whether its elements are integers with a sign.
    pub const fn is_signed(self) -> bool {
        matches!(
            self,
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64
        )
    }

    /// Bytes of so many elements in a file; `None` beyond what a `usize` holds.
    pub const fn bytes(self, elements: usize) -> Option<usize> {
        match elements.checked_mul(self.bits()) {
            Some(bits) => Some(bits.div_ceil(8)),
            None => None,
        }
    }
}

/// A tensor of any rank, in C order where it matters.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// FP32, the type of activations.
    Float(ArrayD<f32>),
    /// Integers of any type but UINT64 beyond 2^63 - 1.
    Int(ElementType, ArrayD<i64>),
    /// Truth values.
    Bool(ArrayD<bool>),
    /// Codes of a narrow floating-point type, right-aligned.
    Codes(ElementType, ArrayD<u16>),
}

impl Tensor {
    /// The type of its elements.
    pub const fn element_type(&self) -> ElementType {
        match self {
            Self::Float(_) => ElementType::Float,
            Self::Bool(_) => ElementType::Bool,
            Self::Int(element, _) | Self::Codes(element, _) => *element,
        }
    }

    /// Its lengths, the outermost first; none for a scalar.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float(values) => values.shape(),
            Self::Int(_, values) => values.shape(),
            Self::Bool(values) => values.shape(),
            Self::Codes(_, codes) => codes.shape(),
        }
    }
    /// The same elements with the order of axes turned round, in C order.
    pub fn reversed_axes(self) -> Self {
        fn reversed<T: Clone>(elements: ArrayD<T>) -> ArrayD<T> {
            let elements = elements.reversed_axes();
            elements.as_standard_layout().into_owned()
        }
        match self {
            Self::Float(values) => Self::Float(reversed(values)),
            Self::Int(element, values) => Self::Int(element, reversed(values)),
            Self::Bool(values) => Self::Bool(reversed(values)),
            Self::Codes(element, codes) => Self::Codes(element, reversed(codes)),
        }
    }
}
