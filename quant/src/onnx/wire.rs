//! The wire format of protocol buffers: fields of a message, one after another, without a schema.
//!
//! Nothing is copied or allocated here but what the bytes themselves hold. Groups, deprecated since
//! protobuf 2 and absent from ONNX, are refused.

use std::fmt::{Display, Formatter};
use std::ops::Range;

use crate::Error;

/// Where a message is in its model, for errors: `graph.node[3].attribute[0].t`.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    above: Option<&'p Place<'p>>,
    name: &'static str,
    index: Option<usize>,
}

impl<'p> Place<'p> {
    /// The model itself.
    pub(super) const ROOT: Place<'static> = Place {
        above: None,
        name: "model",
        index: None,
    };

    /// A field of this message.
    pub(super) const fn field(&'p self, name: &'static str) -> Self {
        Self {
            above: Some(self),
            name,
            index: None,
        }
    }

    /// One of a repeated field of this message.
    pub(super) const fn item(&'p self, name: &'static str, index: usize) -> Self {
        Self {
            above: Some(self),
            name,
            index: Some(index),
        }
    }

    /// An [`Error::Onnx`] here.
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> Error {
        Error::Onnx {
            offset,
            field: self.to_string(),
            message: message.into(),
        }
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if let Some(above) = self.above.filter(|above| above.above.is_some()) {
            write!(f, "{above}.")?;
        }
        f.write_str(self.name)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

/// A field's value, by its wire type.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Varint(u64),
    /// Eight bytes, which ONNX has in lists alone ([`Message::words`]).
    Fixed64,
    Fixed32(u32),
    /// Where in the file.
    Bytes(Range<usize>),
}

/// One field of a message.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) value: Value,
    /// All of it in the file, its tag included.
    pub(super) range: Range<usize>,
}

/// A message that is being read: an iterator of its fields.
#[derive(Clone, Copy)]
pub(super) struct Message<'f, 'p> {
    file: &'f [u8],
    at: usize,
    end: usize,
    pub(super) place: &'p Place<'p>,
}

impl<'f, 'p> Message<'f, 'p> {
    /// All of a file.
    pub(super) const fn new(file: &'f [u8], place: &'p Place<'p>) -> Self {
        Self {
            file,
            at: 0,
            end: file.len(),
            place,
        }
    }

    /// Where its next field begins.
    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub(super) const fn len(&self) -> usize {
        self.end - self.at
    }

