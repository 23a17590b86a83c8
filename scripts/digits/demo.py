"""Runs the trained digits network in FP8 on the golden model and on the generated Verilog.

Every layer is one job, `convert(relu(scale * (A * B) + bias))`: A holds the codes of the layer's
inputs, B those of its weights, and the core converts to the next layer's codes by itself. Both
engines get the same codes, and every output of every layer is compared bit for bit.

Exit status: 1 when one bit differs.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import network
from quaver import Quaver

FORMAT = "e4m3fn"
LOGITS = "fp32"
ENGINES = ("golden", "rtl")


def largest(values, axis=None):
    """Largest magnitude, and 1 where all are zero, so that it can divide."""
    found = np.abs(values).max(axis=axis)
    return np.where(found > 0, found, 1).astype(np.float32)


def quantise(quaver, weights, calibration):
    """The jobs of all layers without their left-hand matrix, and the scale of the images.

    A tensor's codes are its values over a scale that puts its largest magnitude on the format's
    largest number: one scale per layer for inputs, one per output channel for weights. A layer's
    result is wanted in units of the next layer's scale, so its own scale and bias are in those.
    """
    limit = np.float32(quaver.format(FORMAT)["max"]["value"])
    activations = network.forward(weights, calibration)
    scales = [largest(values) / limit for values in activations[:-1]] + [np.float32(1)]
    jobs = []
    for layer, scale, next_scale in zip(network.LAYERS, scales, scales[1:]):
        weight = weights[f"{layer.name}.weight"]
        channel = largest(weight, axis=0) / limit
        jobs.append({
            "format": FORMAT,
            "b": quaver.convert(weight / channel, FORMAT),
            "scale": (scale * channel / next_scale).astype(np.float32),
            "bias": weights[f"{layer.name}.bias"] / next_scale,
            "relu": layer.relu,
            "out": LOGITS if layer is network.LAYERS[-1] else FORMAT,
            "overflow": "native" if layer is network.LAYERS[-1] else "saturate",
        })
    return jobs, scales[0]


def bits(array):
    """The array's codes as integers, whatever its type."""
    return array.view(f"u{array.dtype.itemsize}")


def compare(layer, golden, rtl):
    """How many outputs differ; prints the first."""
    differing = np.argwhere(bits(golden) != bits(rtl))
    if len(differing):
        where = tuple(differing[0])
        digits = 2 * golden.dtype.itemsize
        print(
            f"  {layer.name}: first mismatch at row {where[0]}, column {where[1]}: "
            f"golden {bits(golden)[where]:0{digits}x}, rtl {bits(rtl)[where]:0{digits}x}"
        )
    return len(differing)


def run_layers(quaver, config, jobs, codes):
    """Runs and compares every layer; returns both engines' logits, mismatches and seconds."""
    print(
        f"  {'layer':<6} {'M':>7} {'K':>4} {'N':>3} {'outputs':>9} {'mismatches':>11} "
        f"{'RTL cycles':>11} {'utilisation':>12} {'golden':>8} {'rtl':>8}",
        flush=True,
    )
    elements = config["rows"] * config["cols"] * config["lanes"]
    mismatches = outputs = cycles = products = 0
    seconds = dict.fromkeys(ENGINES, 0.0)
    for layer, job in zip(network.LAYERS, jobs):
        job["a"] = network.patches(layer, codes)
        results, took = {}, {}
        for engine in ENGINES:
            results[engine], report = quaver.gemm(job, engine, config["name"])
            took[engine] = report["seconds"]
            seconds[engine] += took[engine]
        (m, k), n = job["a"].shape, layer.outputs
        wrong = compare(layer, *results.values())
        layer_cycles = report["cycles"]
        mismatches, outputs = mismatches + wrong, outputs + m * n
        cycles, products = cycles + layer_cycles, products + m * k * n
        print(
            f"  {layer.name:<6} {m:>7} {k:>4} {n:>3} {m * n:>9} {wrong:>11} {layer_cycles:>11} "
            f"{m * k * n / (layer_cycles * elements):>12.1%} "
            f"{took['golden']:>6.1f} s {took['rtl']:>6.1f} s",
            flush=True,
        )
        codes = network.spatial(layer, codes, results["golden"])
    print(
        f"  {'all':<6} {'':>7} {'':>4} {'':>3} {outputs:>9} {mismatches:>11} {cycles:>11} "
        f"{products / (cycles * elements):>12.1%} "
        f"{seconds['golden']:>6.1f} s {seconds['rtl']:>6.1f} s"
    )
    return results, mismatches


def waveform(quaver, config, job, codes, path):
    """Runs the first layer's first image alone, with a waveform; returns the mismatches."""
    layer = network.LAYERS[0]
    job = {**job, "a": network.patches(layer, codes[:1])}
    golden, _ = quaver.gemm(job, "golden", config["name"])
    rtl, _ = quaver.gemm(job, "rtl", config["name"], vcd=path)
    return compare(layer, golden, rtl)


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("weights", help=argparse.SUPPRESS)
    parser.add_argument("out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quaver", default="target/release/quaver", help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, help="how many of the images [default: all]")
    parser.add_argument("--config", default="default", help="the core [default: %(default)s]")
    args = parser.parse_args()

    images, labels, is_test = network.digits()
    weights = np.load(args.weights)
    quaver = Quaver(args.quaver, args.out / "jobs")
    config = quaver.config(args.config)
    jobs, scale = quantise(quaver, weights, images[~is_test])
    if args.images is not None:
        if not 1 <= args.images <= len(images):
            parser.error(f"--images {args.images} is not allowed (1 to {len(images)})")
        images, labels, is_test = (part[: args.images] for part in (images, labels, is_test))
    codes = quaver.convert(images / scale, FORMAT)
    print(
        f"  {len(images)} images, {FORMAT} operands, {config['accumulator']} accumulator; "
        f"core '{config['name']}': {config['rows']} x {config['cols']} PEs"
    )
    print("  generating the Verilog, and building its simulation with Verilator", flush=True)
    verilog = args.out / "verilog"
    quaver.generate(args.config, verilog)
    trace = args.out / "first_image.vcd"
    mismatches = waveform(quaver, config, jobs[0], codes, trace)
    results, wrong = run_layers(quaver, config, jobs, codes)
    mismatches += wrong

    print(f"\n  {'accuracy':<12} {'training images':>16} {'test images':>12}")
    logits = {"FP32": network.forward(weights, images)[-1]}
    logits |= {f"FP8 {engine}": results[engine] for engine in ENGINES}
    for name, found in logits.items():
        print(f"  {name:<12}", end="")
        for chosen, width in ((~is_test, 16), (is_test, 12)):
            share = network.accuracy(found[chosen], labels[chosen]) if chosen.any() else np.nan
            print(f" {share:>{width}.2%}", end="")
        print()
    print(f"\n  Verilog   {verilog}")
    print(f"  Waveform  {trace} ({network.LAYERS[0].name} of the first image)")
    if mismatches:
        sys.exit(f"\n{mismatches} outputs differ between {' and '.join(ENGINES)}")
    print(f"\n{' and '.join(ENGINES)} agree on every bit of every layer")


if __name__ == "__main__":
    main()
