"""Writes the digits network, trained in FP32, as ONNX.

    scripts/models/write digits

The network, its data and its training are those of scripts/digits. Beside the model:
digits.npz (`image`: the 450 test images, N x 1 x 8 x 8), digits-labels.npz (`label`: their digits),
digits-calibration.npz (`image`: 128 training images).
"""

import pathlib
import sys

import numpy as np

import graph

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "digits"))
import network
import train

CALIBRATION_IMAGES = 128


def build(weights):
    g = graph.Graph("digits")
    x = "image"
    for layer in network.LAYERS:
        weight, bias = weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"]
        names = [f"{layer.name}.weight", f"{layer.name}.bias"]
        if layer.kernel:
            # K runs over kernel row, kernel column, channel; ONNX has N, channel, row, column.
            shape = (layer.kernel, layer.kernel, layer.inputs, layer.outputs)
            weight = weight.reshape(shape).transpose(3, 2, 0, 1)
            inputs = [x, g.constant(names[0], weight), g.constant(names[1], bias)]
            x = g.node(
                "Conv",
                inputs,
                layer.name,
                kernel_shape=[layer.kernel] * 2,
                pads=[1] * 4,
                strides=[layer.stride] * 2,
            )
        else:
            # The network flattens row, column, channel; ONNX channel, row, column.
            channels = network.LAYERS[-2].outputs
            side = int((layer.inputs / channels) ** 0.5)
            weight = weight.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
            x = g.node("Flatten", [x], "flatten", axis=1)
            weight = weight.reshape(layer.inputs, -1)
            inputs = [x, g.constant(names[0], weight), g.constant(names[1], bias)]
            x = g.node("Gemm", inputs, layer.name)
        if layer.relu:
            x = g.node("Relu", [x], f"{layer.name}.relu")
    inputs = [("image", graph.FLOAT, ["batch", 1, 8, 8])]
    return g.model(inputs, [(x, graph.FLOAT, ["batch", 10])])


def main():
    folder = graph.folder()
    print("digits", flush=True)
    images, labels, is_test = network.digits()
    rng = np.random.default_rng(network.SEED)
    weights = train.train(images[~is_test], labels[~is_test], rng)
    path = folder / "digits.onnx"
    graph.save_model(path, build(weights))
    planes = images.transpose(0, 3, 1, 2)
    graph.save_arrays(folder / "digits.npz", image=planes[is_test])
    graph.save_arrays(folder / "digits-labels.npz", label=labels[is_test])
    calibration = planes[~is_test][:CALIBRATION_IMAGES]
    graph.save_arrays(folder / "digits-calibration.npz", image=calibration)
    logits = graph.run(path, {"image": planes[is_test]})
    expected = network.forward(weights, images[is_test])[-1]
    graph.check("logits, onnxruntime and numpy", logits, expected, 1e-5)
    share = network.accuracy(logits, labels[is_test])
    print(f"  FP32 accuracy on the {is_test.sum()} test images: {share:.2%}")
    if share < 0.95:
        sys.exit("models: the digits network has not learned its digits")


if __name__ == "__main__":
    main()
