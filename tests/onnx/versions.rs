//! Models of older operator sets, and equations of Einsum, beside onnx's reference and numpy.

use std::collections::BTreeMap;
use std::process::Command;

use quaver_fast::Fast;
use quaver_quant::graph::{NoHook, Session};
use quaver_quant::{Error, Plan, Tensor, npz, onnx};
use quaver_tests::python;

use crate::operators::difference;
use crate::run;

/// Writes a model for each case, its inputs and what onnx's reference makes of them, and prints how many.
/// A case is an operator, its opset, the inputs, which of them are constants, and the attributes.
const WRITE: &str = "
import sys, numpy as np, onnx
from onnx.reference import ReferenceEvaluator
from onnx import helper, numpy_helper, TensorProto
rng = np.random.default_rng(1)
f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
i = lambda *values: np.array(values, np.int64)
p = lambda *shape: np.abs(f(*shape)) + np.float32(0.5)
cases = [
    ('Softmax', 11, [f(2, 3, 4)], {}),
    ('Softmax', 12, [f(2, 3, 4)], dict(axis=2)),
    ('Softmax', 13, [f(2, 3, 4)], {}),
    ('LogSoftmax', 11, [f(2, 3, 4)], {}),
    ('LogSoftmax', 13, [f(2, 3, 4)], {}),
    ('BatchNormalization', 7, [f(2, 3, 4, 5), f(3), f(3), f(3), p(3)], {}),
    ('BatchNormalization', 9, [f(2, 3, 4, 5), f(3), f(3), f(3), p(3)], {}),
    ('BatchNormalization', 15, [f(2, 3, 4, 5), f(3), f(3), f(3), p(3)], {}),
    ('Squeeze', 11, [f(1, 3, 1, 2)], dict(axes=[0, -2])),
    ('Squeeze', 13, [f(1, 3, 1, 2), i(0, 2)], {}),
    ('Unsqueeze', 11, [f(3, 2)], dict(axes=[0, -1])),
    ('Unsqueeze', 13, [f(3, 2), i(0, -1)], {}),
    ('Dropout', 7, [f(3, 2)], dict(ratio=0.5)),
    ('Dropout', 10, [f(3, 2)], dict(ratio=0.5)),
    ('Clip', 7, [f(3, 4)], dict(min=-0.5, max=0.25)),
    ('Clip', 11, [f(3, 4), np.float32(-0.5), np.float32(0.25)], {}),
    ('Pad', 7, [f(2, 3)], dict(pads=[0, 1, 2, 0], value=1.5)),
    ('Pad', 11, [f(2, 3), i(0, 1, 2, 0), np.float32(1.5)], {}),
    ('Slice', 7, [f(4, 5)], dict(starts=[1, -3], ends=[3, 1000], axes=[0, 1])),
    ('Slice', 10, [f(4, 5), i(1, 4), i(3, 0), i(0, 1), i(1, -2)], {}),
    ('ReduceMean', 11, [f(2, 3, 4)], dict(axes=[1], keepdims=0)),
    ('ReduceMean', 18, [f(2, 3, 4), i(1)], dict(keepdims=0)),
    ('ReduceSum', 11, [f(2, 3, 4)], dict(axes=[-1])),
    ('ReduceL2', 11, [f(2, 3, 4)], dict(axes=[0, 2])),
    ('ReduceLogSumExp', 11, [f(2, 3, 4)], dict(axes=[0, 2])),
    ('Split', 11, [f(6, 2)], dict(axis=0)),
    ('TopK', 11, [f(3, 5), i(2)], dict(axis=1)),
    ('TopK', 11, [f(3, 5), i(2)], dict(axis=0, largest=0)),
    ('DepthToSpace', 7, [f(1, 8, 2, 3)], dict(blocksize=2)),
    ('DepthToSpace', 13, [f(1, 8, 2, 3)], dict(blocksize=2, mode='CRD')),
    ('GroupNormalization', 21, [f(2, 4, 3, 3), f(4), f(4)], dict(num_groups=2)),
    ('ConvTranspose', 7, [f(1, 2, 3, 3), f(2, 2, 3, 3)], dict(strides=[2, 2], pads=[1, 1, 1, 1])),
    ('ConvTranspose', 11, [f(1, 2, 3, 3), f(2, 2, 3, 3)], dict(strides=[2, 2], auto_pad='SAME_UPPER')),
    ('Max', 7, [f(2, 3), f(2, 3)], {}),
    ('Gemm', 7, [f(2, 3), f(3, 4), f(4)], dict(alpha=0.5)),
    ('PRelu', 7, [f(2, 3, 4), f(3, 1)], {}),
    ('Selu', 7, [f(2, 3)], {}),
    ('Add', 7, [f(2, 3), f(3)], {}),
    ('DequantizeLinear', 19, [np.int8(5), np.float32(0.5), np.int8(2)], {}),
]
shapes = dict(a=2, b=3, c=4, d=5, e=1)
equations = ['ab,bc->ac', 'ab,bc', 'ab,cb->ca', 'abc,acd->abd', 'abcd,abed->abce', 'abcd,aecd->acbe',
    'a,b->ab', 'a,b->ba', 'ab,ab->', 'ab,ab->ab', 'abc,c->a', 'ab,c->c', 'ab,acb->c', 'aab,bc->ac',
    '...ab,...bc->...ac', 'abc,dc->bad', 'aa->', 'aab->ba', 'abc->cab', 'abc->b', '...a->a...', 'ba']
