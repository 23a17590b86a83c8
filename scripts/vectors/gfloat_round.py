"""Rounds binary32 numbers with gfloat, for a test that compares codes.

Without arguments: prints the formats that it knows, one a line.
With any: answers requests from standard input until it ends. A request is a line, `FORMAT ROUNDING
SATURATE BITS COUNT`, then COUNT binary32 numbers, then with a stochastic rounding COUNT random
numbers of BITS bits, all of 32 bits, little endian. The answer is COUNT codes of 16 bits.

Or the line is `mx FORMAT COUNT`, before COUNT binary32 numbers in blocks of 32 that share a scale; the
answer is the binary32 numbers that the blocks then hold.
"""

import sys

import numpy as np
from gfloat import (
    BlockFormatInfo,
    Domain,
    RoundMode,
    Signedness,
    compute_scale_amax,
    encode_ndarray,
    quantize_block,
    round_ndarray,
)
from gfloat.formats import (
    format_info_bfloat16,
    format_info_binary16,
    format_info_ocp_e2m1,
    format_info_ocp_e2m3,
    format_info_ocp_e3m2,
    format_info_ocp_e4m3,
    format_info_ocp_e5m2,
    format_info_ocp_e8m0,
    format_info_ocp_int8,
    format_info_p3109,
)


def formats():
    found = {
        "e4m3fn": format_info_ocp_e4m3,
        "e5m2": format_info_ocp_e5m2,
        "e2m1fn": format_info_ocp_e2m1,
        "e2m3fn": format_info_ocp_e2m3,
        "e3m2fn": format_info_ocp_e3m2,
        "e8m0fnu": format_info_ocp_e8m0,
        "mxint8": format_info_ocp_int8,
        "fp16": format_info_binary16,
        "bf16": format_info_bfloat16,
    }
    for precision in range(1, 8):
        for domain in (Domain.Finite, Domain.Extended):
            info = format_info_p3109(8, precision, Signedness.Signed, domain)
            found[f"binary8p{precision}s{domain.name[0].lower()}"] = info
    return found


def main():
    known = formats()
    if len(sys.argv) == 1:
        print(*known, sep="\n")
        return
    np.seterr(all="ignore")
    while line := sys.stdin.buffer.readline():
        if line.startswith(b"mx "):
            _, name, count = line.decode().split()
            values = np.frombuffer(sys.stdin.buffer.read(4 * int(count)), dtype="<f4")
            info = BlockFormatInfo(name, known[name], 32, known["e8m0fnu"])
            blocks = values.astype(np.float64).reshape(-1, 32)
            held = [quantize_block(info, block, compute_scale_amax) for block in blocks]
            sys.stdout.buffer.write(np.concatenate(held).astype("<f4").tobytes())
            sys.stdout.buffer.flush()
            continue
        name, mode, saturate, bits, count = line.decode().split()
        mode, bits, count = RoundMode[mode], int(bits), int(count)
        values = np.frombuffer(sys.stdin.buffer.read(4 * count), dtype="<f4").astype(np.float64)
        random = None
        if mode.name.startswith("Stochastic"):
            random = np.frombuffer(sys.stdin.buffer.read(4 * count), dtype="<u4").astype(np.int64)
        rounded = round_ndarray(known[name], values, mode, saturate == "1", random, bits)
        codes = encode_ndarray(known[name], rounded).astype("<u2")
        sys.stdout.buffer.write(codes.tobytes())
        sys.stdout.buffer.flush()


main()
