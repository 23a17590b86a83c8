//! Tensors of every element type: bytes to elements and back, beside PyPI onnx.

use std::process::Command;

use ndarray::{ArrayD, IxDyn};
use quaver_quant::onnx::{self, Bytes, Initializer};
use quaver_quant::{ElementType, Error, Tensor};
use quaver_tests::python;
use quaver_verify::Random;

use crate::run;

const SEED: u64 = 1;

/// Writes `<name>.onnx` for every type: a model with one tensor of the given bytes in `raw_data`, and
/// the same in the typed field; prints the elements, one type a line.
const SCRIPT: &str = "
import sys, pathlib, numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
folder, length = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for name in sys.argv[3:]:
    raw = (folder / name).read_bytes()
    kind = TensorProto.DataType.Value(name)
    tensor = TensorProto(name='raw', data_type=kind, dims=[length], raw_data=raw)
    array = numpy_helper.to_array(tensor)
    if name in ('FLOAT', 'DOUBLE'):
        typed = helper.make_tensor('typed', kind, [length], array)
    elif name in ('UINT4', 'INT4', 'FLOAT4E2M1', 'UINT2', 'INT2'):
        typed = TensorProto(name='typed', data_type=kind, dims=[length], int32_data=raw)
    elif name.startswith(('FLOAT', 'BFLOAT')):
        bits = array.view(f'u{array.itemsize}')
        typed = TensorProto(name='typed', data_type=kind, dims=[length], int32_data=bits)
    else:
        typed = helper.make_tensor('typed', kind, [length], array)
    assert not typed.HasField('raw_data'), name
    graph = helper.make_graph([], 'g', [], [], [tensor, typed])
    onnx.save(helper.make_model(graph), folder / f'{name}.onnx')
    if name.startswith(('UINT', 'INT')):
        print(*(int(x) for x in array))
    elif name == 'BOOL':
        print(*(int(bool(x)) for x in array))
    elif name == 'DOUBLE':
        with np.errstate(over='ignore'):
            print(*array.astype(np.float32).view(np.uint32))
    elif name in ('FLOAT', 'FLOAT16', 'BFLOAT16'):
        print(*array.view(f'u{array.itemsize}'))
    else:
        print(*(array.view(np.uint8) & (15 if name == 'FLOAT4E2M1' else 255)))
";

/// Elements as the script prints them.
fn print(tensor: &Tensor) -> Vec<i64> {
    match tensor {
        Tensor::Float(values) => values.iter().map(|x| i64::from(x.to_bits())).collect(),
        Tensor::Int(_, values) => values.iter().copied().collect(),
        Tensor::Bool(values) => values.iter().map(|&x| i64::from(x)).collect(),
        Tensor::Codes(_, codes) => codes.iter().map(|&code| i64::from(code)).collect(),
    }
}

/// Bytes of so many elements: random ones that the type has, NaN among them.
fn random_bytes(element: ElementType, length: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..element.bytes(length).unwrap())
        .map(|_| (random.bits32() >> 24) as u8)
        .collect();
    match element {
        ElementType::Bool => bytes.iter_mut().for_each(|byte| *byte &= 1),
        // What an i64 has no room for is tested below.
        ElementType::Uint64 => bytes
            .iter_mut()
            .skip(7)
            .step_by(8)
            .for_each(|byte| *byte &= 0x7f),
        // A quiet NaN stays what it is on its way through a double.
        ElementType::Double => {
            for word in bytes.as_chunks_mut::<8>().0 {
                if f64::from_le_bytes(*word).is_nan() {
                    *word = f64::INFINITY.to_le_bytes();
                }
            }
        }
        _ => {}
    }
    bytes
}

#[test]
fn elements_random_bytes_vs_onnx() {
    // Odd, so that the last byte of elements of 2 and 4 bits is not full.
    const LENGTH: usize = 257;
    let mut random = Random::new(SEED, "elements of tensors");
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = Vec::new();
    for &element in ElementType::ALL {
        let mut bytes = random_bytes(element, LENGTH, &mut random);
        if element.bits() < 8 {
            *bytes.last_mut().unwrap() &= (1 << element.bits()) - 1;
        }
        std::fs::write(folder.path().join(element.name()), &bytes).unwrap();
        wanted.push(bytes);
    }
    let names = ElementType::ALL.iter().map(|element| element.name());
    let mut command = Command::new(python());
    command
        .args(["-c", SCRIPT])
        .arg(folder.path())
        .arg(LENGTH.to_string())
        .args(names);
    let report = run(&mut command);
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), ElementType::ALL.len(), "{report}");
    for ((&element, line), bytes) in ElementType::ALL.iter().zip(lines).zip(wanted) {
        let name = element.name();
        let expected: Vec<i64> = line.split(' ').map(|x| x.parse().unwrap()).collect();
        let path = folder.path().join(format!("{name}.onnx"));
        let model = onnx::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        for found in &model.graph.initializers {
            assert_eq!(*found.bytes, bytes, "{name} {}, seed {SEED}", found.name);
            let tensor = found.tensor().unwrap();
            assert_eq!(
                print(&tensor),
                expected,
                "{name} {}, seed {SEED}",
                found.name
            );
            if element != ElementType::Double {
                let back = Initializer::new(found.name.clone(), &tensor).unwrap();
                assert_eq!(back, *found, "{name}, seed {SEED}");
            }
        }
    }
}

#[test]
fn elements_that_a_type_does_not_have_are_refused() {
    let mut types = 0;
    for &element in ElementType::ALL {
        let bits = u32::try_from(element.bits()).unwrap();
        let bad: &[i64] = match (element.name(), bits) {
            ("INT64" | "FLOAT" | "DOUBLE" | "BOOL", _) => continue,
            ("UINT64", _) => &[-1, i64::MIN],
            (name, _) if name.starts_with("INT") => &[1 << (bits - 1), -(1 << (bits - 1)) - 1],
            (name, _) if name.starts_with("UINT") => &[1 << bits, -1],
            (_, 16) => continue,
            _ => &[1 << bits],
        };
        for &value in bad {
            let shape = IxDyn(&[1]);
            let tensor = match element.is_integer() {
                true => Tensor::Int(element, ArrayD::from_elem(shape, value)),
                false => Tensor::Codes(element, ArrayD::from_elem(shape, value as u16)),
            };
            let error = Initializer::new("x", &tensor).unwrap_err();
            assert!(matches!(error, Error::Illegal { .. }), "{error}");
            assert!(error.to_string().contains(element.name()), "{error}");
        }
        types += 1;
    }
    assert_eq!(types, ElementType::ALL.len() - 6);
}

#[test]
fn integers_beyond_63_bits_are_refused() {
    let tensor = Initializer {
        name: "x".to_owned(),
        element: ElementType::Uint64,
        shape: vec![1],
        bytes: Bytes::Owned(u64::MAX.to_le_bytes().to_vec()),
    };
    let error = tensor.tensor().unwrap_err();
    assert_eq!(
        error.to_string(),
        "x 18446744073709551615 is not allowed (up to 2^63 - 1)"
    );
}

#[test]
fn bytes_of_another_shape_are_refused() {
    for &element in ElementType::ALL {
        let tensor = Initializer {
            name: "x".to_owned(),
            element,
            shape: vec![2, 500],
            bytes: Bytes::Owned(vec![0; 8]),
        };
        assert!(matches!(tensor.tensor(), Err(Error::Illegal { .. })));
    }
}
