//! Reading a model: the messages of onnx.proto from the wire format.
//!
//! Memory: a model from a file maps it, and tensors in `raw_data` or beside the model stay there.
//! Everything else is at most a small multiple of the bytes that say it, since no message is kept that
//! says nothing: a node has an operator, an input a name, an attribute a name and a value.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use super::external::Externals;
use super::tensors;
use super::wire::{Field, Message, Place, Value};
use super::{Attribute, Bytes, Dimension, Graph, Initializer, Model, Node, ValueInfo};
use crate::Error;
use crate::files;

/// Graphs within graphs: as protobuf's own limit of 100 messages allows.
const DEPTH_MAX: usize = 33;

/// Where bytes come from.
pub(super) struct Source<'f> {
    file: &'f [u8],
    /// The same, where the file is mapped.
    map: Option<Arc<Mmap>>,
    pub(super) externals: Externals,
}

impl Source<'_> {
    /// Bytes of the model's file, without a copy where it is mapped.
    pub(super) fn bytes(&self, range: Range<usize>) -> Bytes {
        match &self.map {
            Some(map) => Bytes::Mapped(Arc::clone(map), range),
            None => Bytes::Owned(self.file[range].to_vec()),
        }
    }
}

/// Reads a model's file, which is mapped into memory, and tensors in files beside it.
///
/// # Errors
/// [`Error::File`] if there is no such regular file or it cannot be read; [`Error::Onnx`] as
/// [`parse`].
pub fn read(path: &Path) -> Result<Model, Error> {
    let map = files::map(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    model(Source {
        file: &map,
        map: Some(Arc::clone(&map)),
        externals: Externals::beside(Some(folder.to_owned())),
    })
}

/// Reads a model from memory; `folder` is where the files of its external tensors are, if any.
///
/// # Errors
/// [`Error::Onnx`], with the byte and the field's path, for bytes that are no model: damaged
/// messages, lengths beyond the file's, text that is not UTF-8, graphs in more than 33 levels,
/// unknown element types, tensors with more or fewer elements than their shape says, and external
/// files outside the folder.
pub fn parse(bytes: &[u8], folder: Option<&Path>) -> Result<Model, Error> {
    model(Source {
        file: bytes,
        map: None,
        externals: Externals::beside(folder.map(Path::to_owned)),
    })
}

fn model(mut source: Source<'_>) -> Result<Model, Error> {
    let mut message = Message::new(source.file, &Place::ROOT);
    let mut model = Model::default();
    let mut found = false;
    while let Some(field) = message.next()? {
        match field.number {
            1 => model.ir_version = message.int(&field, "ir_version")?,
            2 => model.producer = message.text(&field, "producer_name")?,
            7 => {
                let place = message.place.field("graph");
                once(found, &field, &place)?;
                found = true;
                model.graph = graph(&mut source, message.open(&field, &place)?, 1)?;
            }
            8 => {
                let place = message.place.item("opset_import", model.opsets.len());
                model.opsets.push(opset(message.open(&field, &place)?)?);
            }
            _ => keep(&mut model.rest, message, &field),
        }
    }
    match found {
        true => Ok(model),
        false => Err(message.place.error(message.offset(), "has no graph")),
    }
}

/// Keeps a field that is not read.
fn keep(rest: &mut Vec<u8>, message: Message<'_, '_>, field: &Field) {
    rest.extend_from_slice(message.slice(field.range.clone()));
}

/// Refuses a second one of a field that may be there once.
fn once(found: bool, field: &Field, place: &Place<'_>) -> Result<(), Error> {
    match found {
        false => Ok(()),
        true => Err(place.error(field.range.start, "is there twice")),
    }
}

fn opset(mut message: Message<'_, '_>) -> Result<(String, i64), Error> {
    let (mut domain, mut version) = (String::new(), 0);
    while let Some(field) = message.next()? {
        match field.number {
            1 => domain = message.text(&field, "domain")?,
            2 => version = message.int(&field, "version")?,
            _ => {}
        }
    }
    Ok((domain, version))
}

fn graph(
    source: &mut Source<'_>,
    mut message: Message<'_, '_>,
    depth: usize,
) -> Result<Graph, Error> {
    if depth > DEPTH_MAX {
        let text = format!("graphs in more than {DEPTH_MAX} levels");
        return Err(message.place.error(message.offset(), text));
    }
    // Counted first, so that no list is ever moved to a larger place.
    let mut graph = Graph {
        nodes: Vec::with_capacity(message.count(1, 5)?),
        initializers: Vec::with_capacity(message.count(5, 4)?),
        inputs: Vec::with_capacity(message.count(11, 5)?),
        outputs: Vec::with_capacity(message.count(12, 5)?),
        ..Graph::default()
    };
    while let Some(field) = message.next()? {
        match field.number {
            1 => {
                let place = message.place.item("node", graph.nodes.len());
                let node = node(source, message.open(&field, &place)?, depth)?;
                graph.nodes.push(node);
            }
            2 => graph.name = message.text(&field, "name")?,
            5 => {
                let place = message.place.item("initializer", graph.initializers.len());
                match tensors::read(source, message.open(&field, &place)?)? {
                    Some(tensor) => graph.initializers.push(tensor),
                    None => keep(&mut graph.rest, message, &field),
                }
            }
            11 => {
                let place = message.place.item("input", graph.inputs.len());
                let value = value_info(message.open(&field, &place)?)?;
                graph.inputs.push(value);
            }
            12 => {
                let place = message.place.item("output", graph.outputs.len());
                let value = value_info(message.open(&field, &place)?)?;
                graph.outputs.push(value);
            }
            _ => keep(&mut graph.rest, message, &field),
        }
    }
    Ok(graph)
}

fn node(
    source: &mut Source<'_>,
    mut message: Message<'_, '_>,
    depth: usize,
) -> Result<Node, Error> {
    let mut node = Node {
        inputs: Vec::with_capacity(message.count(1, 2)?),
        outputs: Vec::with_capacity(message.count(2, 2)?),
        attributes: Vec::with_capacity(message.count(5, 7)?),
        ..Node::default()
    };
    let start = message.offset();
    while let Some(field) = message.next()? {
        match field.number {
            1 => node.inputs.push(message.text(&field, "input")?),
            2 => node.outputs.push(message.text(&field, "output")?),
            3 => node.name = message.text(&field, "name")?,
            4 => node.operator = message.text(&field, "op_type")?,
            5 => {
                let place = message.place.item("attribute", node.attributes.len());
                let attribute = attribute(source, message.open(&field, &place)?, depth)?;
                node.attributes.push(attribute);
            }
            7 => node.domain = message.text(&field, "domain")?,
            _ => keep(&mut node.rest, message, &field),
        }
    }
    match node.operator.is_empty() {
        true => Err(message.place.field("op_type").error(start, "is empty")),
        false => Ok(node),
    }
}

/// Fields of an attribute as they come; which of them counts, its type says.
#[derive(Default)]
struct Values {
    name: String,
    kind: i64,
    /// The field that was found last, for files older than the type.
    last: u32,
    reference: bool,
    float: f32,
    int: i64,
    string: Range<usize>,
    tensor: Option<Option<Initializer>>,
    graph: Option<Graph>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    strings: Vec<Vec<u8>>,
}

impl Values {
    /// Numbers of `AttributeProto.AttributeType`, and the field that each one has its value in.
    const KINDS: [(i64, u32); 8] = [
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 7),
        (7, 8),
        (8, 9),
    ];

    /// Numbers of the kinds that are kept as they are.
    const OTHER: std::ops::RangeInclusive<i64> = 9..=14;

    fn read(
        source: &mut Source<'_>,
        mut message: Message<'_, '_>,
        depth: usize,
    ) -> Result<Self, Error> {
        let mut values = Self::default();
        while let Some(field) = message.next()? {
            match field.number {
                1 => values.name = message.text(&field, "name")?,
                2 => values.float = message.float(&field, "f")?,
                3 => values.int = message.int(&field, "i")?,
                4 => values.string = message.bytes(&field, "s")?,
                5 => {
                    let place = message.place.field("t");
                    once(values.tensor.is_some(), &field, &place)?;
                    let tensor = tensors::read(source, message.open(&field, &place)?)?;
                    values.tensor = Some(tensor);
                }
                6 => {
                    let place = message.place.field("g");
                    once(values.graph.is_some(), &field, &place)?;
                    let graph = graph(source, message.open(&field, &place)?, depth + 1)?;
                    values.graph = Some(graph);
                }
                7 => {
                    let range = message.words(&field, "floats", 4)?;
                    let words = message.slice(range).as_chunks().0.iter();
                    values
                        .floats
                        .extend(words.map(|word| f32::from_le_bytes(*word)));
                }
                8 => {
                    let ints = &mut values.ints;
                    message.each_varint(&field, "ints", |_, value| {
                        ints.push(value.cast_signed());
                        Ok(())
                    })?;
                }
                9 => {
                    let range = message.bytes(&field, "strings")?;
                    values.strings.push(message.slice(range).to_vec());
                }
                20 => values.kind = message.int(&field, "type")?,
                21 => values.reference = !message.bytes(&field, "ref_attr_name")?.is_empty(),
                _ => {}
            }
            if !matches!(field.number, 1 | 13 | 20 | 21) {
                values.last = field.number;
            }
        }
        Ok(values)
    }
}

