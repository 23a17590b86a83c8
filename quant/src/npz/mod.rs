//! Arrays by name in `.npz` files (numpy.savez and savez_compressed): what a model is given, and what
//! it returns.
//!
//! What an archive promises is believed only as far as it holds it, and an archive may not unpack to
//! more than [`UNPACKED`] allows.

pub mod header;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use flate2::bufread::DeflateDecoder;
use ndarray_npy::npy::header::{Header, Layout};
use py_literal::Value;
use rawzip::path::{EntryPath, ZipFilePath};
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter};

use crate::files;
use crate::onnx::{Bytes, Initializer};
use crate::{ElementType, Error, Tensor};

/// Most bytes that an archive unpacks to: so many, and so many for each byte of the file. Deflate
/// reaches a thousand for bytes that are all the same.
pub const UNPACKED: (u64, u64) = (32 << 20, 32);

/// Element types of numpy, without the byte order, and what they are read as.
const TYPES: &[(&str, ElementType)] = &[
    ("b1", ElementType::Bool),
    ("i1", ElementType::Int8),
    ("i2", ElementType::Int16),
    ("i4", ElementType::Int32),
    ("i8", ElementType::Int64),
    ("u1", ElementType::Uint8),
    ("u2", ElementType::Uint16),
    ("u4", ElementType::Uint32),
    ("u8", ElementType::Uint64),
    ("f2", ElementType::Float16),
    ("f4", ElementType::Float),
    ("f8", ElementType::Double),
];

fn wrong(place: impl Into<String>, message: impl ToString) -> Error {
    Error::Npz {
        place: place.into(),
        message: message.to_string(),
    }
}

/// Reads all arrays of a file. Floats of 64 bits are rounded to FP32, those of 16 bits are codes.
///
/// # Errors
/// [`Error::File`] if there is no such regular file or it cannot be read; others as [`parse`].
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let map = files::map(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    parse(&map)
}

/// Reads all arrays of an archive in memory.
///
/// # Errors
/// [`Error::Npz`] naming the array, for bytes that are no archive, or whose arrays are damaged, of
/// another type than numbers and truth values, or too large for their file; [`Error::Illegal`] for
/// an integer beyond 2^63 - 1.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Error> {
    let damaged = |error: rawzip::Error| wrong("archive", error);
    let archive = ZipArchive::from_slice(bytes).map_err(damaged)?;
    let mut left = UNPACKED.0 + UNPACKED.1 * bytes.len() as u64;
    let mut arrays = BTreeMap::new();
    let mut entries = archive.entries();
    while let Some(record) = entries.next_entry().map_err(damaged)? {
        let path = record.file_path();
        let Ok(path) = str::from_utf8(path.as_ref()) else {
            let text = format!("name of array {} is not UTF-8", arrays.len());
            return Err(wrong("archive", text));
        };
        let name = path.strip_suffix(".npy");
        let place = format!("array {:?}", name.unwrap_or(path));
        let Some(name) = name else {
            return Err(wrong(place, "the name of an array ends in .npy"));
        };
        if record.flags().is_encrypted() {
            return Err(wrong(place, "is encrypted"));
        }
        let entry = archive.get_entry(record.wayfinder());
        let entry = entry.map_err(|error| wrong(&place, error))?;
        let data = entry.data();
        let reader: Box<dyn Read> = match record.compression_method() {
            CompressionMethod::STORE => Box::new(entry.verifying_reader(data)),
            CompressionMethod::DEFLATE => {
                Box::new(entry.verifying_reader(DeflateDecoder::new(data)))
            }
            other => {
                let text = format!("compression {other:?} is not allowed (stored, deflate)");
                return Err(wrong(place, text));
            }
        };
        let mut reader = reader.take(left);
        let result = array(&mut reader, name);
        left = reader.limit();
        if left == 0 {
            let (base, factor) = UNPACKED;
            let text = format!(
                "the archive unpacks to more than {base} bytes and {factor} for each of its own"
            );
            return Err(wrong(place, text));
        }
        let tensor = result.map_err(|error| match error {
            ArrayError::Words(message) => wrong(&place, message),
            ArrayError::Tensor(error) => error,
        })?;
        if arrays.insert(name.to_owned(), tensor).is_some() {
            return Err(wrong(place, "is there twice"));
        }
    }
    if arrays.len() as u64 != archive.entries_hint() {
        let (found, expected) = (arrays.len(), archive.entries_hint());
        let text = format!("{found} arrays where its end says {expected}");
        return Err(wrong("archive", text));
    }
    Ok(arrays)
}

/// What is wrong with an array: words, or an error that names it.
enum ArrayError {
    Words(String),
    Tensor(Error),
}

