"""Compares models that `quaver export` wrote with what onnxruntime and onnx's reference make of them.

    target/venv/bin/python scripts/onnx-export.py QUAVER

A table of models and plans: each exported model passes onnx's checker, and the results of onnxruntime
(no graph optimisation), of onnx's reference evaluator, of `quaver run` on it in FP32, and of `quaver run
--plan` on the original with the fp32 accumulator are within 1e-5 of each other, relative to the largest.
A row that onnxruntime does not load says so. Then plans and models that have to be refused, by what the
error names. Prints a line a row that fails and the counts; the exit status is 1 when one fails.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

TOLERANCE = 1e-5
ROOT = pathlib.Path(__file__).resolve().parent.parent
random = np.random.default_rng(7)


def numbers(*shape):
    """Multiples of 1/16: their sums are exact in any order."""
    return (random.integers(-48, 49, size=shape) / 16).astype("f4")


def model(nodes, inputs, constants, output, opset=20, ir_version=9):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    given = [value(name, array.shape) for name, array in inputs.items()]
    graph = helper.make_graph(nodes, "g", given, [value("y", output)], tensors)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version), inputs


def small(folder):
    paths = [folder / "small.onnx", folder / "small.npz"]
    subprocess.run([sys.executable, ROOT / "scripts/models/small.py", *paths], check=True)
    return onnx.load(paths[0]), dict(np.load(paths[1]))


def gemm(**attributes):
    a = numbers(5, 12).T.copy() if attributes.get("transA") else numbers(5, 12)
    b = numbers(7, 12) if attributes.get("transB") else numbers(12, 7)
    c = numbers(*attributes.pop("c", (7,)))
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], "l", **attributes)
    return model([node], {"x": a}, {"w": b, "c": c}, [5, 7])


def conv(operator, weight, channels, places=(6, 5), opset=20, **attributes):
    bias = weight[0] if operator == "Conv" else weight[1] * attributes.get("group", 1)
    node = helper.make_node(operator, ["x", "w", "b"], ["y"], "l", **attributes)
    x, rank = numbers(2, channels, *places), 2 + len(places)
    constants = {"w": numbers(*weight), "b": numbers(bias)}
    return model([node], {"x": x}, constants, [f"d{i}" for i in range(rank)], opset)


def matmul(a, b, constant=True):
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "l")
    shape = np.matmul(np.zeros(a), np.zeros(b)).shape
    x, w = numbers(*a), numbers(*b)
    if constant:
        return model([node], {"x": x}, {"w": w}, shape)
    return model([node], {"x": x, "w": w}, {}, shape)


def attention():
    node = helper.make_node("Attention", ["x", "k", "v"], ["y"], "l")
    x, k, v = (numbers(1, 2, 4, 8) for _ in range(3))
    return model([node], {"x": x, "k": k, "v": v}, {}, [1, 2, 4, 8], 23, 11)


def old():
    """Operators whose form changes on the way to the opset of FP8."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], "mean", axes=[2], keepdims=1),
        helper.make_node("Squeeze", ["m"], ["s"], "squeeze", axes=[2]),
        helper.make_node("MatMul", ["s", "w"], ["p"], "l"),
        helper.make_node("Softmax", ["p"], ["y"], "softmax", axis=-1),
    ]
    return model(nodes, {"x": numbers(3, 8, 4)}, {"w": numbers(8, 6)}, [3, 6], 11, 4)


