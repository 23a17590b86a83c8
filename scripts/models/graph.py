"""What the scripts of models share: a graph that grows by one node at a time, and files of it."""

import os
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# Gelu is an operator of ONNX since operator set 20.
OPSET = 20
IR_VERSION = 9


class Graph:
    """Nodes, each named after its output, and the constants that they use."""

    def __init__(self, name):
        self.name = name
        self.nodes = []
        self.constants = {}

    def constant(self, name, array):
        """The name of a constant tensor; the same name may come again with the same elements."""
        array = np.ascontiguousarray(array)
        known = self.constants.setdefault(name, array)
        assert known is array or np.array_equal(known, array), name
        return name

    def node(self, operator, inputs, output, **attributes):
        """Adds a node; its output's name."""
        node = helper.make_node(operator, inputs, [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def model(self, inputs, outputs):
        """The checked model; inputs and outputs are (name, type, shape)."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(*value) for value in inputs],
            [helper.make_tensor_value_info(*value) for value in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        model.producer_name = "scripts/models"
        onnx.checker.check_model(model, full_check=True)
        return model


def folder():
    """The folder that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {pathlib.Path(sys.argv[0]).name} FOLDER")
    return pathlib.Path(sys.argv[1])


def save(path, fill):
    """Writes a file that appears whole: `fill` gets a binary file."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".models-", delete=False) as file:
        try:
            fill(file)
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    print(f"  {path}: {path.stat().st_size} bytes", flush=True)


def save_model(path, model):
    save(path, lambda file: file.write(model.SerializeToString(deterministic=True)))


def save_arrays(path, **arrays):
    save(path, lambda file: np.savez(file, **arrays))


def run(path, inputs):
    """The first output of a model by onnxruntime, which may do no more than basic optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def check(what, found, expected, relative):
    """Ends the script where two results differ by more than a share of the largest number."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"  {what}: largest difference {error:.1e} of the largest number", flush=True)
    if not error <= relative:
        sys.exit(f"models: {what}: {error:.1e} is not allowed (at most {relative:.0e})")


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
