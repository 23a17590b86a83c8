"""Casts binary32 numbers with ml_dtypes, for a test that compares codes.

Without arguments: prints the names of the types that it knows, one a line.
With the name of a type: reads chunks from standard input (the number of values, then the values,
each 32 bits, little endian) and answers each with its codes, in the type's width, until the input
ends.
"""

import sys

import ml_dtypes
import numpy as np


def types():
    """Every floating-point type by name: those of ml_dtypes, and numpy's binary16."""
    found = {"float16": np.dtype(np.float16)}
    for name in dir(ml_dtypes):
        if name.startswith(("float", "bfloat")):
            found[name] = np.dtype(getattr(ml_dtypes, name))
    return found


def main():
    if len(sys.argv) == 1:
        print(*types(), sep="\n")
        return
    dtype = types()[sys.argv[1]]
    codes = np.dtype(f"<u{dtype.itemsize}")
    # Overflow to infinity is what is asked for.
    np.seterr(all="ignore")
    while header := sys.stdin.buffer.read(4):
        count = int.from_bytes(header, "little")
        values = np.frombuffer(sys.stdin.buffer.read(4 * count), dtype="<f4")
        sys.stdout.buffer.write(values.astype(dtype).view(codes).tobytes())
        sys.stdout.buffer.flush()


main()
