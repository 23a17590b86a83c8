//! Reading a `TensorProto`: type, shape, and its elements from whichever field holds them.

use std::ops::Range;
use std::sync::Arc;

use super::read::Source;
use super::wire::{Message, Value};
use super::{Bytes, Initializer};
use crate::{ElementType, Error};

/// Fields with elements, by the width that they are stored in.
const FLOAT_DATA: (u32, &str) = (4, "float_data");
const INT32_DATA: (u32, &str) = (5, "int32_data");
const STRING_DATA: (u32, &str) = (6, "string_data");
const INT64_DATA: (u32, &str) = (7, "int64_data");
const DOUBLE_DATA: (u32, &str) = (10, "double_data");
const UINT64_DATA: (u32, &str) = (11, "uint64_data");
const TYPED: [(u32, &str); 6] = [
    FLOAT_DATA,
    INT32_DATA,
    STRING_DATA,
    INT64_DATA,
    DOUBLE_DATA,
    UINT64_DATA,
];

/// STRING, COMPLEX64 and COMPLEX128, which no engine computes with.
const OPAQUE: [i64; 3] = [8, 14, 15];

/// Lengths of a shape that are no more than an `isize` together, as memory has it.
const SHAPE_ALLOWED: &str = "from 0, and all but 0 with a product below 2^63";

/// The field that has elements of a type where `raw_data` does not.
const fn typed_field(element: ElementType) -> (u32, &'static str) {
    match element {
        ElementType::Float => FLOAT_DATA,
        ElementType::Int64 => INT64_DATA,
        ElementType::Double => DOUBLE_DATA,
        ElementType::Uint32 | ElementType::Uint64 => UINT64_DATA,
        _ => INT32_DATA,
    }
}

/// What a first pass over the fields finds: all but the elements of typed fields, whose meaning
/// depends on a type that may come after them.
#[derive(Default)]
struct Head {
    name: String,
    data_type: i64,
    dims: Vec<usize>,
    raw: Option<Range<usize>>,
    typed: Option<&'static str>,
    external: bool,
}

impl Head {
    fn read(mut message: Message<'_, '_>) -> Result<Self, Error> {
        let mut head = Self::default();
        while let Some(field) = message.next()? {
            match field.number {
                1 => message.each_varint(&field, "dims", |at, value| {
                    let length = isize::try_from(value).ok();
                    let length = length.and_then(|length| usize::try_from(length).ok());
                    head.dims.push(length.ok_or_else(|| {
                        let place = message.place.field("dims");
                        place.error(at, format!("a length has to be {SHAPE_ALLOWED}"))
                    })?);
                    Ok(())
                })?,
                2 => head.data_type = message.int(&field, "data_type")?,
                3 => {
                    let place = message.place.field("segment");
                    return Err(place.error(field.range.start, "tensors in pieces are not read"));
                }
                8 => head.name = message.text(&field, "name")?,
                9 => head.raw = Some(message.bytes(&field, "raw_data")?),
                14 => head.external = message.int(&field, "data_location")? == 1,
                number => {
                    let typed = TYPED.iter().find(|(typed, _)| *typed == number);
                    let empty = matches!(&field.value, Value::Bytes(range) if range.is_empty());
                    if let Some((_, name)) = typed.filter(|_| !empty) {
                        head.typed = Some(name);
                    }
                }
            }
        }
        Ok(head)
    }
}

/// Reads a tensor; `None` for one of strings or complex numbers.
pub(super) fn read(
    source: &mut Source<'_>,
    message: Message<'_, '_>,
) -> Result<Option<Initializer>, Error> {
    let start = message.offset();
    let head = Head::read(message)?;
    if OPAQUE.contains(&head.data_type) {
        return Ok(None);
    }
    let element = element_type(head.data_type).ok_or_else(|| {
        let place = message.place.field("data_type");
        place.error(start, format!("{} is no type of ONNX 1.22", head.data_type))
    })?;
    let bytes = bytes(element, &head.dims).ok_or_else(|| {
        let place = message.place.field("dims");
        let message = format!("lengths {:?} have to be {SHAPE_ALLOWED}", head.dims);
        place.error(start, message)
    })?;
    let expected = Expected {
        element,
        bytes,
        dims: &head.dims,
    };
    let bytes = if head.external {
        external(source, message, &head, &expected)?
    } else if let Some(range) = &head.raw {
        if let Some(name) = head.typed {
            let place = message.place.field(name);
            return Err(place.error(start, "elements beside those of raw_data"));
        }
        expected.check(message, "raw_data", range.start, range.len())?;
        source.bytes(range.clone())
    } else {
        Bytes::Owned(typed(message, &head, &expected)?)
    };
    Ok(Some(Initializer {
        name: head.name,
        element,
        shape: head.dims,
        bytes,
    }))
}

/// The element type of a number in the file.
pub(super) fn element_type(number: i64) -> Option<ElementType> {
    ElementType::from_number(i32::try_from(number).ok()?)
}

