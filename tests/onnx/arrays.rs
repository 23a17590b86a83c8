//! Archives of arrays, beside numpy.

use std::collections::BTreeMap;
use std::process::Command;

use ndarray::{ArrayD, IxDyn};
use quaver_quant::{ElementType, Error, Tensor, npz};
use quaver_tests::python;

use crate::run;

/// Writes an archive with every type that is read, in both orders of bytes and of axes, and prints
/// the name, shape and elements of each array, one a line.
const WRITE: &str = "
import sys, numpy as np
save = {'stored': np.savez, 'compressed': np.savez_compressed}[sys.argv[2]]
rng = np.random.default_rng(1)
arrays = {}
for kind in ['b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8']:
    for shape in [(), (3,), (2, 3, 4), (0, 5)]:
        size = int(np.prod(shape)) * int(kind[1])
        raw = rng.integers(0, 2 if kind == 'b1' else 120, size, np.uint8).tobytes()
        array = np.frombuffer(raw, '<' + kind).reshape(shape)
        at = f'{kind}.{len(shape)}'
        arrays[at] = array
        arrays[at + '.big'] = array.astype('>' + kind)
        arrays[at + '.fortran'] = np.asfortranarray(array)
save(sys.argv[1], **arrays)
for name, array in arrays.items():
    array = array.astype(array.dtype.newbyteorder('='))
    if name.startswith('f8'):
        array = array.astype(np.float32)
    if name.startswith('f'):
        array = array.view(f'u{array.itemsize}')
    print(name, '.'.join(map(str, array.shape)), *(int(x) for x in array.ravel()), sep=' ')
";

/// Prints what numpy finds in an archive: name, type, shape, and bytes of the elements.
const READ: &str = "
import sys, numpy as np
for name, array in np.load(sys.argv[1]).items():
    print(name, array.dtype.str, '.'.join(map(str, array.shape)), array.tobytes().hex())
";

fn text(tensor: &Tensor) -> String {
    let shape: Vec<String> = tensor.shape().iter().map(ToString::to_string).collect();
    let mut text = shape.join(".");
    let mut add = |x: i64| text += &format!(" {x}");
    match tensor {
        Tensor::Float(values) => values.iter().for_each(|x| add(i64::from(x.to_bits()))),
        Tensor::Int(_, values) => values.iter().for_each(|&x| add(x)),
        Tensor::Bool(values) => values.iter().for_each(|&x| add(i64::from(x))),
        Tensor::Codes(_, codes) => codes.iter().for_each(|&x| add(i64::from(x))),
    }
    text
}

#[test]
fn arrays_of_every_type_vs_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for way in ["stored", "compressed"] {
        let mut command = Command::new(python());
        let report = run(command.args(["-c", WRITE]).arg(&path).arg(way));
        let arrays = npz::read(&path).unwrap();
        assert_eq!(arrays.len(), report.lines().count());
        assert_eq!(arrays.len(), 12 * 4 * 3);
        for line in report.lines() {
            let (name, expected) = line.split_once(' ').unwrap();
            assert_eq!(text(&arrays[name]), expected, "{way} {name}");
        }
    }
}

