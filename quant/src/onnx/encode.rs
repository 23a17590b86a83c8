//! The wire format of a model: what [`super::read`] reads.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Attribute, Dimension, Graph, Initializer, Model, Node, ValueInfo};

/// Bytes from this length on are written from where they are, not copied.
const BORROWED_BYTES: usize = 1024;

/// A message that is being made: pieces, of which the long ones are the model's own.
#[derive(Default)]
pub(super) struct Message<'m> {
    pieces: Vec<Cow<'m, [u8]>>,
    length: usize,
}

impl<'m> Message<'m> {
    /// How many bytes it has.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// Writes it.
    pub(super) fn write(&self, writer: &mut dyn Write) -> io::Result<()> {
        self.pieces
            .iter()
            .try_for_each(|piece| writer.write_all(piece))
    }

    /// Appends bytes that are fields already.
    fn fields(&mut self, bytes: &'m [u8]) {
        self.length += bytes.len();
        if bytes.len() >= BORROWED_BYTES {
            self.pieces.push(Cow::Borrowed(bytes));
        } else {
            self.last().extend_from_slice(bytes);
        }
    }

    /// The last piece, which small fields are appended to.
    fn last(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.last(), Some(Cow::Owned(_))) {
            self.pieces.push(Cow::Owned(Vec::new()));
        }
        let last = self.pieces.last_mut().expect("a piece was just added");
        last.to_mut()
    }

    fn varint(&mut self, mut value: u64) {
        let mut bytes = [0; 10];
        let mut length = 0;
        loop {
            bytes[length] = (value & 0x7f) as u8;
            value >>= 7;
            length += 1;
            if value == 0 {
                break;
            }
            bytes[length - 1] |= 0x80;
        }
        self.last().extend_from_slice(&bytes[..length]);
        self.length += length;
    }

    fn int(&mut self, number: u32, value: i64) {
        self.varint(u64::from(number) << 3);
        self.varint(value.cast_unsigned());
    }

    fn float(&mut self, number: u32, value: f32) {
        self.varint(u64::from(number) << 3 | 5);
        self.last().extend_from_slice(&value.to_le_bytes());
        self.length += 4;
    }

    fn bytes(&mut self, number: u32, bytes: &'m [u8]) {
        self.varint(u64::from(number) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.fields(bytes);
    }

    /// Text, which is left out where it is empty.
    fn text(&mut self, number: u32, text: &'m str) {
        if !text.is_empty() {
            self.bytes(number, text.as_bytes());
        }
    }

    fn message(&mut self, number: u32, mut message: Self) {
        self.varint(u64::from(number) << 3 | 2);
        self.varint(message.length as u64);
        self.length += message.length;
        let mut pieces = message.pieces.drain(..);
        if let Some(Cow::Owned(first)) = pieces.as_slice().first() {
            self.last().extend_from_slice(first);
            pieces.next();
        }
        self.pieces.extend(pieces);
    }

    /// A `StringStringEntryProto`.
    fn entry(&mut self, number: u32, key: &str, value: &str) {
        let mut entry = Self::default();
        for (number, text) in [(1, key), (2, value)] {
            entry.varint(number << 3 | 2);
            entry.varint(text.len() as u64);
            entry.last().extend_from_slice(text.as_bytes());
            entry.length += text.len();
        }
        self.message(number, entry);
    }
}

/// Where a tensor's elements go: `None` for the model itself, else offset and file.
pub(super) type Place<'a> = &'a mut dyn FnMut(&Initializer) -> Option<(u64, String)>;

/// The message of a model.
pub(super) fn model<'m>(model: &'m Model, place: Place<'_>) -> Message<'m> {
    let mut message = Message::default();
    message.int(1, model.ir_version);
    message.text(2, &model.producer);
    message.message(7, graph(&model.graph, place));
    for (domain, version) in &model.opsets {
        let mut opset = Message::default();
        opset.bytes(1, domain.as_bytes());
        opset.int(2, *version);
        message.message(8, opset);
    }
    message.fields(&model.rest);
    message
}

