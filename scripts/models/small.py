"""Writes a small network as ONNX, and random inputs for it, for the README.

    python3 scripts/models/small.py small.onnx small.npz

A convolution of 4 filters of 3 x 3 over 8 x 8 images, ReLU, and a layer of 10 outputs.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def main():
    model_path, input_path = sys.argv[1:]
    random = np.random.default_rng(1)

    def constant(name, *shape):
        return numpy_helper.from_array(random.normal(size=shape).astype("f4"), name)

    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Flatten", ["r"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "v", "d"], ["y"], "fc"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])]
    constants = [constant("w", 4, 1, 3, 3), constant("b", 4), constant("v", 256, 10), constant("d", 10)]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, model_path)
    np.savez(input_path, x=random.normal(size=(8, 1, 8, 8)).astype("f4"))


if __name__ == "__main__":
    main()