#[test]
fn written_arrays_vs_numpy() {
    let int = |element, values: &[i64]| {
        let values = ArrayD::from_shape_vec(IxDyn(&[values.len(), 1]), values.to_vec());
        Tensor::Int(element, values.unwrap())
    };
    let codes = |element, code| Tensor::Codes(element, ArrayD::from_elem(IxDyn(&[2]), code));
    let turned = ArrayD::from_shape_fn(IxDyn(&[2, 3]), |i| (3 * i[0] + i[1]) as f32);
    let rows = [
        (
            "a",
            Tensor::Float(turned.reversed_axes()),
            "<f4 3.2 0000000000004040",
        ),
        (
            "b",
            Tensor::Bool(ArrayD::from_elem(IxDyn(&[]), true)),
            "|b1  01",
        ),
        (
            "c",
            int(ElementType::Int64, &[-1, 2]),
            "<i8 2.1 ffffffffffffffff0200000000000000",
        ),
        ("d", int(ElementType::Int8, &[-128]), "|i1 1.1 80"),
        ("e", int(ElementType::Uint16, &[65535]), "<u2 1.1 ffff"),
        ("f", int(ElementType::Int4, &[-8, 7]), "|i1 2.1 f807"),
        ("g", codes(ElementType::Float16, 0x3c00), "<f2 2 003c003c"),
        ("h", codes(ElementType::Bfloat16, 0x3f80), "<u2 2 803f803f"),
        ("i", codes(ElementType::Float8E4m3fn, 0x7e), "|u1 2 7e7e"),
        (
            "j",
            Tensor::Float(ArrayD::zeros(IxDyn(&[0, 4]))),
            "<f4 0.4 ",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    npz::write(&path, rows.iter().map(|(name, tensor, _)| (*name, tensor))).unwrap();
    let mut command = Command::new(python());
    let report = run(command.args(["-c", READ]).arg(&path));
    let found: BTreeMap<&str, &str> = report.lines().map(|x| x.split_once(' ').unwrap()).collect();
    assert_eq!(found.len(), rows.len());
    for (name, _, expected) in &rows {
        assert!(found[name].starts_with(expected), "{name}: {}", found[name]);
    }
    // Names as models have them.
    for name in ["/layer.0/MatMul_output_0", "a/../b:0", "größe/x"] {
        let mut bytes = Vec::new();
        npz::write_to(&mut bytes, [(name, &rows[0].1)]).unwrap();
        assert_eq!(npz::parse(&bytes).unwrap()[name], rows[0].1);
        std::fs::write(&path, bytes).unwrap();
        let mut command = Command::new(python());
        let report = run(command.args(["-c", READ]).arg(&path));
        assert!(report.starts_with(&format!("{name} <f4 3.2 ")), "{report}");
    }
    let refused = npz::write_to(&mut Vec::new(), [("/größe", &rows[0].1)]);
    assert!(refused.unwrap_err().to_string().contains("beyond ASCII"));
    npz::write(&path, rows.iter().map(|(name, tensor, _)| (*name, tensor))).unwrap();
    let mut again = Vec::new();
    let arrays = rows.iter().map(|(name, tensor, _)| (*name, tensor));
    npz::write_to(&mut again, arrays).unwrap();
    assert_eq!(again, std::fs::read(&path).unwrap());
    // What has a type of its own in numpy is read as it was written.
    let back = npz::read(&path).unwrap();
    for name in ["a", "b", "c", "d", "e", "g", "j"] {
        let (_, tensor, _) = rows.iter().find(|row| row.0 == name).unwrap();
        assert_eq!(back[name], *tensor, "{name}");
    }
}

/// Every kind of archive that is refused: how numpy or zipfile writes it, and the error.
const WRONG: &[(&str, &str)] = &[
    ("open(path, 'wb').write(b'no archive')", "archive: "),
    (
        "zipfile.ZipFile(path, 'w').writestr('x.txt', b'')",
        "array \"x.txt\": the name of an array ends in .npy",
    ),
    (
        "zipfile.ZipFile(path, 'w').writestr('x.npy', b'text')",
        "array \"x\": truncated",
    ),
    (
        "np.savez(path, x=np.zeros(2, complex))",
        "array \"x\": dtype <c16 is not allowed (b1, i1,",
    ),
    (
        "np.savez(path, x=np.array(['a']))",
        "array \"x\": dtype <U1 is not allowed",
    ),
    (
        "np.savez(path, x=np.array([{}], dtype=object))",
        "array \"x\": dtype |O is not allowed",
    ),
    (
        "np.savez(path, x=np.uint64(2**63))",
        "x 9223372036854775808 is not allowed (up to 2^63 - 1)",
    ),
    (
        "np.savez_compressed(path, x=np.zeros(2**25 + 2**21, np.int8))",
        "array \"x\": the archive unpacks to more than 33554432 bytes and 32 for each of its own",
    ),
    (
        "np.savez_compressed(path, x=np.zeros(2**24), y=np.zeros(2**24))",
        "array \"x\": the archive unpacks to more",
    ),
    (
        "with_header(path, '(1000000000000,)')",
        "array \"x\": truncated: the array holds 0 of the 4000000000000 data bytes",
    ),
    (
        "with_header(path, '(4611686018427387904, 8)')",
        "array \"x\": shape [4611686018427387904, 8] does not fit",
    ),
    (
        "with_header(path, '()', b'12345')",
        "array \"x\": the array goes on after the 4 data bytes",
    ),
    (
        "with_header(path, '(' + '(' * 5000)",
        "array \"x\": header nests deeper",
    ),
    ("twice(path)", "array \"x\": is there twice"),
    ("np.savez(path, x=np.zeros(1)); cut(path)", "archive: "),
];

#[test]
fn wrong_archives_are_refused() {
    const PRELUDE: &str = "
import sys, struct, zipfile, numpy as np
path = sys.argv[1]
def with_header(path, shape, data=b''):
    text = f\"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\\n\".encode()
    header = b'\\x93NUMPY\\x01\\x00' + struct.pack('<H', len(text)) + text
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x.npy', header + data)
def twice(path):
    with_header(path, '()', b'1234')
    with zipfile.ZipFile(path) as archive:
        array = archive.read('x.npy')
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr('x.npy', array)
def cut(path):
    # The end says that there are two arrays.
    data = bytearray(open(path, 'rb').read())
    data[-12] = data[-14] = 2
    open(path, 'wb').write(data)
";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for (code, expected) in WRONG {
        let mut command = Command::new(python());
        run(command.arg("-c").arg(format!("{PRELUDE}{code}")).arg(&path));
        let error = npz::read(&path).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{code}: {error}");
    }
    let error = npz::read(folder.path()).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
}