for equation in equations:
    terms = equation.split('->')[0].split(',')
    make = lambda t: f(*([2, 3] if '...' in t else []), *(shapes[c] for c in t.replace('...', '')))
    cases.append(('Einsum', 12, [make(t) for t in terms], dict(equation=equation)))
cases.append(('Einsum', 12, [f(4, 1, 2, 3), f(5, 3, 4)], dict(equation='...ab,...bc->...ac')))
for n, (name, opset, arrays, attributes) in enumerate(cases):
    names = [f'x{k}' for k in range(len(arrays))]
    inputs, constants = [], []
    for at, array in zip(names, arrays):
        array = np.asarray(array)
        if array.dtype == np.int64 or array.ndim == 0:
            constants.append(numpy_helper.from_array(array, at))
        else:
            inputs.append(helper.make_tensor_value_info(at, TensorProto.FLOAT, array.shape))
    count = {'Split': 2, 'TopK': 2}.get(name, 1)
    outputs = [f'y{k}' for k in range(count)]
    node = helper.make_node(name, names, outputs, **attributes)
    kinds = [TensorProto.INT64 if (name, k) == ('TopK', 1) else TensorProto.FLOAT for k in range(count)]
    results = [helper.make_tensor_value_info(y, kind, None) for y, kind in zip(outputs, kinds)]
    graph = helper.make_graph([node], 'g', inputs, results, constants)
    ir = 3 if opset < 9 else 10
    if ir == 3:
        for c, array in zip(constants, [x for x in arrays if np.asarray(x).dtype == np.int64 or np.asarray(x).ndim == 0]):
            graph.input.append(helper.make_tensor_value_info(c.name, c.data_type, c.dims))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=ir)
    onnx.save(model, f'{sys.argv[1]}/{n}.onnx')
    feed = {x.name: arrays[names.index(x.name)] for x in inputs}
    # The reference has Softmax as of opset 13 only: before it, everything from the axis on is one line.
    if name.endswith('Softmax') and opset < 13:
        axis = attributes.get('axis', 1)
        line = arrays[0].reshape(int(np.prod(arrays[0].shape[:axis])), -1).astype(np.float64)
        soft = np.exp(line) / np.exp(line).sum(1, keepdims=True)
        soft = np.log(soft) if name == 'LogSoftmax' else soft
        found = [soft.reshape(arrays[0].shape).astype(np.float32)]
    # Nor does it run BatchNormalization before opset 14.
    elif name == 'BatchNormalization':
        scale, bias, mean, variance = (a.reshape(-1, 1, 1) for a in arrays[1:])
        found = [(arrays[0] - mean) / np.sqrt(variance + 1e-5) * scale + bias]
    else:
        found = ReferenceEvaluator(model).run(None, feed)
    np.savez(f'{sys.argv[1]}/{n}.in.npz', **feed)
    np.savez(f'{sys.argv[1]}/{n}.out.npz', **dict(zip(outputs, found)))
print(len(cases))
";