fn graph<'m>(graph: &'m Graph, place: Place<'_>) -> Message<'m> {
    let mut message = Message::default();
    for node in &graph.nodes {
        message.message(1, self::node(node, place));
    }
    message.text(2, &graph.name);
    for initializer in &graph.initializers {
        message.message(5, tensor(initializer, place));
    }
    for value in &graph.inputs {
        message.message(11, value_info(value));
    }
    for value in &graph.outputs {
        message.message(12, value_info(value));
    }
    message.fields(&graph.rest);
    message
}

fn node<'m>(node: &'m Node, place: Place<'_>) -> Message<'m> {
    let mut message = Message::default();
    for input in &node.inputs {
        message.bytes(1, input.as_bytes());
    }
    for output in &node.outputs {
        message.bytes(2, output.as_bytes());
    }
    message.text(3, &node.name);
    message.text(4, &node.operator);
    for (name, value) in &node.attributes {
        message.message(5, attribute(name, value, place));
    }
    message.text(7, &node.domain);
    message.fields(&node.rest);
    message
}

fn attribute<'m>(name: &'m str, value: &'m Attribute, place: Place<'_>) -> Message<'m> {
    let mut message = Message::default();
    if let Attribute::Other(fields) = value {
        message.fields(fields);
        return message;
    }
    message.text(1, name);
    let kind = match value {
        Attribute::Float(x) => {
            message.float(2, *x);
            1
        }
        Attribute::Int(x) => {
            message.int(3, *x);
            2
        }
        Attribute::String(text) => {
            message.bytes(4, text);
            3
        }
        Attribute::Tensor(value) => {
            message.message(5, tensor(value, place));
            4
        }
        Attribute::Graph(value) => {
            message.message(6, graph(value, place));
            5
        }
        Attribute::Floats(list) => {
            list.iter().for_each(|x| message.float(7, *x));
            6
        }
        Attribute::Ints(list) => {
            list.iter().for_each(|x| message.int(8, *x));
            7
        }
        Attribute::Strings(list) => {
            list.iter().for_each(|text| message.bytes(9, text));
            8
        }
        Attribute::Other(_) => unreachable!("written above"),
    };
    message.int(20, kind);
    message
}

fn tensor<'m>(tensor: &'m Initializer, place: Place<'_>) -> Message<'m> {
    let mut message = Message::default();
    for length in &tensor.shape {
        message.int(1, (*length as u64).cast_signed());
    }
    message.int(2, i64::from(tensor.element.number()));
    message.text(8, &tensor.name);
    match place(tensor) {
        None => message.bytes(9, &tensor.bytes),
        Some((offset, file)) => {
            message.entry(13, "location", &file);
            message.entry(13, "offset", &offset.to_string());
            message.entry(13, "length", &tensor.bytes.len().to_string());
            message.int(14, 1);
        }
    }
    message
}

fn value_info(value: &ValueInfo) -> Message<'_> {
    let mut message = Message::default();
    message.text(1, &value.name);
    if value.element.is_some() || value.shape.is_some() {
        let mut tensor = Message::default();
        if let Some(element) = value.element {
            tensor.int(1, i64::from(element.number()));
        }
        if let Some(dimensions) = &value.shape {
            let mut shape = Message::default();
            for dimension in dimensions {
                let mut length = Message::default();
                match dimension {
                    Dimension::Fixed(fixed) => length.int(1, (*fixed as u64).cast_signed()),
                    Dimension::Symbolic(name) => length.text(2, name),
                }
                shape.message(1, length);
            }
            tensor.message(2, shape);
        }
        let mut kind = Message::default();
        kind.message(1, tensor);
        message.message(2, kind);
    }
    message.fields(&value.rest);
    message
}
