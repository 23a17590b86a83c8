"""Compares models that quaver read and wrote with the originals, by PyPI onnx.

    target/venv/bin/python scripts/onnx-models.py ORIGINALS WRITTEN

ORIGINALS has `NAME/model.onnx`, WRITTEN has `NAME.onnx`. Each written model passes onnx's checker and
says what the original says: every message equal, with tensors by their type, shape and elements.
Only what quaver drops is taken from the original first: documentation and metadata of tensors and
attributes, denotations of types. Prints one line a model that fails and the count; the exit status is
1 when one fails or there is none.
"""

import pathlib
import sys

import onnx
from onnx import TensorProto

# Types that quaver keeps as they are in the file.
OPAQUE = (TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.COMPLEX128)
TYPED = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def fix_tensor(tensor):
    """Elements as raw_data, by onnx's own helpers."""
    if tensor.data_type in OPAQUE:
        return
    tensor.ClearField("doc_string")
    tensor.ClearField("metadata_props")
    if not tensor.HasField("raw_data"):
        # to_array and from_array pack elements of less than a byte.
        array = onnx.numpy_helper.to_array(tensor)
        raw = onnx.numpy_helper.from_array(array)
        assert raw.data_type == tensor.data_type, (raw.data_type, tensor.data_type)
        for field in TYPED:
            tensor.ClearField(field)
        tensor.raw_data = raw.raw_data
    # The default, which may be written or not.
    tensor.ClearField("data_location")
    if not tensor.name:
        tensor.ClearField("name")


def fix_attribute(attribute):
    kept = attribute.type not in range(1, 9) or attribute.ref_attr_name
    if kept or attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type in OPAQUE:
        return
    attribute.ClearField("doc_string")
    if attribute.HasField("t"):
        fix_tensor(attribute.t)
    if attribute.HasField("g"):
        fix_graph(attribute.g)


def fix_value(value):
    if not value.type.HasField("tensor_type") or value.type.tensor_type.elem_type in OPAQUE:
        return
    value.type.ClearField("denotation")
    for dim in value.type.tensor_type.shape.dim:
        dim.ClearField("denotation")
        # Both say that a run decides the length.
        if dim.HasField("dim_param") and not dim.dim_param or dim.dim_value < 0:
            dim.Clear()


def clear_empty(message, *fields):
    """Text that is there and empty says what text that is absent says."""
    for field in fields:
        if message.HasField(field) and not getattr(message, field):
            message.ClearField(field)


def fix_graph(graph):
    clear_empty(graph, "name")
    for node in graph.node:
        clear_empty(node, "name", "domain")
        for attribute in node.attribute:
            fix_attribute(attribute)
    for tensor in graph.initializer:
        fix_tensor(tensor)
    for value in [*graph.input, *graph.output]:
        fix_value(value)


def fixed(path):
    model = onnx.load(path)
    clear_empty(model, "producer_name")
    for opset in model.opset_import:
        # Written always.
        opset.domain = opset.domain
    fix_graph(model.graph)
    return model


def main(originals, written):
    models = sorted(written.glob("*.onnx"))
    failures = 0
    for path in models:
        try:
            onnx.checker.check_model(path)
            original = originals / path.stem / "model.onnx"
            if fixed(original) != fixed(path):
                raise ValueError("the models differ")
        except Exception as error:  # Any failure is the model's.
            failures += 1
            print(f"{path.stem}: {type(error).__name__}: {error}")
    print(f"onnx {onnx.__version__}: {len(models) - failures} models are equal, {failures} are not")
    return 1 if failures or not models else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