fn attribute(
    source: &mut Source<'_>,
    message: Message<'_, '_>,
    depth: usize,
) -> Result<(String, Attribute), Error> {
    let start = message.offset();
    let values = Values::read(source, message, depth)?;
    if values.name.is_empty() {
        return Err(message.place.field("name").error(start, "is empty"));
    }
    let other = || {
        let all = start..start + message.len();
        Attribute::Other(message.slice(all).to_vec())
    };
    // IR version 1 had no type, only the field.
    let field = Values::KINDS.iter().find(|(kind, _)| *kind == values.kind);
    let field = match values.kind {
        0 => values.last,
        _ => field.map_or(0, |(_, field)| *field),
    };
    let missing = |name| message.place.field(name).error(start, "is missing");
    let attribute = match field {
        _ if values.reference || Values::OTHER.contains(&values.kind) => other(),
        2 => Attribute::Float(values.float),
        3 => Attribute::Int(values.int),
        4 => Attribute::String(message.slice(values.string).to_vec()),
        5 => match values.tensor.ok_or_else(|| missing("t"))? {
            Some(tensor) => Attribute::Tensor(tensor),
            None => other(),
        },
        6 => Attribute::Graph(values.graph.ok_or_else(|| missing("g"))?),
        7 => Attribute::Floats(values.floats),
        8 => Attribute::Ints(values.ints),
        9 => Attribute::Strings(values.strings),
        _ => {
            let place = message.place.field("type");
            let text = format!("{} is no type of a value that is there", values.kind);
            return Err(place.error(start, text));
        }
    };
    Ok((values.name, attribute))
}