fn result(
    path: &std::path::Path,
    inputs: BTreeMap<String, Tensor>,
) -> Result<Vec<(String, Tensor)>, Error> {
    let model = onnx::read(path)?;
    let mut engine = Fast::new(1).unwrap();
    Session::new(&model)?.run(inputs, &Plan::keep(), &mut engine, &mut NoHook)
}

#[test]
fn operators_of_older_opsets_vs_onnx_reference() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(python());
    let count: usize = run(command.args(["-c", WRITE]).arg(folder.path()))
        .trim()
        .parse()
        .unwrap();
    assert!(count > 50);
    let mut wrong = Vec::new();
    for case in 0..count {
        let at = |end: &str| folder.path().join(format!("{case}.{end}"));
        let expected = npz::read(&at("out.npz")).unwrap();
        match result(&at("onnx"), npz::read(&at("in.npz")).unwrap()) {
            Err(error) => wrong.push(format!("{case}: {error}")),
            Ok(results) => {
                assert_eq!(results.len(), expected.len());
                for (name, tensor) in results {
                    wrong.extend(
                        difference(&tensor, &expected[&name])
                            .map(|text| format!("{case} {name}: {text}")),
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes a model of one node: its operator, its opset, how many operands, and its attributes.
const OLD: &str = "
import sys, onnx
from onnx import helper
name, opset, count, attributes, outputs = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), eval(sys.argv[5]), int(sys.argv[6])
names = [f'x{k}' for k in range(count)]
node = helper.make_node(name, names, [f'y{k}' for k in range(outputs)], name='n', **attributes)
x = [helper.make_tensor_value_info(at, 1, [2, 2, 2, 2]) for at in names]
graph = helper.make_graph([node], 'g', x, [helper.make_tensor_value_info('y0', 1, None)])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)]), sys.argv[1])
";

/// Nodes whose opset gives them a meaning of which there is none here, and what the error says.
const REFUSED: &[(&str, &str, &str, &str, &str, &str)] = &[
    (
        "Add",
        "6",
        "2",
        "dict(broadcast=1, axis=1)",
        "1",
        "supported from opset 7 on",
    ),
    (
        "BatchNormalization",
        "6",
        "5",
        "{}",
        "1",
        "supported from opset 7 on",
    ),
    (
        "BatchNormalization",
        "8",
        "5",
        "dict(spatial=0)",
        "1",
        "spatial = 0 means something else; supported from opset 9 on",
    ),
    (
        "BatchNormalization",
        "9",
        "5",
        "{}",
        "5",
        "training is not supported",
    ),
    ("Concat", "3", "2", "{}", "1", "supported from opset 4 on"),
    (
        "ConvTranspose",
        "10",
        "2",
        "dict(auto_pad='SAME_UPPER')",
        "1",
        "auto_pad = SAME_UPPER means something else",
    ),
    (
        "ConvTranspose",
        "10",
        "2",
        "dict(output_shape=[4, 4])",
        "1",
        "output_shape = a list means something else",
    ),
    ("Dropout", "6", "1", "{}", "1", "supported from opset 7 on"),
    (
        "Gemm",
        "6",
        "3",
        "dict(broadcast=1)",
        "1",
        "supported from opset 7 on",
    ),
    ("OneHot", "9", "3", "{}", "1", "supported from opset 11 on"),
    ("PRelu", "6", "2", "{}", "1", "supported from opset 7 on"),
    (
        "Pad",
        "1",
        "1",
        "dict(paddings=[0] * 8)",
        "1",
        "supported from opset 2 on",
    ),
    ("Tile", "5", "3", "{}", "1", "supported from opset 6 on"),
    (
        "Upsample",
        "9",
        "2",
        "{}",
        "1",
        "this operator is not supported",
    ),
];

#[test]
fn nodes_of_another_meaning_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for &(name, opset, count, attributes, outputs, expected) in REFUSED {
        let mut command = Command::new(python());
        run(command
            .args(["-c", OLD])
            .arg(&path)
            .args([name, opset, count, attributes, outputs]));
        let model = onnx::read(&path).unwrap();
        let error = Session::new(&model).err().unwrap().to_string();
        assert!(error.contains("node n"), "{error}");
        assert!(
            error.contains(name) && error.contains(expected),
            "{name} {opset}: {error}"
        );
    }
}
