//! ONNX models as messages, and tensors in files beside them.

use arbitrary::Unstructured;
use quaver_quant::{Error, onnx};

/// Reads a model and its tensors. What is a model is written, and is then the same model.
///
/// # Panics
/// When an error has no place, or the model is another one.
pub fn read(bytes: &[u8]) -> bool {
    let model = match onnx::parse(bytes, None) {
        Ok(model) => model,
        Err(error) => {
            let Error::Onnx { offset, .. } = &error else {
                panic!("{error}");
            };
            assert!(*offset <= bytes.len(), "{error}");
            return false;
        }
    };
    for tensor in model.graph.tensors() {
        // Only what the tensors of this project have no room for is refused.
        if let Err(error) = tensor.tensor() {
            assert!(error.to_string().contains("up to 2^63 - 1"), "{error}");
        }
    }
    let mut written = Vec::new();
    onnx::write_to(&model, &mut written).expect("memory takes it");
    drop(model);
    let mut again = Vec::new();
    let model = onnx::parse(&written, None).expect("it was just written");
    onnx::write_to(&model, &mut again).expect("memory takes it");
    // Bytes, since a NaN is not equal to itself.
    assert_eq!(written, again);
    true
}

/// A field of bytes in the wire format of protobuf.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

/// Every byte of a file in the model's folder, and of one outside.
const INSIDE: u8 = 0x11;
const OUTSIDE: u8 = 0xee;

const LOCATIONS: &[&str] = &[
    "data",
    "sub/data",
    "./data",
    "../secret",
    "link",
    "loop",
    "sub",
    "sub/../../secret",
    "sub/up/secret",
    "/etc/passwd",
    "data/",
    "",
    ".",
    "none",
];

/// A tensor of bytes at any location, offset and length: never one from outside of the model's folder.
///
/// # Panics
/// When it is, or an error has no place.
pub fn external(bytes: &[u8]) -> bool {
    let mut input = Unstructured::new(bytes);
    let Ok((folder, model)) = scene(&mut input) else {
        return false;
    };
    match onnx::parse(&model, Some(&folder.path().join("model"))) {
        Ok(model) => {
            for tensor in &model.graph.initializers {
                assert!(!tensor.bytes.contains(&OUTSIDE), "bytes from outside");
                let all = tensor.bytes.iter().all(|byte| *byte == INSIDE);
                assert!(all && tensor.bytes.len() <= 256);
            }
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(matches!(error, Error::Onnx { .. }), "{text}");
            false
        }
    }
}

type Scene = (tempfile::TempDir, Vec<u8>);

fn scene(input: &mut Unstructured<'_>) -> arbitrary::Result<Scene> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let root = folder.path();
    let inside = root.join("model");
    let make = || -> std::io::Result<()> {
        std::fs::create_dir_all(inside.join("sub"))?;
        std::fs::write(inside.join("data"), [INSIDE; 64])?;
        std::fs::write(inside.join("sub/data"), [INSIDE; 256])?;
        std::fs::write(root.join("secret"), [OUTSIDE; 256])?;
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../secret", inside.join("link"))?;
            std::os::unix::fs::symlink("loop", inside.join("loop"))?;
            std::os::unix::fs::symlink("../..", inside.join("sub/up"))?;
        }
        Ok(())
    };
    make().expect("files can be made");
    let mut tensor = vec![0x10, 2];
    for _ in 0..input.int_in_range(0..=3)? {
        tensor.extend([0x08, input.arbitrary::<u8>()? & 0x7f]);
    }
    tensor.extend([0x70, 1]);
    for _ in 0..input.int_in_range(0..=4)? {
        let (key, value) = match input.int_in_range(0..=4)? {
            0 | 1 => ("location", (*input.choose(LOCATIONS)?).to_owned()),
            2 => ("location", input.arbitrary::<String>()?),
            3 => ("offset", input.arbitrary::<u64>()?.to_string()),
            _ => ("length", input.arbitrary::<u8>()?.to_string()),
        };
        let entry = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        tensor.extend(field(13, &entry));
    }
    tensor.extend(field(8, b"w"));
    Ok((folder, field(7, &field(5, &tensor))))
}