fn value_info(mut message: Message<'_, '_>) -> Result<ValueInfo, Error> {
    let mut value = ValueInfo::default();
    let (start, mut found) = (message.offset(), false);
    while let Some(field) = message.next()? {
        match field.number {
            1 => value.name = message.text(&field, "name")?,
            2 => {
                let place = message.place.field("type");
                once(found, &field, &place)?;
                found = true;
                if !value_type(message.open(&field, &place)?, &mut value)? {
                    keep(&mut value.rest, message, &field);
                }
            }
            _ => keep(&mut value.rest, message, &field),
        }
    }
    match value.name.is_empty() {
        true => Err(message.place.field("name").error(start, "is empty")),
        false => Ok(value),
    }
}

/// Reads a `TypeProto`; `false` where it is no tensor, or one of elements that are not read.
fn value_type(mut message: Message<'_, '_>, value: &mut ValueInfo) -> Result<bool, Error> {
    while let Some(field) = message.next()? {
        if field.number != 1 {
            continue;
        }
        let place = message.place.field("tensor_type");
        let mut tensor = message.open(&field, &place)?;
        let (mut number, mut shape) = (0, None);
        while let Some(field) = tensor.next()? {
            match field.number {
                1 => number = tensor.int(&field, "elem_type")?,
                2 => {
                    let place = place.field("shape");
                    shape = Some(dimensions(tensor.open(&field, &place)?)?);
                }
                _ => {}
            }
        }
        let element = tensors::element_type(number);
        if element.is_some() || number == 0 {
            (value.element, value.shape) = (element, shape);
            return Ok(true);
        }
    }
    Ok(false)
}

fn dimensions(mut message: Message<'_, '_>) -> Result<Vec<Dimension>, Error> {
    let mut dimensions = Vec::with_capacity(message.count(1, 2)?);
    while let Some(field) = message.next()? {
        if field.number != 1 {
            continue;
        }
        let place = message.place.item("dim", dimensions.len());
        let mut dimension = message.open(&field, &place)?;
        let mut length = Dimension::Symbolic(String::new());
        while let Some(field) = dimension.next()? {
            match (field.number, &field.value) {
                (1, Value::Varint(value)) => {
                    // Some writers have -1 for a length that is decided by a run.
                    length = match usize::try_from(value.cast_signed()) {
                        Ok(fixed) => Dimension::Fixed(fixed),
                        Err(_) => Dimension::Symbolic(String::new()),
                    };
                }
                (2, _) => length = Dimension::Symbolic(dimension.text(&field, "dim_param")?),
                _ => {}
            }
        }
        dimensions.push(length);
    }
    Ok(dimensions)
}