impl From<String> for ArrayError {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

fn array(reader: &mut impl Read, name: &str) -> Result<Tensor, ArrayError> {
    let shape = header::read(reader)?;
    let kind = shape.descriptor.trim_start_matches(['<', '>', '|', '=']);
    let Some(&(_, element)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let allowed: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        let (found, allowed) = (&shape.descriptor, allowed.join(", "));
        return Err(format!("dtype {found} is not allowed ({allowed})").into());
    };
    let product = |product: usize, length: &usize| product.checked_mul(*length);
    let width = element.bits() / 8;
    let length = shape.lengths.iter().try_fold(width, product);
    let Some(length) = length.filter(|length| isize::try_from(*length).is_ok()) else {
        return Err(format!("shape {:?} does not fit in memory", shape.lengths).into());
    };
    let unread = |error: std::io::Error| error.to_string();
    // Memory follows the data, not the header.
    let mut bytes = Vec::new();
    let held = reader.by_ref().take(length as u64).read_to_end(&mut bytes);
    let held = held.map_err(unread)?;
    let dims = format!("the {length} data bytes of shape {:?}", shape.lengths);
    if held < length {
        return Err(format!("truncated: the array holds {held} of {dims}").into());
    }
    // Reading to the end also checks the sum of the bytes.
    if reader.read(&mut [0]).map_err(unread)? != 0 {
        return Err(format!("the array goes on after {dims}").into());
    }
    if shape.descriptor.starts_with('>') {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    let mut lengths = shape.lengths;
    if shape.fortran {
        lengths.reverse();
    }
    let values = Initializer {
        name: name.to_owned(),
        element,
        shape: lengths,
        bytes: Bytes::Owned(bytes),
    };
    let tensor = values.tensor().map_err(ArrayError::Tensor)?;
    Ok(match shape.fortran {
        true => tensor.reversed_axes(),
        false => tensor,
    })
}

/// Writes arrays to a file, which appears whole, by the type that holds their elements: codes and
/// integers of fewer than 8 bits have a byte each.
///
/// # Errors
/// [`Error::File`].
pub fn write<'a>(
    path: &Path,
    arrays: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<(), Error> {
    let mut arrays = Some(arrays);
    files::persist(path, &mut |writer| match arrays.take() {
        Some(arrays) => write_to(writer, arrays),
        None => Ok(()),
    })
}

/// Writes arrays as [`write()`] to any writer. The same arrays give the same bytes.
///
/// # Errors
/// The writer's, and one for a name that no archive can have.
pub fn write_to<'a>(
    writer: &mut dyn Write,
    arrays: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> std::io::Result<()> {
    let other = std::io::Error::other::<rawzip::Error>;
    let mut archive = ZipArchiveWriter::new(writer);
    for (name, tensor) in arrays {
        let file = archive.new_file(entry_path(name)?);
        let file = file.compression_method(CompressionMethod::STORE);
        let (mut entry, config) = file.start().map_err(other)?;
        let mut writer = config.wrap(&mut entry);
        let header = Header {
            type_descriptor: Value::String(descriptor(tensor.element_type())),
            layout: Layout::Standard,
            shape: tensor.shape().to_vec(),
        };
        writer.write_all(&header.to_bytes().map_err(std::io::Error::other)?)?;
        writer.write_all(&elements(tensor))?;
        let (_, descriptor) = writer.finish().map_err(other)?;
        entry.finish(descriptor).map_err(other)?;
    }
    archive.finish().map_err(other)?;
    Ok(())
}

/// The name of an array's file. Names of tensors may begin with a slash or have `..` in them: nothing
/// here makes files of them.
fn entry_path(name: &str) -> std::io::Result<EntryPath<'static>> {
    let file = format!("{name}.npy");
    if file.is_ascii() {
        return Ok(EntryPath::verbatim(file.into_bytes()));
    }
    // Other characters need the mark of UTF-8, which only paths without such parts have.
    let normal = ZipFilePath::from_str(&file);
    if AsRef::<str>::as_ref(&normal) != file {
        let text = format!("array {name:?}: a name beyond ASCII has to be a plain relative path");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
    }
    Ok(EntryPath::conformant(file))
}

/// Bytes of an element in an array.
const fn width(element: ElementType) -> usize {
    element.bits().div_ceil(8)
}

/// The type of elements as a header has it.
fn descriptor(element: ElementType) -> String {
    let width = width(element);
    let kind = match element {
        ElementType::Bool => 'b',
        ElementType::Float | ElementType::Float16 | ElementType::Double => 'f',
        _ if element.is_integer() && element.name().starts_with("INT") => 'i',
        _ => 'u',
    };
    let order = if width == 1 { '|' } else { '<' };
    format!("{order}{kind}{width}")
}

/// Elements in C order, the least significant byte first.
fn elements(tensor: &Tensor) -> Vec<u8> {
    let width = width(tensor.element_type());
    match tensor {
        Tensor::Float(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Tensor::Bool(values) => values.iter().map(|&x| u8::from(x)).collect(),
        Tensor::Int(_, values) => {
            let bytes = values
                .iter()
                .flat_map(|x| x.to_le_bytes().into_iter().take(width));
            bytes.collect()
        }
        Tensor::Codes(_, codes) => {
            let bytes = codes
                .iter()
                .flat_map(|x| x.to_le_bytes().into_iter().take(width));
            bytes.collect()
        }
    }
}
