//! Headers of `.npy` files, read with suspicion (numpy.lib.format, versions 1.0 to 3.0).

use std::io::{ErrorKind, Read};

use ndarray_npy::npy::header::{Header, ParseHeaderError, ReadHeaderError};
use py_literal::Value;

/// Longest header text that is read; numpy's own default limit.
const MAX_HEADER_BYTES: usize = 10_000;

/// Deepest nesting of brackets that is parsed: a legal header has three levels, and the parser
/// spends stack on each.
const MAX_DEPTH: usize = 8;

/// Most axes of an array; numpy's own limit.
const MAX_RANK: usize = 64;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Element type as the file calls it.
    pub descriptor: String,
    /// Whether the first index runs fastest.
    pub fortran: bool,
    /// Number of elements along each axis.
    pub lengths: Vec<usize>,
}

/// Reads a header.
///
/// # Errors
/// What is wrong, in words.
pub fn read(reader: &mut impl Read) -> Result<Shape, String> {
    // Magic string, version, and the first half of the longest length field.
    let mut bytes = vec![0; 10];
    read_exact(reader, &mut bytes)?;
    let length = if bytes[6] == 1 {
        usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))
    } else {
        bytes.extend([0; 2]);
        read_exact(reader, &mut bytes[10..])?;
        let length = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        usize::try_from(length).unwrap_or(usize::MAX)
    };
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err("not an npy file: it does not start with \\x93NUMPY".to_owned());
    }
    if length > MAX_HEADER_BYTES {
        return Err(format!(
            "header length {length} is not allowed (at most {MAX_HEADER_BYTES} bytes)"
        ));
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    read_exact(reader, &mut bytes[start..])?;
    if depth(&bytes[start..]) > MAX_DEPTH {
        return Err(format!("header nests deeper than {MAX_DEPTH} brackets"));
    }
    let header = Header::from_reader(&mut bytes.as_slice()).map_err(|error| match error {
        // The parser's own message is a drawing of several lines.
        ReadHeaderError::Parse(ParseHeaderError::DictParse(_)) => {
            "header is not a Python literal".to_owned()
        }
        other => other.to_string(),
    })?;
    if header.shape.len() > MAX_RANK {
        let rank = header.shape.len();
        return Err(format!("rank {rank} is not allowed (at most {MAX_RANK})"));
    }
    let descriptor = match header.type_descriptor {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(Shape {
        descriptor,
        fortran: header.layout.is_fortran(),
        lengths: header.shape,
    })
}

fn read_exact(reader: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    reader.read_exact(bytes).map_err(|error| {
        if error.kind() == ErrorKind::UnexpectedEof {
            "truncated: the file ends inside the npy header".to_owned()
        } else {
            error.to_string()
        }
    })
}

fn depth(text: &[u8]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => now += 1,
            b')' | b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}
