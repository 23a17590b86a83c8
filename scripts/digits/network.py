"""The digits network: its layers, its data, and its arithmetic in FP32.

A convolution is a matrix product: `patches` lays out the inputs of each output pixel as a row, so
that the layer is `rows @ weight + bias` with K = kernel * kernel * channels, then ReLU. Training,
calibration and the FP8 demo all lower layers here and nowhere else.
"""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

SEED = 1797
TEST_IMAGES = 450


class Layer(NamedTuple):
    """One layer; `kernel` 0 means fully connected."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    relu: bool


LAYERS = (
    Layer("conv1", inputs=1, outputs=8, kernel=3, stride=1, relu=True),
    Layer("conv2", inputs=8, outputs=16, kernel=3, stride=2, relu=True),
    Layer("fc", inputs=4 * 4 * 16, outputs=10, kernel=0, stride=0, relu=False),
)


def terms(layer):
    """K of the layer's matrix product."""
    return layer.inputs * max(layer.kernel, 1) ** 2


def digits():
    """All images as FP32 (count, 8, 8, 1) in 0 to 1, their labels, and which are for testing."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)[..., np.newaxis]
    is_test = np.zeros(len(images), dtype=bool)
    is_test[np.random.default_rng(SEED).permutation(len(images))[:TEST_IMAGES]] = True
    return images, data.target, is_test


def patches(layer, inputs):
    """The layer's left-hand matrix (rows, K) from inputs (count, height, width, channels).

    Works on any element type whose zero is all zero bits: FP32 numbers and codes alike.
    A convolution pads by one pixel, and K runs over kernel row, kernel column, channel.
    """
    if layer.kernel == 0:
        return np.ascontiguousarray(inputs.reshape(len(inputs), -1))
    padded = np.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    window = (layer.kernel, layer.kernel)
    views = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))
    views = views[:, :: layer.stride, :: layer.stride].transpose(0, 1, 2, 4, 5, 3)
    return np.ascontiguousarray(views).reshape(-1, terms(layer))


def spatial(layer, inputs, result):
    """The (rows, N) result as the next layer's (count, height, width, channels)."""
    if layer.kernel == 0:
        return result
    height, width = (-(-size // layer.stride) for size in inputs.shape[1:3])
    return result.reshape(len(inputs), height, width, layer.outputs)


def forward(weights, inputs):
    """Inputs and output of every layer in FP32, in order: logits last."""
    values = [inputs]
    for layer in LAYERS:
        x = values[-1]
        result = patches(layer, x) @ weights[f"{layer.name}.weight"]
        result += weights[f"{layer.name}.bias"]
        if layer.relu:
            np.maximum(result, 0, out=result)
        values.append(spatial(layer, x, result))
    return values


def accuracy(logits, labels):
    """Share of the images whose largest logit is their label's."""
    return float(np.mean(np.argmax(logits, axis=1) == labels))