def shared():
    """A weight that two layers share, and names that the export would take."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["l/weight/codes"], "l"),
        helper.make_node("MatMul", ["l/weight/codes", "w"], ["y"], "l/input/QuantizeLinear"),
    ]
    return model(nodes, {"x": numbers(4, 6)}, {"w": numbers(6, 6)}, [4, 6])


def quantiser(format, scale):
    return {"format": format, "scale": scale}


def layer(input, weight, output=None):
    row = {"input": quantiser(*input), "weight": quantiser(*weight)}
    return row | ({"output": quantiser(*output)} if output else {})


E4, E5, Z4, Z5 = "e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz"
D, L = "dynamic", "dynamic-lines"


def rows(folder):
    """Name, model with inputs, layers, default."""
    per_channel = [2.0 ** (i % 3 - 4) for i in range(10)]
    for format in [E4, E5, Z4, Z5, "int8", "int4", "e2m1fn"]:
        fine = 0.0625 if format == "int8" else 0.5
        pair = layer((format, fine), (format, fine / 4))
        yield f"small {format}", small(folder), {"conv": pair, "fc": pair}, "fp32"
        channels = layer((format, fine), (format, per_channel))
        first = layer((format, fine), (format, per_channel[:4]))
        yield f"small {format} channels", small(folder), {"conv": first, "fc": channels}, "fp32"
        dynamic = layer((format, D), (format, L))
        yield f"small {format} dynamic", small(folder), {"conv": dynamic, "fc": dynamic}, "fp32"
        token = layer((format, L), (format, D), (format, 0.25))
        yield f"small {format} token, output", small(folder), {"fc": token}, "fp32"
    for kept in ["fp16", "bf16", "fp32"]:
        yield f"small {kept}", small(folder), {}, kept
        yield f"small {kept}, fc {E4}", small(folder), {"fc": layer((E4, 0.5), (E5, 0.125))}, kept
    plain, lines = layer((E4, 0.125), (E4, 0.125)), layer((E4, L), (E5, L))
    channels = lambda n, output=None: layer((Z4, 0.25), (E5, [2.0 ** (i % 4 - 5) for i in range(n)]), output)
    rounded = layer((E4, D), (E4, D), (E4, D))
    for attributes in [{"transB": 1}, {"transA": 1}, {"alpha": 0.5, "beta": 2.0}, {"transA": 1, "transB": 1},
                       {"c": (5, 7), "alpha": 3.0, "beta": 0.25}, {"c": (5, 1)}, {"c": (1, 7)}]:
        for name, plan in {"plain": plain, "lines": lines, "channels": channels(7, (E4, 1.0)), "rounded": rounded}.items():
            yield f"gemm {attributes} {name}", gemm(**dict(attributes)), {"l": plan}, "fp32"
        yield f"gemm {attributes} bf16", gemm(**dict(attributes)), {}, "bf16"
    grouped = layer((E4, 0.125), (E4, D), (E5, 1.0))
    for name, made in {
        "groups": lambda: conv("Conv", (6, 2, 3, 2), 4, group=2, strides=[2, 1], pads=[1, 0, 1, 1]),
        "1d": lambda: conv("Conv", (6, 4, 3), 4, (9,), dilations=[2]),
    }.items():
        for plan in [plain, grouped, channels(6), layer((E4, 0.125), (E4, L))]:
            yield f"conv {name} {plan}", made(), {"l": plan}, "fp32"
        yield f"conv {name} fp16", made(), {}, "fp16"
    point = lambda: conv("Conv", (6, 4, 1, 1), 4, strides=[2, 2])
    yield "conv of points, lines", point(), {"l": layer((E4, L), (E4, L))}, "fp32"
    overlap = lambda: conv("ConvTranspose", (4, 3, 3, 2), 4, strides=[2, 1], pads=[1, 0, 0, 1])
    apart = lambda: conv("ConvTranspose", (4, 3, 2, 2), 4, strides=[2, 3], group=2, output_padding=[1, 0])
    for plan in [plain, channels(18), layer((E4, D), (E4, L)), layer((E4, L), (E4, D))]:
        yield f"transposed, overlap {plan}", overlap(), {"l": plan}, "fp32"
    ends = layer((E4, 0.125), (E4, L), (E5, 1.0))
    for plan in [plain, channels(24, (E4, 0.5)), ends, layer((E4, 0.125), (E4, L)), layer((E4, 0.125), (E4, D))]:
        yield f"transposed, apart {plan}", apart(), {"l": plan}, "fp32"
    yield "transposed, apart bf16", apart(), {}, "bf16"
    for a, b in [((5, 8), (8, 6)), ((2, 3, 5, 8), (8, 6)), ((2, 3, 5, 8), (3, 8, 6)), ((2, 1, 5, 8), (2, 3, 8, 6))]:
        for constant in [True, False]:
            for plan in [plain, channels(6), lines, rounded, layer((E5, D), (E4, D))]:
                name = f"matmul {a} {b} {'constant' if constant else 'activations'} {plan}"
                yield name, matmul(a, b, constant), {"l": plan}, "fp32"
    zeros = matmul((4, 8), (8, 6))
    zeros[1]["x"][:] = 0
    yield "zeros", zeros, {"l": layer((E4, D), (E4, D))}, "fp32"
    special = matmul((4, 8), (8, 6))
    special[1]["x"][0, 0], special[1]["x"][1, 1] = np.inf, -1e9
    yield "infinity", special, {"l": layer((E4, L), (E4, L))}, "fp32"
    yield "opset 11", old(), {"l": plain}, "fp32"
    yield "shared", shared(), {"l": plain, "l/input/QuantizeLinear": plain}, "fp32"


def refused(folder):
    """Name, model with inputs, layers, default, what the error has to name."""
    tight = layer((E4, 0.5), (E4, 0.5))
    yield "no element type", small(folder), {"fc": layer((E4, 1.0), ("e3m4", 1.0))}, "fp32", ["fc.weight.format", "e3m4"]
    yield "no such layer", small(folder), {"fd": tight}, "fp32", ["layer fd", "conv, fc"]
    places = conv("Conv", (6, 4, 3, 3), 4)
    yield "places", places, {"l": layer((E4, L), (E4, D))}, "fp32", ["node l (Conv)", "each place"]
    overlap = conv("ConvTranspose", (4, 3, 3, 3), 4)
    yield "overlap", overlap, {}, "bf16", ["node l (ConvTranspose)", "overlap"]
    few = layer((E4, 0.5), (E4, [1.0]))
    yield "few scales", small(folder), {"fc": few}, "fp32", ["scales 1", "10"]
    yield "attention", attention(), {"l": tight}, "fp32", ["node l (Attention)"]
    yield "attention bf16", attention(), {}, "bf16", ["node l (Attention)"]
    flat = matmul((4, 8), (8, 6))
    for scale, words in [({"blocks": "mx"}, "blocks"), ("dynamic-percentile:99", "percentile")]:
        yield words, flat, {"l": layer((E4, scale), (E4, scale))}, "fp32", ["node l (MatMul)", words]
    host = {"compute": "fp16", "weight": quantiser("int4", 0.5)}
    yield "host", flat, {"l": host}, "fp32", ["node l (MatMul)", "host"]
    older = old()
    older[0].graph.node[3].attribute[0].i = 1
    yield "opset 11", older, {"l": tight}, "fp32", ["node softmax (Softmax)", "opset 13"]


def reference_is_wrong(made):
    """onnx 1.22's evaluator has no ConvTranspose of several groups."""
    groups = [a.i for node in made.graph.node if node.op_type == "ConvTranspose" for a in node.attribute if a.name == "group"]
    return any(group > 1 for group in groups)