/// Bytes of a tensor; `None` where the shape is more than memory's addresses reach.
fn bytes(element: ElementType, dims: &[usize]) -> Option<usize> {
    let mut elements: usize = 1;
    let nonzero = dims.iter().filter(|length| **length > 0);
    for length in nonzero {
        elements = elements.checked_mul(*length)?;
    }
    isize::try_from(elements).ok()?;
    let elements = if dims.contains(&0) { 0 } else { elements };
    element.bytes(elements)
}

/// What type and shape say about the elements.
struct Expected<'a> {
    element: ElementType,
    bytes: usize,
    dims: &'a [usize],
}

impl Expected<'_> {
    /// Checks the length of a field in bytes, as stored in `raw_data`.
    fn check(
        &self,
        message: Message<'_, '_>,
        name: &'static str,
        at: usize,
        found: usize,
    ) -> Result<(), Error> {
        if found == self.bytes {
            return Ok(());
        }
        let (dims, element) = (self.dims, self.element.name());
        let text = format!("{found} bytes where {element} {dims:?} has {}", self.bytes);
        Err(message.place.field(name).error(at, text))
    }
}

/// Elements of a typed field, little-endian as `raw_data` would have them.
fn typed(mut message: Message<'_, '_>, head: &Head, expected: &Expected) -> Result<Vec<u8>, Error> {
    let start = message.offset();
    let (number, name) = typed_field(expected.element);
    if let Some(found) = head.typed.filter(|found| *found != name) {
        let text = format!("holds no {} (allowed: {name})", expected.element.name());
        return Err(message.place.field(found).error(start, text));
    }
    // A byte of the file gives an element of 8 bytes at most.
    let mut bytes = Vec::with_capacity(expected.bytes.min(message.len().saturating_mul(8)));
    let width = expected.element.bits().div_ceil(8);
    while let Some(field) = message.next()? {
        if field.number != number {
            continue;
        }
        if matches!(expected.element, ElementType::Float | ElementType::Double) {
            let range = message.words(&field, name, width)?;
            bytes.extend_from_slice(message.slice(range));
            continue;
        }
        message.each_varint(&field, name, |at, value| {
            if !fits(expected.element, value) {
                let element = expected.element.name();
                let text = format!("{} does not fit {element}", value.cast_signed());
                return Err(message.place.field(name).error(at, text));
            }
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
            Ok(())
        })?;
    }
    expected.check(message, name, start, bytes.len())?;
    Ok(bytes)
}

/// Whether an integer of a typed field is an element, or the byte of several; signed or as its bits.
fn fits(element: ElementType, value: u64) -> bool {
    let value = value.cast_signed();
    let bits = element.bits().max(8);
    match element {
        ElementType::Int64 | ElementType::Uint64 => true,
        ElementType::Bool => (0..=1).contains(&value),
        _ => (-(1 << (bits - 1))..1 << bits).contains(&value),
    }
}

/// Elements in a file beside the model's.
fn external(
    source: &mut Source<'_>,
    message: Message<'_, '_>,
    head: &Head,
    expected: &Expected,
) -> Result<Bytes, Error> {
    let start = message.offset();
    let (mut location, mut offset, mut length) = (None, 0, None);
    let mut fields = message;
    let mut index = 0;
    while let Some(field) = fields.next()? {
        if field.number != 13 {
            continue;
        }
        let place = message.place.item("external_data", index);
        index += 1;
        let mut entry = message.open(&field, &place)?;
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(field) = entry.next()? {
            match field.number {
                1 => key = entry.text(&field, "key")?,
                2 => value = entry.text(&field, "value")?,
                _ => {}
            }
        }
        let number = || {
            let number = value.parse::<usize>().ok();
            let fail = || format!("{key} {value:?} is not a number of bytes");
            number.ok_or_else(|| place.error(field.range.start, fail()))
        };
        match key.as_str() {
            "location" => location = Some((value, field.range.start)),
            "offset" => offset = number()?,
            "length" => length = Some(number()?),
            _ => {}
        }
    }
    let place = message.place.field("external_data");
    if head.raw.is_some() || head.typed.is_some() {
        return Err(place.error(start, "elements in the model beside those of a file"));
    }
    let Some((location, at)) = location else {
        return Err(place.error(start, "has no location"));
    };
    if let Some(length) = length {
        expected.check(message, "external_data", at, length)?;
    }
    let map = source.externals.get(&location);
    let map = map.map_err(|message| place.error(at, message))?;
    let end = offset.checked_add(expected.bytes);
    let Some(end) = end.filter(|&end| end <= map.len()) else {
        let text = format!(
            "{} bytes from offset {offset} of {location:?}, which has {}",
            expected.bytes,
            map.len()
        );
        return Err(place.error(at, text));
    };
    Ok(Bytes::Mapped(Arc::clone(&map), offset..end))
}
