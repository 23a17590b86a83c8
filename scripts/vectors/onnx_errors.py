"""Writes tests/vectors/onnx/: small files that are no ONNX models, and what is wrong with each one.

    target/venv/bin/python scripts/vectors/onnx_errors.py

Every row below is a file NAME.onnx and a line of errors.txt: the byte, the field's path and the words
that the reader's error has. The bytes are put together here from the wire format of protocol buffers
(protobuf.dev, "Encoding") and the field numbers of onnx.proto (ONNX 1.22).
"""

import pathlib

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/vectors/onnx"

# Types of elements.
FLOAT, INT8, INT64, UINT4, FLOAT8E4M3FN = 1, 3, 7, 21, 17


def varint(value):
    value &= (1 << 64) - 1
    low = bytearray()
    while value >= 0x80:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(low) + bytes([value])


def field(number, value):
    """An integer, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def model(*graph):
    return field(1, 13) + field(7, b"".join(graph))


def node(*fields, operator=b"Add"):
    return field(1, field(4, operator) + b"".join(fields))


def attribute(*fields, name=b"a"):
    return field(5, field(1, name) + b"".join(fields))


def tensor(kind, dims, *fields):
    return field(5, b"".join(field(1, d) for d in dims) + field(2, kind) + b"".join(fields))


def external(**entries):
    pairs = (field(1, key.encode()) + field(2, value.encode()) for key, value in entries.items())
    return field(14, 1) + b"".join(field(13, pair) for pair in pairs)


def nested(levels):
    graph = b""
    for _ in range(levels - 1):
        graph = node(attribute(field(6, graph), field(20, 5)), operator=b"If")
    return model(graph)


RAW, FLOATS, INT32S, INT64S = 9, 4, 5, 7
TENSOR = "graph.initializer[0]"
ATTRIBUTE = "graph.node[0].attribute[0]"

ROWS = [
    # Name, bytes, field, words.
    ("empty", b"", "model", "has no graph"),
    ("no-graph", field(1, 13), "model", "has no graph"),
    ("text", b"ONNX is no text\n", "model", "wire type"),
    ("field-zero", b"\x00\x00", "model", "a tag without a field's number"),
    ("field-too-large", varint(1 << 32) + b"\x00", "model", "a tag without a field's number"),
    ("group", b"\x3b\x3c", "model", "field 7 has wire type 3 (allowed: 0, 1, 2, 5)"),
    ("integer-cut", b"\x08\xff", "model", "ends within an integer"),
    (
        "integer-66-bits",
        b"\x08" + b"\xff" * 9 + b"\x7f",
        "model",
        "an integer of more than 64 bits",
    ),
    (
        "integer-11-bytes",
        b"\x08" + b"\x80" * 10 + b"\x01",
        "model",
        "an integer of more than 64 bits",
    ),
    ("number-cut", b"\x09\x00\x00", "model", "ends within a number"),
    ("graph-cut", b"\x3a\x05\x12\x01a", "model", "5 bytes where the message has 3 left"),
    (
        "graph-2-63",
        b"\x3a" + varint(1 << 63),
        "model",
        "9223372036854775808 bytes where the message",
    ),
    ("graph-twice", model() + field(7, b""), "graph", "is there twice"),
    ("graph-is-integer", field(7, 1), "graph", "is not text, bytes or a message"),
    ("version-is-text", field(1, b"13"), "ir_version", "is not an integer"),
    ("name-not-utf-8", model(field(2, b"ab\xff")), "graph.name", "text that is not UTF-8"),
    ("node-cut", model(b"\x0a\x7f"), "graph", "127 bytes where the message has 0 left"),
    ("node-without-operator", model(field(1, b"")), "graph.node[0].op_type", "is empty"),
    ("input-without-name", model(field(11, b"")), "graph.input[0].name", "is empty"),
    ("attribute-without-name", model(node(attribute(name=b""))), f"{ATTRIBUTE}.name", "is empty"),
    ("attribute-without-value", model(node(attribute())), f"{ATTRIBUTE}.type", "0 is no type"),
    ("attribute-type", model(node(attribute(field(20, 99)))), f"{ATTRIBUTE}.type", "99 is no type"),
    ("attribute-no-tensor", model(node(attribute(field(20, 4)))), f"{ATTRIBUTE}.t", "is missing"),
    ("attribute-no-graph", model(node(attribute(field(20, 5)))), f"{ATTRIBUTE}.g", "is missing"),
    (
        "floats-of-3-bytes",
        model(node(attribute(field(7, b"abc")))),
        f"{ATTRIBUTE}.floats",
        "is not numbers of 4 bytes",
    ),
    (
        "integers-cut",
        model(node(attribute(field(8, b"\x80")))),
        f"{ATTRIBUTE}.ints",
        "ends within an integer",
    ),
    (
        "nested-34",
        nested(34),
        ".".join(["graph"] + ["node[0].attribute[0].g"] * 33),
        "graphs in more than 33 levels",
    ),
    ("tensor-type-0", model(tensor(0, [])), f"{TENSOR}.data_type", "0 is no type of ONNX 1.22"),
    ("tensor-type-99", model(tensor(99, [])), f"{TENSOR}.data_type", "99 is no type of ONNX 1.22"),
    (
        "tensor-type-2-32",
        model(tensor((1 << 32) + 1, [])),
        f"{TENSOR}.data_type",
        "4294967297 is no type",
    ),
    (
        "tensor-length-negative",
        model(tensor(FLOAT, [-1])),
        f"{TENSOR}.dims",
        "a length has to be from 0",
    ),
    (
        "tensor-product-2-64",
        model(tensor(INT8, [1 << 32, 1 << 32])),
        f"{TENSOR}.dims",
        "have to be from 0",
    ),
    (
        "tensor-product-2-63",
        model(tensor(INT8, [1 << 31, 1 << 32])),
        f"{TENSOR}.dims",
        "have to be from 0",
    ),
    (
        "tensor-product-beside-0",
        model(tensor(INT8, [0, 1 << 62, 4])),
        f"{TENSOR}.dims",
        "have to be from 0",
    ),
    ("tensor-bytes-2-65", model(tensor(INT64, [1 << 62])), f"{TENSOR}.dims", "have to be from 0"),
    (
        "tensor-promises-2-40",
        model(tensor(FLOAT, [1 << 40])),
        f"{TENSOR}.float_data",
        "0 bytes where FLOAT [1099511627776] has 4398046511104",
    ),
    (
        "tensor-raw-short",
        model(tensor(FLOAT, [2], field(RAW, b"1234567"))),
        f"{TENSOR}.raw_data",
        "7 bytes where FLOAT [2] has 8",
    ),
    (
        "tensor-raw-long",
        model(tensor(UINT4, [2], field(RAW, b"12"))),
        f"{TENSOR}.raw_data",
        "2 bytes where UINT4 [2] has 1",
    ),
    (
        "tensor-raw-and-typed",
        model(tensor(INT64, [1], field(RAW, b"12345678"), field(INT64S, b"\x01"))),
        f"{TENSOR}.int64_data",
        "elements beside those of raw_data",
    ),
    (
        "tensor-wrong-field",
        model(tensor(INT64, [1], field(INT32S, b"\x01"))),
        f"{TENSOR}.int32_data",
        "holds no INT64 (allowed: int64_data)",
    ),
    (
        "tensor-too-few",
        model(tensor(INT8, [3], field(INT32S, b"\x01\x02"))),
        f"{TENSOR}.int32_data",
        "2 bytes where INT8 [3] has 3",
    ),
    (
        "tensor-too-many",
        model(tensor(INT8, [1], field(INT32S, b"\x01\x02"))),
        f"{TENSOR}.int32_data",
        "2 bytes where INT8 [1] has 1",
    ),
    (
        "tensor-code-256",
        model(tensor(FLOAT8E4M3FN, [1], field(INT32S, varint(256)))),
        f"{TENSOR}.int32_data",
        "256 does not fit FLOAT8E4M3FN",
    ),
    (
        "tensor-floats-of-5-bytes",
        model(tensor(FLOAT, [1], field(FLOATS, b"12345"))),
        f"{TENSOR}.float_data",
        "is not numbers of 4 bytes",
    ),
    (
        "tensor-in-pieces",
        model(tensor(FLOAT, [], field(3, b""))),
        f"{TENSOR}.segment",
        "tensors in pieces are not read",
    ),
    (
        "external-nowhere",
        model(tensor(FLOAT, [1], field(14, 1))),
        f"{TENSOR}.external_data",
        "has no location",
    ),
    (
        "external-parent",
        model(tensor(FLOAT, [1], external(location="../errors.txt"))),
        f"{TENSOR}.external_data",
        "is not a relative path below the model's folder",
    ),
    (
        "external-absolute",
        model(tensor(FLOAT, [1], external(location="/dev/zero"))),
        f"{TENSOR}.external_data",
        "is not a relative path below the model's folder",
    ),
    (
        "external-itself",
        model(tensor(FLOAT, [1 << 40], external(location="external-itself.onnx"))),
        f"{TENSOR}.external_data",
        '4398046511104 bytes from offset 0 of "external-itself.onnx"',
    ),
    (
        "external-offset",
        model(tensor(FLOAT, [1], external(location="errors.txt", offset="18446744073709551614"))),
        f"{TENSOR}.external_data",
        "4 bytes from offset 18446744073709551614",
    ),
    (
        "external-length",
        model(tensor(FLOAT, [1], external(location="errors.txt", length="5"))),
        f"{TENSOR}.external_data",
        "5 bytes where FLOAT [1] has 4",
    ),
]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.onnx"):
        old.unlink()
    lines = [
        "# Written by scripts/vectors/onnx_errors.py; do not edit. File; field; words of the error."
    ]
    for name, data, place, words in ROWS:
        (FOLDER / f"{name}.onnx").write_bytes(data)
        lines.append(f"{name}; {place}; {words}")
    (FOLDER / "errors.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
