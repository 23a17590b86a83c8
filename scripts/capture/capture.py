"""Takes FP8 dot products of 32 terms from an NVIDIA GPU, for comparing with the profiles.

    quaver profiles --vectors e4m3fn.npz --format e4m3fn
    python3 scripts/capture/capture.py e4m3fn.npz ada_e4m3fn.npz

Needs numpy, nvcc and a GPU of compute capability 8.9 (Ada) or 9.0 (Hopper). Ada has the FP8
instruction mma.sync m16n8k32 (QMMA); on Hopper that becomes FP16 ones, so wgmma m64n8k32 is taken there,
which is what fast accumulation chains. Blackwell's tcgen05 is not here. Both are compiled in no test and
have not been run on a GPU. The result has the arrays of the input, `d_fp32` (binary32 bits, uint32), and
the strings `date` (UTC), `chip` and `driver`. Exit status: 0 done, 2 bad input or no GPU.
"""

import argparse
import datetime
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

SOURCE = pathlib.Path(__file__).with_name("capture.cu")
TERMS = 32
FORMATS = {4: "e4m3fn", 5: "e5m2"}
# What nvcc compiles for each compute capability.
TARGETS = {
    "8.9": ["-gencode=arch=compute_89,code=sm_89", "-DCAPABILITY=89"],
    "9.0": ["-gencode=arch=compute_90a,code=sm_90a", "-DCAPABILITY=90"],
}


def fail(message):
    print(f"capture: {message}", file=sys.stderr)
    sys.exit(2)


def load(path):
    """The arrays of a file of vectors, and the name of its operands' format."""
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    for name in ("a", "b", "c", "exp_bits"):
        if name not in arrays:
            fail(f"{path}: no array {name}; quaver profiles --vectors writes it")
    a, b, c = arrays["a"], arrays["b"], arrays["c"]
    for name, array, dtype, shape in (
        ("a", a, np.uint8, (len(c), TERMS)),
        ("b", b, np.uint8, (len(c), TERMS)),
        ("c", c, np.uint32, (len(c),)),
    ):
        if array.dtype != dtype or array.shape != shape:
            fail(f"{path}: {name} is {array.dtype} {array.shape}, not {dtype.__name__} {shape}")
    bits = np.unique(arrays["exp_bits"])
    if len(bits) != 1 or int(bits[0]) not in FORMATS:
        fail(f"{path}: exp_bits is {bits}; one of {list(FORMATS)} for all")
    return arrays, FORMATS[int(bits[0])]


def output(command, **options):
    """Standard output and standard error of a command that must succeed."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, **options)
    except OSError as error:
        fail(f"{command[0]}: {error.strerror}")
    if done.returncode != 0:
        fail(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout, done.stderr.decode(errors="replace").strip()


def query(field):
    """What the driver says of the first GPU."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader", "--id=0"]
    return output(command)[0].decode().strip()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vectors", type=pathlib.Path, help="what quaver profiles --vectors wrote")
    parser.add_argument("result", type=pathlib.Path, help="the .npz to write")
    parser.add_argument("--nvcc", default="nvcc", help="the compiler [default: nvcc]")
    arguments = parser.parse_args()
    arrays, name = load(arguments.vectors)
    capability = query("compute_cap")
    target = TARGETS.get(capability)
    if target is None:
        fail(f"compute capability {capability}; one of {', '.join(TARGETS)}")
    records = np.concatenate(
        [arrays["a"], arrays["b"], arrays["c"].astype("<u4")[:, None].view(np.uint8)], axis=1
    )
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "capture"
        output([arguments.nvcc, *target, "-o", str(program), str(SOURCE)])
        results, chip = output([str(program), name], input=records.tobytes())
    driver = query("driver_version")
    arrays["d_fp32"] = np.frombuffer(results, "<u4").astype(np.uint32)
    arrays["date"] = np.array(datetime.datetime.now(datetime.timezone.utc).isoformat())
    arrays["chip"] = np.array(chip)
    arrays["driver"] = np.array(driver)
    with tempfile.NamedTemporaryFile(dir=arguments.result.parent, delete=False) as file:
        try:
            np.savez_compressed(file, **arrays)
            os.replace(file.name, arguments.result)
        except BaseException:
            os.unlink(file.name)
            raise
    print(f"{len(records)} dot products of {name} on {chip}, driver {driver}")


if __name__ == "__main__":
    main()
