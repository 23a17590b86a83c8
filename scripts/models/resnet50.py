"""Writes ResNet-50 with random weights as ONNX: for measurements of speed, not of accuracy.

    scripts/models/write resnet50

The network of He et al. 2015 with the stride in the 3 x 3 convolution (torchvision's ResNet-50 V1.5),
224 x 224 pixels, as exporters write it for inference: batch normalisation is part of the
convolutions, which therefore have a bias. Beside the model: resnet50.npz (`image`: one image).
"""

import sys

import numpy as np

import graph

SEED = 50
# Blocks and inner channels of the four stages; each one's output has four times as many.
STAGES = [(3, 64), (4, 128), (6, 256), (3, 512)]
CLASSES = 1000
# torchvision's parameters, without one of the two that each of 26 560 channels of batch
# normalisation has there.
PARAMETERS = 25_557_032 - 26_560


def build(rng):
    g = graph.Graph("resnet50")

    def conv(x, name, inputs, outputs, kernel, stride=1, gain=2.0):
        """He-normal weights keep the size of activations; small biases."""
        spread = np.sqrt(gain / (inputs * kernel**2))
        shape = (outputs, inputs, kernel, kernel)
        weight = rng.normal(0, spread, shape).astype(np.float32)
        bias = rng.normal(0, 0.1, outputs).astype(np.float32)
        constants = [g.constant(f"{name}.weight", weight), g.constant(f"{name}.bias", bias)]
        return g.node(
            "Conv",
            [x, *constants],
            name,
            kernel_shape=[kernel] * 2,
            pads=[kernel // 2] * 4,
            strides=[stride] * 2,
        )

    def relu(x):
        return g.node("Relu", [x], f"{x}.relu")

    x = relu(conv("image", "conv1", 3, 64, 7, 2))
    x = g.node("MaxPool", [x], "maxpool", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    channels = 64
    for stage, (blocks, inner) in enumerate(STAGES, 1):
        outer = 4 * inner
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = relu(conv(x, f"{name}.conv1", channels, inner, 1))
            y = relu(conv(y, f"{name}.conv2", inner, inner, 3, stride))
            # The sum of both branches stays the size of one.
            y = conv(y, f"{name}.conv3", inner, outer, 1, gain=0.5)
            if block == 0:
                x = conv(x, f"{name}.downsample", channels, outer, 1, stride, gain=1.0)
            x = relu(g.node("Add", [y, x], f"{name}.add"))
            channels = outer
    x = g.node("GlobalAveragePool", [x], "pool")
    x = g.node("Flatten", [x], "flatten", axis=1)
    weight = rng.normal(0, np.sqrt(1 / channels), (CLASSES, channels)).astype(np.float32)
    bias = np.zeros(CLASSES, np.float32)
    constants = [g.constant("fc.weight", weight), g.constant("fc.bias", bias)]
    output = g.node("Gemm", [x, *constants], "fc", transB=1)
    parameters = sum(array.size for array in g.constants.values())
    assert parameters == PARAMETERS, (parameters, PARAMETERS)
    inputs = [("image", graph.FLOAT, ["batch", 3, 224, 224])]
    return g.model(inputs, [(output, graph.FLOAT, ["batch", CLASSES])])


def main():
    folder = graph.folder()
    print("resnet50", flush=True)
    rng = np.random.default_rng(SEED)
    path = folder / "resnet50.onnx"
    graph.save_model(path, build(rng))
    image = rng.normal(0, 1, (1, 3, 224, 224)).astype(np.float32)
    graph.save_arrays(folder / "resnet50.npz", image=image)
    logits = graph.run(path, {"image": image})
    spread = float(logits.std())
    print(f"  logits of onnxruntime: {logits.shape}, standard deviation {spread:.3f}")
    if logits.shape != (1, CLASSES) or not 1e-2 < spread < 1e2:
        sys.exit("models: logits of ResNet-50 vanish or explode")


if __name__ == "__main__":
    main()
