"""Compares `quaver gemm --profile h100` with mmaemu, bit for bit, and times the two.

    python3 -m venv target/mmaemu
    target/mmaemu/bin/pip install -r scripts/requirements-mmaemu.txt
    target/mmaemu/bin/python scripts/mmaemu.py target/release/quaver

mmaemu emulates the FP8 matrix multiplication of an H100; its CPU reference needs torch, which with
its dependencies is several GB. The shape is that of a projection of Evo 2 1B over 64 positions.
mmaemu runs once, quaver's fast engine five times (median of what it reports, without files); both
use the machine's cores as they like. The exit status is 1 when a bit differs.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# The file's own folder would come first, and this file is named as the package is.
sys.path.pop(0)

import mmaemu
import numpy as np
import torch

RUNS = 5


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("quaver", help="the command, of a release build")
    parser.add_argument("--shape", type=int, nargs=3, default=(64, 5760, 1920), metavar=("M", "N", "K"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    m, n, k = arguments.shape
    random = np.random.default_rng(arguments.seed)

    def operand(rows):
        values = (random.standard_normal((rows, k)) * 40).clip(-448, 448).astype(np.float32)
        return torch.from_numpy(values).to(torch.float8_e4m3fn)

    a, b = operand(m), operand(n)
    start = time.perf_counter()
    # One chain over all of K: how cuBLAS splits K is not part of the profile.
    theirs = mmaemu.accumulate(
        a, b, use_fast_accum=True, profile="hopper", splitk=1, backend="reference"
    )
    their_seconds = time.perf_counter() - start
    seconds = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "a.npy", a.view(torch.uint8).numpy())
        np.save(folder / "b.npy", b.view(torch.uint8).numpy().T)
        command = [arguments.quaver, "gemm", "--profile", "h100", "--engine", "fast", "--json"]
        command += ["--format-a", "e4m3fn", "--format-b", "e4m3fn"]
        command += ["--a", folder / "a.npy", "--b", folder / "b.npy", "-o", folder / "d.npy"]
        for _ in range(RUNS):
            done = subprocess.run(command, check=True, capture_output=True)
            seconds.append(json.loads(done.stdout)["seconds"])
        ours = np.load(folder / "d.npy").view(np.uint32)
    differing = int((ours != theirs.numpy().view(np.uint32)).sum())
    our_seconds = statistics.median(seconds)
    print(f"{m} x {n} x {k}, seed {arguments.seed}: {differing} of {ours.size} outputs differ")
    print(
        f"mmaemu {mmaemu.__version__} (torch {torch.__version__}) {their_seconds:.2f} s, "
        f"quaver {our_seconds:.4f} s, {their_seconds / our_seconds:.0f} times"
    )
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
