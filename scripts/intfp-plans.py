"""Recomputes with numpy and ml_dtypes what `quaver quantize intfp` plans and `quaver run` makes of it.

    python3 scripts/intfp-plans.py target/release/quaver

A linear layer, for each format, calibrator and kind of blocks: the plan's scales and every bit of the
result, with sums that are exact. Then a model of every type of layer, for each pair of formats: the engines agree
on every bit of every job, and the result is near FP32's.
"""

import functools
import json
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"e4m3fn": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2, "e2m1fn": ml_dtypes.float4_e2m1fn,
         "fp16": np.float16, "bf16": ml_dtypes.bfloat16}
INTEGERS = {"int8": 127.0, "int4": 7.0}
f4, f8 = np.float32, np.float64


def largest(name):
    return INTEGERS.get(name) or float(ml_dtypes.finfo(TYPES[name]).max)


def codes(quotients, name):
    """The numbers that codes stand for, with saturation."""
    top = largest(name)
    if name in INTEGERS:
        return np.clip(np.rint(quotients), -top - 1, top)
    return np.clip(quotients, -top, top).astype(TYPES[name]).astype(f8)


def histogram(values, kind, name):
    """The threshold of percentile, mse or entropy over 2048 bins of magnitudes."""
    values = np.abs(values.ravel()).astype(f8)
    amax = values.max()
    edges = np.arange(2049) * (amax / 2048)
    counts = np.bincount(np.minimum((values / amax * 2048).astype(int), 2047), minlength=2048)
    if kind.startswith("percentile"):
        share = float(kind.split(":")[1]) / 100 * values.size
        return min(f4(edges[np.argmax(np.cumsum(counts) >= share) + 1]), f4(amax))
    centres = ((edges[:-1] + edges[1:]) / 2).astype(f4)
    used, errors = np.nonzero(counts)[0].max() + 1, []
    for n in range(128, used + 1):
        scale = f4(edges[n]) / f4(largest(name))
        held = (codes(centres / scale, name).astype(f4) * scale).astype(f8)
        if kind == "mse":
            errors.append(np.sum((centres[:used].astype(f8) - held[:used]) ** 2 * counts[:used]))
            continue
        _, group = np.unique(held[:n], return_inverse=True)
        filled = np.bincount(group, weights=counts[:n] > 0)
        q = np.where(counts[:n] > 0, (np.bincount(group, weights=counts[:n]) / np.maximum(filled, 1))[group], 0)
        p = counts[:n].astype(f8)
        p[-1] += counts[n:].sum()
        p, q = p / p.sum(), q / q.sum()
        both = (p > 0) & (q > 0)
        errors.append(np.sum(p[both] * np.log(p[both] / q[both])))
    return min(f4(edges[128 + int(np.argmin(errors))]), f4(amax))


@functools.cache
def threshold(data, kind, name):
    return histogram(np.frombuffer(data, f4), kind, name)


def static(values, kind, name):
    amax = f4(np.abs(values).max()) if kind == "max" else threshold(values.tobytes(), kind, name)
    return f4(amax / f4(largest(name)))


def dynamic(values, kind, name):
    kind = kind.removeprefix("dynamic").removeprefix("-percentile:")
    ranks = np.sort(np.abs(values.ravel()))
    place = int(np.ceil(float(kind or 100) / 100 * ranks.size)) - 1
    return f4(ranks[max(place, 0)] / f4(largest(name)))


def blocks(values, kind, name):
    """Numbers of codes, scales, and the tensor's scale of rows in blocks."""
    kind, length = kind.split(":")
    top, length = largest(name), int(length)
    tensor = f4(f8(np.abs(values).max()) / (448 * top)) if kind == "nvfp4" else f4(1)
    parts = [values[:, i : i + length] for i in range(0, values.shape[1], length)]
    amax = np.stack([np.abs(part).max(axis=1) for part in parts], axis=1)
    if kind == "mx":
        scales = 2.0 ** (np.floor(np.log2(amax.astype(f8))) - np.floor(np.log2(top)))
    elif kind == "nvfp4":
        quotients = amax.astype(f8) / (f8(tensor) * top)
        scales = np.minimum(quotients, 448).astype(ml_dtypes.float8_e4m3fn).astype(f8)
    else:
        scales = amax / f4(top)
        scales = (scales.astype(ml_dtypes.bfloat16) if kind == "bf16" else scales).astype(f8)
    held = [codes(part.astype(f8) / (s[:, None] * f8(tensor)), name) for part, s in zip(parts, scales.T)]
    return held, scales, tensor