def onnxruntime_of(path, inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def distance(a, b):
    if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    finite = np.isfinite(a)
    largest = np.abs(b[finite]).max(initial=0)
    return np.abs(a[finite] - b[finite]).max(initial=0) / (largest or 1)


def on_ties(a, b, exact):
    """Whether numbers differ only where the result before its rounding lies between the two: a runtime adds in an
    order of its own, and such a sum may fall to either side."""
    differ = a != b
    middle = (a[differ].astype("f8") + b[differ]) / 2
    return bool(np.all(np.abs(exact[differ] - middle) <= TOLERANCE * np.abs(middle)))


class Command:
    def __init__(self, quaver, folder):
        self.quaver, self.folder = quaver, folder

    def __call__(self, *arguments):
        command = [self.quaver, *map(str, arguments)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)

    def result(self, *arguments):
        done = self("run", *arguments, "--input", "x.npz", "-o", "y.npz")
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        with np.load(self.folder / "y.npz") as arrays:
            return arrays["y"]


def write(folder, made, layers, default):
    onnx.save(made[0], folder / "model.onnx")
    np.savez(folder / "x.npz", **made[1])
    plan = {"accumulator": "fp32", "default": default, "layers": layers}
    (folder / "plan.json").write_text(json.dumps(plan))


def exported(quaver, folder, made, layers):
    """What is wrong with an export, and whether onnxruntime loads it."""
    done = quaver("export", "model.onnx", "--plan", "plan.json", "--scales", "s.json", "-o", "q.onnx")
    if done.returncode != 0:
        return done.stderr.strip(), True
    written = (folder / "q.onnx").read_bytes()
    quaver("export", "model.onnx", "--plan", "plan.json", "-o", "q.onnx")
    if (folder / "q.onnx").read_bytes() != written:
        return "another file the second time", True
    onnx.checker.check_model(str(folder / "q.onnx"), full_check=True)
    scales = json.loads((folder / "s.json").read_text())["layers"]
    quantised = {name for name, row in scales.items() if "input" in row}
    if quantised != set(layers):
        return f"scales of {quantised}", True
    loads = not any("e2m1fn" in json.dumps(row) for row in layers.values())
    wanted = quaver.result("model.onnx", "--plan", "plan.json")
    found = {"quaver": quaver.result("q.onnx")}
    with np.errstate(all="ignore"):
        if not reference_is_wrong(made[0]):
            found["reference"] = ReferenceEvaluator(str(folder / "q.onnx")).run(None, made[1])[0]
    try:
        found["onnxruntime"] = onnxruntime_of(str(folder / "q.onnx"), made[1])
        if not loads:
            return "onnxruntime loads it now: the table and docs/workflows.md say that it does not", True
    except Exception as error:
        if loads:
            return f"onnxruntime: {str(error)[:200]}", False
    far = {name: distance(array, wanted) for name, array in found.items()}
    far = {name: value for name, value in far.items() if not value <= TOLERANCE}
    if far and "output" in layers.get("l", {}):
        unrounded = {"l": {key: row for key, row in layers["l"].items() if key != "output"}}
        write(folder, made, unrounded, "fp32")
        exact = quaver.result("model.onnx", "--plan", "plan.json")
        far = {name: value for name, value in far.items() if not on_ties(found[name], wanted, exact)}
    return (f"distances {far}" if far else None), loads


def main():
    failed, counts = [], [0, 0, 0]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        quaver = Command(pathlib.Path(sys.argv[1]).resolve(), folder)
        for name, made, layers, default in rows(folder):
            write(folder, made, layers, default)
            try:
                wrong, loads = exported(quaver, folder, made, layers)
            except Exception as error:
                wrong, loads = f"{type(error).__name__}: {str(error)[:300]}", True
            counts[0] += 1
            counts[1] += not loads
            if wrong:
                failed.append(f"{name}: {wrong}")
        for name, made, layers, default, words in refused(folder):
            write(folder, made, layers, default)
            done = quaver("export", "model.onnx", "--plan", "plan.json", "-o", "none.onnx")
            counts[2] += 1
            named = all(word in done.stderr for word in words)
            if done.returncode != 2 or not named or (folder / "none.onnx").exists():
                failed.append(f"refused {name}: {done.returncode} {done.stderr.strip()}")
    print("\n".join(failed))
    print(f"{counts[0]} exports, {counts[1]} of them not loaded by onnxruntime, {counts[2]} refused; {len(failed)} fail")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