    /// The message that a field holds.
    pub(super) fn open<'q>(
        &self,
        field: &Field,
        place: &'q Place<'q>,
    ) -> Result<Message<'f, 'q>, Error> {
        let range = expect_bytes(field, place)?;
        Ok(Message {
            file: self.file,
            at: range.start,
            end: range.end,
            place,
        })
    }

    /// Its next field.
    pub(super) fn next(&mut self) -> Result<Option<Field>, Error> {
        if self.at == self.end {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        let number = match u32::try_from(tag >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => number,
            _ => return Err(self.place.error(start, "a tag without a field's number")),
        };
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.fixed::<8>()?;
                Value::Fixed64
            }
            2 => {
                let at = self.at;
                let length = self.varint()?;
                let end = usize::try_from(length).ok();
                let end = end.and_then(|length| self.at.checked_add(length));
                let Some(end) = end.filter(|&end| end <= self.end) else {
                    let left = self.len();
                    let message = format!("{length} bytes where the message has {left} left");
                    return Err(self.place.error(at, message));
                };
                let range = self.at..end;
                self.at = end;
                Value::Bytes(range)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.fixed()?)),
            wire => {
                let message = format!("field {number} has wire type {wire} (allowed: 0, 1, 2, 5)");
                return Err(self.place.error(start, message));
            }
        };
        Ok(Some(Field {
            number,
            value,
            range: start..self.at,
        }))
    }

    /// How many fields of that number are left, without those of fewer than `least` bytes. A list is
    /// given this many places at once; what is too short to be an item is refused later.
    pub(super) fn count(&self, number: u32, least: usize) -> Result<usize, Error> {
        let mut message = *self;
        let mut count = 0;
        while let Some(field) = message.next()? {
            count += usize::from(field.number == number && field.range.len() >= least);
        }
        Ok(count)
    }

    /// The bytes of a range of the file.
    pub(super) fn slice(&self, range: Range<usize>) -> &'f [u8] {
        &self.file[range]
    }

    /// An integer, of any width and sign: negative ones have their sign in 64 bits.
    pub(super) fn int(&self, field: &Field, name: &'static str) -> Result<i64, Error> {
        match field.value {
            Value::Varint(value) => Ok(value as i64),
            _ => Err(self.wrong(field, name, "an integer")),
        }
    }

    /// An FP32 number.
    pub(super) fn float(&self, field: &Field, name: &'static str) -> Result<f32, Error> {
        match field.value {
            Value::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(self.wrong(field, name, "4 bytes")),
        }
    }

    /// Where a field's bytes are.
    pub(super) fn bytes(&self, field: &Field, name: &'static str) -> Result<Range<usize>, Error> {
        expect_bytes(field, &self.place.field(name))
    }

    /// UTF-8 text.
    pub(super) fn text(&self, field: &Field, name: &'static str) -> Result<String, Error> {
        let range = self.bytes(field, name)?;
        let start = range.start;
        std::str::from_utf8(self.slice(range))
            .map(str::to_owned)
            .map_err(|error| {
                let at = start + error.valid_up_to();
                self.place.field(name).error(at, "text that is not UTF-8")
            })
    }

    /// Calls `each` with every integer of a repeated field, packed or not, and its offset.
    pub(super) fn each_varint(
        &self,
        field: &Field,
        name: &'static str,
        mut each: impl FnMut(usize, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match field.value {
            Value::Varint(value) => each(field.range.start, value),
            Value::Bytes(_) => {
                let place = self.place.field(name);
                let mut packed = self.open(field, &place)?;
                while packed.at < packed.end {
                    let at = packed.at;
                    each(at, packed.varint()?)?;
                }
                Ok(())
            }
            _ => Err(self.wrong(field, name, "integers")),
        }
    }

    /// The little-endian words of a repeated field of fixed width, packed or not: where they are.
    pub(super) fn words(
        &self,
        field: &Field,
        name: &'static str,
        bytes: usize,
    ) -> Result<Range<usize>, Error> {
        let alone = field.range.end - bytes..field.range.end;
        match &field.value {
            Value::Fixed32(_) if bytes == 4 => Ok(alone),
            Value::Fixed64 if bytes == 8 => Ok(alone),
            Value::Bytes(range) if range.len() % bytes == 0 => Ok(range.clone()),
            _ => Err(self.wrong(field, name, &format!("numbers of {bytes} bytes"))),
        }
    }

    /// The error of a field that has another wire type than its own.
    fn wrong(&self, field: &Field, name: &'static str, expected: &str) -> Error {
        let place = self.place.field(name);
        place.error(field.range.start, format!("is not {expected}"))
    }

    /// The next integer: 7 bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u64, Error> {
        let start = self.at;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.file[..self.end].get(self.at) else {
                return Err(self.place.error(self.end, "ends within an integer"));
            };
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.place.error(start, "an integer of more than 64 bits"))
    }

    /// The next bytes of a fixed-width number.
    fn fixed<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], Error> {
        match self.file[self.at..self.end].first_chunk() {
            Some(bytes) => {
                self.at += BYTES;
                Ok(*bytes)
            }
            None => Err(self.place.error(self.end, "ends within a number")),
        }
    }
}

fn expect_bytes(field: &Field, place: &Place<'_>) -> Result<Range<usize>, Error> {
    match &field.value {
        Value::Bytes(range) => Ok(range.clone()),
        _ => Err(place.error(field.range.start, "is not text, bytes or a message")),
    }
}
