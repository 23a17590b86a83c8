"""Casts with ml_dtypes, for a test that compares codes.

Without arguments: prints the names of the types that it knows, one a line.
With any: answers requests from standard input until it ends. A request is a line, `SOURCE TARGET
COUNT`, and that many codes of the source; or `SOURCE TARGET COUNT FIRST`, and the codes from FIRST
on are made here. The answer is the codes of the target. Codes are little endian, in the type's
width; those of int4 are right-aligned in a byte.
"""

import sys

import ml_dtypes
import numpy as np


def types():
    """Every type by name: those of ml_dtypes, and numpy's that the format table has too."""
    found = {name: np.dtype(name) for name in ("float16", "float32", "int8")}
    for name in dir(ml_dtypes):
        if name.startswith(("float", "bfloat")) or name == "int4":
            found[name] = np.dtype(getattr(ml_dtypes, name))
    return found


def main():
    known = types()
    if len(sys.argv) == 1:
        print(*known, sep="\n")
        return
    # Overflow to infinity is what is asked for.
    np.seterr(all="ignore")
    while line := sys.stdin.buffer.readline():
        source, target, count, *first = line.decode().split()
        count = int(count)
        width = np.dtype(f"<u{known[source].itemsize}")
        if first:
            first = int(first[0])
            codes = np.arange(first, first + count, dtype=np.int64).astype(width)
        else:
            codes = np.frombuffer(sys.stdin.buffer.read(count * width.itemsize), dtype=width)
        if source == "int4":
            codes = ((codes << 4).view(np.int8) >> 4).view(np.uint8)
        values = codes.view(known[source])
        try:
            result = values.astype(known[target])
        except TypeError:
            # A cast that it does not have goes through binary32, which holds every source's numbers.
            result = values.astype(np.float32).astype(known[target])
        result = result.view(np.dtype(f"<u{known[target].itemsize}"))
        if target == "int4":
            result = result & 15
        sys.stdout.buffer.write(result.tobytes())
        sys.stdout.buffer.flush()


main()