def linear(model):
    """x [12, 48] by w [48, 10], with a bias."""
    random = np.random.default_rng(3)
    x = (random.normal(size=(12, 48)) * np.exp(random.normal(size=(12, 1)))).astype(f4)
    w = (random.normal(size=(48, 10)) * np.exp(random.normal(size=(1, 10)))).astype(f4)
    bias = random.normal(size=10).astype(f4)
    constants = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(bias, "b")]
    save(model, [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "fc")], [12, 48], constants)
    return x, w, bias


def every_type(model):
    random = np.random.default_rng(4)
    shapes = {"a": (4, 1, 3, 3), "b": (4, 2, 2, 2), "c": (3, 4, 3), "d": (14, 14), "e": (14, 5)}
    constants = [numpy_helper.from_array((random.normal(size=s) * 0.3).astype(f4), n) for n, s in shapes.items()]
    constants.append(numpy_helper.from_array(np.array([2, 4, 16], "i8"), "flat"))
    node = helper.make_node
    nodes = [node("Conv", ["x", "a"], ["h1"], "conv2d", pads=[1] * 4, strides=[2, 2]),
             node("ConvTranspose", ["h1", "b"], ["h2"], "up", group=2, strides=[1, 1]),
             node("Slice", ["h2", "zero", "four", "axes"], ["h3"], "cut"),
             node("Reshape", ["h3", "flat"], ["h4"], "reshape"),
             node("Conv", ["h4", "c"], ["h5"], "conv1d"),
             node("MatMul", ["h5", "d"], ["q"], "query"),
             node("Transpose", ["h5"], ["k"], "turn", perm=[0, 2, 1]),
             node("MatMul", ["q", "k"], ["s"], "scores"),
             node("MatMul", ["s", "h5"], ["t"], "mixed"),
             node("MatMul", ["t", "e"], ["y"], "head")]
    for name, values in {"zero": [0, 0], "four": [4, 4], "axes": [2, 3]}.items():
        constants.append(numpy_helper.from_array(np.array(values, "i8"), name))
    save(model, nodes, [2, 1, 8, 8], constants)
    return random.normal(size=(2, 1, 8, 8)).astype(f4)


def save(path, nodes, shape, constants):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "model", [x], [y], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def recomputed(case, layer, x, w, bias):
    """The result's bits, and the static scales."""
    a_format, b_format = case["input-format"], case["weight-format"]
    if "input-blocks" in case:
        (a, sa, ta), (b, sb, tb) = blocks(x, case["input-blocks"], a_format), blocks(w.T, case["weight-blocks"], b_format)
        sums = np.zeros((len(x), w.shape[1]), f4)
        for j, (p, q) in enumerate(zip(a, b)):
            factor = sa[:, j : j + 1] * sb[:, j]
            factor = factor if case["input-blocks"][0] in "mn" else factor.astype(f4).astype(f8)
            sums = sums + (factor * (p @ q.T).astype(f4).astype(f8)).astype(f4)
        return sums * (ta * tb) + bias, {}
    kind, weights = case.get("input-calibrator", "max"), case.get("weight-calibrator", "max")
    wide = a_format in ("fp16", "bf16")
    token = case.get("input-per") == "token"
    find = dynamic if kind.startswith("dynamic") else static
    sa = f4(1) if wide else np.array([[find(row, kind, a_format)] for row in x]) if token else find(x, kind, a_format)
    channel = case.get("weight-per") == "channel"
    sb = np.array([static(c, weights, b_format) for c in w.T]) if channel else static(w, weights, b_format)
    a, b = codes((x / sa).astype(f4), a_format), codes((w / sb).astype(f4), b_format)
    if wide:
        sums = np.zeros((len(x), w.shape[1]))
        held = (b.astype(f4) * sb).astype(f8)
        for k in range(len(w)):
            sums += a[:, k : k + 1] * held[k]
        y = sums.astype(f4) + bias
    elif token:
        y = ((a @ b).astype(f4) * sb) * sa + bias
    else:
        y = (a @ b).astype(f4) * (sa * sb) + bias
    found = {"weight": sb} if find is dynamic or wide else {"input": sa, "weight": sb}
    if case.get("output-format") == "fp16":
        y = codes(y, "fp16").astype(f4)
    elif "output-format" in case:
        # The observer sees FP32's result, which is near this one: the quantiser is checked with the plan's scale.
        scale = f4(layer["output"]["scale"])
        y = codes((y / scale).astype(f4), case["output-format"]).astype(f4) * scale
        observed = static((x.astype(f8) @ w.astype(f8) + bias).astype(f4), case["output-calibrator"], case["output-format"])
        assert abs(scale / observed - 1) < 1e-3, (case, scale, observed)
    return y, found


