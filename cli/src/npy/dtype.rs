//! The element types of arrays in files.

use quaver_contract::{Encoding, Format};

/// An element type that holds codes or binary32 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    /// Codes of at most 8 bits.
    Uint8,
    /// Two's complement integers of at most 8 bits.
    Int8,
    /// What numpy writes for an 8-bit type of another package, such as `ml_dtypes`: codes.
    Void8,
    /// The same, for types that say that they are floating point.
    Float8,
    /// Codes of 9 to 16 bits.
    Uint16,
    /// IEEE binary16.
    Float16,
    /// What numpy writes for a 16-bit type of another package, such as bfloat16: codes.
    Void16,
    /// Codes of more than 16 bits.
    Uint32,
    /// IEEE binary32.
    Float32,
}

/// Type, and its name in a file without the byte order.
const TABLE: &[(Dtype, &str)] = &[
    (Dtype::Uint8, "u1"),
    (Dtype::Int8, "i1"),
    (Dtype::Void8, "V1"),
    (Dtype::Float8, "f1"),
    (Dtype::Uint16, "u2"),
    (Dtype::Float16, "f2"),
    (Dtype::Void16, "V2"),
    (Dtype::Uint32, "u4"),
    (Dtype::Float32, "f4"),
];

impl Dtype {
    /// Types that hold codes of the format, the one that is written first.
    pub(crate) fn of(format: &Format) -> &'static [Self] {
        match (format.name, format.storage_bytes()) {
            ("fp32", _) => &[Self::Float32, Self::Uint32],
            ("fp16", _) => &[Self::Float16, Self::Uint16],
            (_, 1) if format.encoding == Encoding::TwosComplement => {
                &[Self::Uint8, Self::Int8, Self::Void8]
            }
            (_, 1) => &[Self::Uint8, Self::Void8, Self::Float8],
            (_, 2) => &[Self::Uint16, Self::Void16],
            _ => &[Self::Uint32],
        }
    }

    /// The type of that name in a file, and whether its bytes come most significant first.
    pub(crate) fn parse(descriptor: &str) -> Option<(Self, bool)> {
        let name = descriptor.trim_start_matches(['<', '>', '|', '=']);
        let row = TABLE.iter().find(|row| row.1 == name)?;
        Some((row.0, descriptor.starts_with('>')))
    }

    /// The name in a file, in the order that is written: least significant byte first.
    pub(crate) fn descriptor(self) -> String {
        let name = self.short();
        format!("{}{name}", if name.ends_with('1') { '|' } else { '<' })
    }

    /// The name that numpy shows.
    pub(crate) fn name(self) -> String {
        numpy_name(self.short())
    }

    fn short(self) -> &'static str {
        let row = TABLE.iter().find(|row| row.0 == self);
        row.map_or("", |row| row.1)
    }
}

/// The name that numpy shows for a type that a file calls `<f8` or the like.
pub(crate) fn numpy_name(descriptor: &str) -> String {
    let name = descriptor.trim_start_matches(['<', '>', '|', '=']);
    let kind = match name.get(..1) {
        Some("b") => return "bool".to_owned(),
        Some("u") => "uint",
        Some("i") => "int",
        Some("f") => "float",
        Some("c") => "complex",
        Some("V") => "void",
        _ => return format!("'{descriptor}'"),
    };
    match name[1..].parse::<u32>() {
        Ok(bytes) => format!("{kind}{}", 8 * u64::from(bytes)),
        Err(_) => format!("'{descriptor}'"),
    }
}

/// A list of types for messages.
pub(crate) fn names(dtypes: &[Dtype]) -> String {
    let names: Vec<String> = dtypes.iter().map(|dtype| dtype.name()).collect();
    names.join(", ")
}

/// An element in memory: the bits of a code.
pub(crate) trait Word: Copy {
    /// Bytes in a file.
    const BYTES: usize;
    /// Reads elements; there are `BYTES` times as many bytes.
    fn read(bytes: Vec<u8>, big_endian: bool) -> Vec<Self>;
}

macro_rules! word {
    ($($type:ty)*) => {$(
        impl Word for $type {
            const BYTES: usize = size_of::<$type>();

            fn read(bytes: Vec<u8>, big_endian: bool) -> Vec<Self> {
                let (chunks, _) = bytes.as_chunks();
                let read = if big_endian { Self::from_be_bytes } else { Self::from_le_bytes };
                chunks.iter().map(|chunk| read(*chunk)).collect()
            }
        }
    )*};
}
word!(u8 u16 u32);
