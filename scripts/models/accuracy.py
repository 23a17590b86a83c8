"""Shows what plans of the systems' workflows do to the digits network and the sentence encoder.

    target/venv/bin/python scripts/models/accuracy.py [MODEL ...]

Wants `cargo build --release`, and what `scripts/models/write digits minilm` writes. A row a plan, with Markdown's
bars: top-1 accuracy of the digits; of the sentences, Pearson's correlation of the pairs' cosine with FP32's, and with
the pairs' labels. FP32 is held to onnxruntime: the largest difference of an output's numbers, as a share of the
largest one. The exit status is 1 when that is above 1e-5.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "target" / "models"
QUAVER = ROOT / "target" / "release" / "quaver"
MOST = 1e-5

# Name, commands that make plan.json of MODEL, INPUT and CALIBRATION, and options of quaver run.
POPRT = "quantize poprt MODEL --quantize --calibration CALIBRATION"
INTFP = "quantize intfp MODEL --calibration CALIBRATION"
INC = ["quantize inc MODEL --config measure.json --input CALIBRATION"]
WORKFLOWS = [
    ("FP32", [], ""),
    ("e4m3fn, H100's sums", [], "--format e4m3fn --profile h100"),
    ("e5m2, H100's sums", [], "--format e5m2 --profile h100"),
    ("poprt, F143 scale 0", ["quantize poprt MODEL -o plan.json"], "--plan plan.json"),
    ("poprt, search by kld", [f"{POPRT} --loss kld -o plan.json"], "--plan plan.json"),
    ("poprt, search by mse", [f"{POPRT} --loss mse -o plan.json"], "--plan plan.json"),
    ("inc, maxabs_hw, Gaudi2", [*INC, "quantize inc MODEL --config hw.json --device gaudi2 -o plan.json"], "--plan plan.json"),
    ("inc, maxabs_pow2, Gaudi2", [*INC, "quantize inc MODEL --config pow2.json --device gaudi2 -o plan.json"], "--plan plan.json"),
    ("intfp, INT8, INT8, FP16", [f"{INTFP} --input-format int8 --weight-format int8 --weight-per channel --output-format fp16 -o plan.json"], "--plan plan.json"),
    ("intfp, INT8, INT4, FP16", [f"{INTFP} --input-format int8 --weight-format int4 --weight-per channel --output-format fp16 -o plan.json"], "--plan plan.json"),
]  # fmt: skip


def quaver(line, folder, files):
    words = [files.get(word, word) for word in line.split()]
    done = subprocess.run([QUAVER, *words], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"quaver {line}: {done.stderr.strip()}")


def configure(folder):
    """Neural Compressor's configurations: one that measures, one for each scale method."""
    base = {"observer": "maxabs", "dump_stats_path": "stats"}
    methods = {"hw": "maxabs_hw", "pow2": "maxabs_pow2"}
    configs = {"measure": base | {"mode": "MEASURE"}}
    configs |= {
        name: base | {"mode": "QUANTIZE", "scale_method": method} for name, method in methods.items()
    }
    for name, config in configs.items():
        (folder / f"{name}.json").write_text(json.dumps(config))


def reference(model, inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def figures(name, output, fp32):
    """What the row says of a model's output."""
    if name == "digits":
        labels = np.load(MODELS / "digits-labels.npz")["label"]
        return f"{(output.argmax(axis=1) == labels).mean():.2%} right"
    cosine, original = ((x[0::2] * x[1::2]).sum(axis=1) for x in (output, fp32))
    labels = np.load(MODELS / "minilm-labels.npz")["similarity"]
    own, theirs = (np.corrcoef(cosine, other)[0, 1] for other in (original, labels))
    return f"{own:.5f} with FP32, {theirs:.4f} with labels"


def measure(name, folder):
    """Prints a model's rows; whether FP32 is close to onnxruntime."""
    files = {"MODEL": MODELS / f"{name}.onnx", "INPUT": MODELS / f"{name}.npz"}
    own = MODELS / f"{name}-calibration.npz"
    files["CALIBRATION"] = own if own.exists() else files["INPUT"]
    configure(folder)
    close, fp32 = True, None
    for title, commands, options in WORKFLOWS:
        for command in commands:
            quaver(command, folder, files)
        quaver(f"run MODEL --input INPUT {options} -o result.npz", folder, files)
        with np.load(folder / "result.npz") as arrays:
            (output,) = arrays.values()
        if fp32 is None:
            fp32 = output
            expected = reference(files["MODEL"], dict(np.load(files["INPUT"])))
            distance = abs(output - expected).max() / abs(expected).max()
            close = bool(distance <= MOST)
            title += f" ({distance:.1e} from onnxruntime)"
        print(f"| {name} | {title} | {figures(name, output, fp32)} |", flush=True)
    return close


def main():
    names = sys.argv[1:] or ["digits", "minilm"]
    for name in names:
        if name not in {"digits", "minilm"}:
            raise SystemExit(f"accuracy: {name} is not allowed (digits, minilm)")
    print("| model | plan | result |\n|---|---|---|")
    good = True
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            good &= measure(name, pathlib.Path(folder))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
