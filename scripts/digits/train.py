"""Trains the digits network in FP32 with numpy and writes its weights.

Usage: train.py WEIGHTS.npz

Weights are `<layer>.weight` of shape (K, N), as the matrix product takes them, and
`<layer>.bias`. The seed is fixed: the same machine and numpy give the same file.
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import network

EPOCHS = 24
BATCH = 32
LEARNING_RATE = 3e-3
BETAS = (0.9, 0.999)


def initial(rng):
    """He-normal weights, zero biases."""
    weights = {}
    for layer in network.LAYERS:
        k = network.terms(layer)
        scale = np.sqrt(2 / k)
        weights[f"{layer.name}.weight"] = rng.normal(0, scale, (k, layer.outputs))
        weights[f"{layer.name}.bias"] = np.zeros(layer.outputs)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def scatter(layer, gradient, inputs):
    """The transpose of `network.patches`: adds each row's gradient back to its input pixels."""
    if layer.kernel == 0:
        return gradient.reshape(inputs.shape)
    count, height, width, channels = inputs.shape
    padded = np.zeros((count, height + 2, width + 2, channels), np.float32)
    size = (-(-height // layer.stride), -(-width // layer.stride))
    gradient = gradient.reshape(count, *size, layer.kernel, layer.kernel, channels)
    for row in range(layer.kernel):
        for col in range(layer.kernel):
            target = padded[:, row :: layer.stride, col :: layer.stride]
            target[:, : size[0], : size[1]] += gradient[:, :, :, row, col]
    return padded[:, 1:-1, 1:-1]


def gradients(weights, images, labels):
    """Mean cross-entropy's gradient of every weight, and the loss."""
    values = network.forward(weights, images)
    logits = values[-1] - values[-1].max(axis=1, keepdims=True)
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -float(np.mean(np.log(shares[rows, labels])))
    shares[rows, labels] -= 1
    gradient = shares / len(labels)
    result = {}
    for position, layer in reversed(list(enumerate(network.LAYERS))):
        inputs, output = values[position], values[position + 1]
        gradient = gradient.reshape(-1, layer.outputs)
        if layer.relu:
            gradient = gradient * (output.reshape(-1, layer.outputs) > 0)
        left = network.patches(layer, inputs)
        result[f"{layer.name}.weight"] = left.T @ gradient
        result[f"{layer.name}.bias"] = gradient.sum(axis=0)
        if position > 0:
            gradient = scatter(layer, gradient @ weights[f"{layer.name}.weight"].T, inputs)
    return result, loss


def train(images, labels, rng):
    """Adam with a learning rate that falls to zero along a cosine."""
    weights = initial(rng)
    mean = {name: np.zeros_like(value) for name, value in weights.items()}
    square = {name: np.zeros_like(value) for name, value in weights.items()}
    batches = len(images) // BATCH
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        losses = []
        for batch in np.split(order[: batches * BATCH], batches):
            step += 1
            rate = LEARNING_RATE * (1 + np.cos(np.pi * step / (EPOCHS * batches))) / 2
            found, loss = gradients(weights, images[batch], labels[batch])
            losses.append(loss)
            for name, value in found.items():
                mean[name] += (1 - BETAS[0]) * (value - mean[name])
                square[name] += (1 - BETAS[1]) * (value**2 - square[name])
                direction = mean[name] / (1 - BETAS[0] ** step)
                spread = np.sqrt(square[name] / (1 - BETAS[1] ** step)) + 1e-8
                weights[name] -= (rate * direction / spread).astype(np.float32)
        if (epoch + 1) % 6 == 0:
            print(f"  epoch {epoch + 1:2} of {EPOCHS}: loss {np.mean(losses):.4f}", flush=True)
    return weights


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    images, labels, is_test = network.digits()
    rng = np.random.default_rng(network.SEED)
    weights = train(images[~is_test], labels[~is_test], rng)
    logits = network.forward(weights, images)[-1]
    for part, chosen in (("training", ~is_test), ("test", is_test)):
        share = network.accuracy(logits[chosen], labels[chosen])
        print(f"  FP32 accuracy on the {chosen.sum():4} {part} images: {share:.2%}")
    np.savez(sys.argv[1], **weights)


if __name__ == "__main__":
    main()