def cases():
    for a, b in [("int8", "int8"), ("e4m3fn", "int4"), ("e5m2", "e4m3fn"), ("e2m1fn", "e2m1fn")]:
        for kind in ["max", "percentile:99", "mse", "entropy", "dynamic", "dynamic-percentile:95"]:
            for weights in ["max", "percentile:99", "mse"]:
                for per in ["tensor", "channel"]:
                    yield {"input-format": a, "weight-format": b, "input-calibrator": kind,
                           "weight-calibrator": weights, "weight-per": per}
        yield {"input-format": a, "weight-format": b, "input-calibrator": "dynamic", "input-per": "token",
               "weight-per": "channel", "output-format": "fp16"}
    for kind in ["max", "percentile:99", "mse", "entropy"]:
        yield {"input-format": "int8", "weight-format": "int8", "output-format": "e4m3fn", "output-calibrator": kind}
    for a in ["fp16", "bf16"]:
        yield {"input-format": a, "weight-format": "int4", "weight-per": "channel", "output-format": "fp16"}
    for name in ["int8", "e4m3fn", "e2m1fn"]:
        for kind in ["bf16:16", "bf16:32", "fp32:20", "mx:32", "nvfp4:16"]:
            yield {"input-format": name, "weight-format": name, "input-blocks": kind, "weight-blocks": kind}


def main():
    quaver = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        def run(*words):
            done = subprocess.run([quaver, *words], cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, (words, done.stderr)
            return done.stdout

        def plan(case, model):
            options = [word for key, value in case.items() for word in (f"--{key}", value)]
            run("quantize", "intfp", model, *options, "--calibration", "x.npz", "--accumulator", "exact", "-o", "p.json")
            with open(f"{folder}/p.json", encoding="utf-8") as file:
                return json.load(file)["layers"]

        def compare(model, case):
            report = json.loads(run("compare", model, "--input", "x.npz", "--plan", "p.json", "--json"))
            assert report["differing"] == 0 and report["outputs"] > 0, (case, report)

        x, w, bias = linear(f"{folder}/linear.onnx")
        np.savez(f"{folder}/x.npz", x=x)
        count = 0
        for case in cases():
            layer = plan(case, "linear.onnx")["fc"]
            expected, scales = recomputed(case, layer, x, w, bias)
            for operand, scale in scales.items():
                found = np.array(layer[operand]["scale"], f4)
                assert np.array_equal(found, scale), (case, operand, found, scale)
            run("run", "linear.onnx", "--input", "x.npz", "--plan", "p.json", "-o", "y.npz")
            y = np.load(f"{folder}/y.npz")["y"]
            assert np.array_equal(y, expected), (case, np.abs(y - expected).max())
            if "compute" not in layer:
                compare("linear.onnx", case)
            count += 1
        print(f"{count} plans of a linear layer recomputed")
        np.savez(f"{folder}/x.npz", x=every_type(f"{folder}/types.onnx"))
        count = 0
        for a, b in [("int8", "int8"), ("e4m3fn", "e4m3fn"), ("e4m3fn", "int8")]:
            for kind in ["max", "percentile:99.9", "mse", "entropy", "dynamic", "blocks"]:
                case = {"input-format": a, "weight-format": b, "output-format": "fp16"}
                if kind == "blocks":
                    case |= {"input-blocks": "bf16:8", "weight-blocks": "bf16:8"}
                else:
                    case |= {"input-calibrator": kind, "weight-per": "channel"}
                layers = plan(case, "types.onnx")
                assert len(layers) == 7, layers.keys()
                compare("types.onnx", case)
                text = run("run", "types.onnx", "--input", "x.npz", "--plan", "p.json", "--against-fp32", "--json")
                error = json.loads(text)["outputs"][0]["relative_error"]
                # Of the few numbers of this model entropy clips most: its thresholds are held to numpy's above.
                assert kind == "entropy" or 0 < error < 0.2, (case, error)
                count += 1
        print(f"{count} plans of every type of layer agree")


main()
