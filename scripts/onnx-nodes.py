"""Runs ONNX's backend node tests of float8, float4 and e8m0 through `quaver convert`.

    target/venv/bin/python scripts/onnx-nodes.py target/release/quaver

Prints one line a test that fails and the counts; the exit status is 1 when one fails or none ran.
Every node test whose Cast, CastLike, QuantizeLinear or DequantizeLinear has one of these types as
input or output is run, and its output is compared bit for bit.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NODES = pathlib.Path(onnx.__file__).parent / "backend/test/data/node"
NARROW = ("FLOAT8", "FLOAT4")
OPERATORS = ("Cast", "CastLike", "QuantizeLinear", "DequantizeLinear")
ROUNDINGS = {"up": "ru", "down": "rz", "nearest": "rne"}


def tensor(path):
    proto = onnx.load_tensor(str(path))
    return numpy_helper.to_array(proto), proto.data_type


def save(path, array):
    """The codes, which have no name in a file when the type is another package's."""
    if array.dtype.name not in ("float32", "float16"):
        array = array.view(f"u{array.itemsize}")
    np.save(path, array)


def attributes(node):
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def type_name(data_type):
    """The name of a type that quaver knows too."""
    return helper.tensor_dtype_to_np_dtype(data_type).name


def spread(scale, x, axis, block_size):
    """A scale in a shape that broadcasts: one for all, for each place along the axis, or for blocks."""
    if scale.ndim == 0 or scale.size == 1:
        return scale.reshape([1] * x.ndim)
    if block_size:
        return np.repeat(scale, block_size, axis=axis)
    return scale.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def run(quaver, folder, model):
    node = next(node for node in model.graph.node if node.op_type in OPERATORS)
    data = folder / "test_data_set_0"
    inputs = [tensor(data / f"input_{i}.pb") for i in range(len(model.graph.input))]
    expected, to = tensor(data / "output_0.pb")
    (x, source), *others = inputs
    settings = attributes(node)
    policy = "onnx-saturate" if settings.get("saturate", 1) else "onnx"
    arguments = ["--from", type_name(source), "--to", type_name(to), "--policy", policy]
    if to == TensorProto.FLOAT8E8M0:
        rounding = settings.get("round_mode", b"up").decode()
        arguments += ["--rounding", ROUNDINGS[rounding]]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        if "QuantizeLinear" == node.op_type or "DequantizeLinear" == node.op_type:
            scale = spread(others[0][0], x, settings.get("axis", 1), settings.get("block_size", 0))
            zero_points = [zero for zero, _ in others[1:]]
            # A zero point of a float is zero: it names the type.
            assert all(not zero.astype(np.float32).any() for zero in zero_points), "zero point"
            save(work / "scale.npy", scale)
            option = "--scale" if node.op_type == "QuantizeLinear" else "--from-scale"
            arguments += [option, str(work / "scale.npy")]
            if zero_points and to == TensorProto.FLOAT4E2M1:
                arguments.append("--zero-point")
        save(work / "in.npy", x)
        command = [quaver, "convert", *arguments, str(work / "in.npy"), "-o", str(work / "out.npy")]
        subprocess.run(command, check=True)
        codes = np.load(work / "out.npy")
    width = f"u{expected.itemsize}"
    actual, expected = codes.view(width), expected.view(width)
    assert actual.shape == expected.shape, f"shape {actual.shape} for {expected.shape}"
    different = np.flatnonzero(actual != expected)
    if different.size:
        i = different[0]
        text = f"element {i} of {x.ravel()[i]}: {actual.ravel()[i]:#x} for {expected.ravel()[i]:#x}"
        raise AssertionError(f"{different.size} differ; {text}")
    return expected.size


def main():
    quaver = sys.argv[1]
    passed, failed, elements = 0, 0, 0
    for folder in sorted(NODES.iterdir()):
        if not any(part in folder.name for part in ("cast", "quantizelinear")):
            continue
        model = onnx.load(str(folder / "model.onnx"))
        values = [*model.graph.input, *model.graph.output]
        types = [TensorProto.DataType.Name(value.type.tensor_type.elem_type) for value in values]
        if not any(name.startswith(NARROW) for name in types):
            continue
        try:
            elements += run(quaver, folder, model)
            passed += 1
        except (AssertionError, subprocess.CalledProcessError) as error:
            print(f"{folder.name}: {error}")
            failed += 1
    print(f"onnx {onnx.__version__}: {passed} node tests pass, {failed} fail; {elements} elements")
    sys.exit(failed > 0 or passed == 0)


main()
