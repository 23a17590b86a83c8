"""Recomputes scales, losses and thresholds with numpy and ml_dtypes, for a test that compares them.

Without arguments: prints the names of the requests that it knows, one a line.
With any: answers requests from standard input until it ends. A request is a line of words and then
FP32 numbers, little endian; the answer is FP64 numbers.

  gaudi DEVICE FP8 METHOD ROWS COLS      the activation's scale, then one of each row (channel)
  loss FORMAT EXPONENT COUNT             mse, mae, snr, kld, 1 - cosine; mean, variance, skewness,
                                         kurtosis of the numbers; the same of the noise
  observer FORMAT BATCHES COUNT          maximum, 99 % percentile, mse, entropy
"""

import sys

import ml_dtypes
import numpy as np

KNOWN = ("gaudi", "loss", "observer")
TYPES = {
    "e4m3": ml_dtypes.float8_e4m3,
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
}
GAUDI_FORMAT = {
    ("gaudi2", "E4M3"): "e4m3",
    ("gaudi3", "E4M3"): "e4m3fn",
    ("gaudi2", "E5M2"): "e5m2",
    ("gaudi3", "E5M2"): "e5m2",
}
HW_EXPONENTS = {
    ("gaudi2", "E4M3"): [-8, -4, 0, 4],
    ("gaudi2", "E5M2"): [0],
    ("gaudi3", "E4M3"): list(range(-55, 8)),
    ("gaudi3", "E5M2"): list(range(-47, 16)),
}


def largest(name):
    return 127.0 if name == "int8" else float(ml_dtypes.finfo(TYPES[name]).max)


def through(values, scale, name):
    """The numbers that the codes stand for, with saturation."""
    quotient = (values / np.float32(scale)).astype(np.float32)
    if name == "int8":
        held = np.clip(np.rint(quotient), -128, 127).astype(np.float32)
    else:
        top = largest(name)
        held = np.clip(quotient, -top, top).astype(TYPES[name]).astype(np.float32)
    return (held * np.float32(scale)).astype(np.float32)


def squared_error(values, scale, name):
    difference = values.astype(np.float64) - through(values, scale, name).astype(np.float64)
    return np.sum(difference**2)


def pow2(scale):
    return 1.0 if scale == 0 else 2.0 ** np.ceil(np.log2(scale))


def hw(scale, exponents):
    """The smallest scale of the list that is not below, or the largest."""
    above = [e for e in exponents if 2.0**e >= scale]
    return 2.0 ** (above[0] if above else exponents[-1])


def gaudi(words, values):
    device, fp8, method, rows, cols = *words[:3], *map(int, words[3:])
    weight = values.reshape(rows, cols)
    name, exponents = GAUDI_FORMAT[device, fp8], HW_EXPONENTS[device, fp8]
    full = largest(name)
    amax = float(np.abs(weight).max())
    act, whole = amax / (full * 0.25), amax / (full * 0.5)
    raw = [float(np.abs(row).max()) / (full * 0.5) for row in weight]
    if method == "unit_scale":
        return [1.0] * (rows + 1)
    if method == "hw_aligned_single_scale":
        return [2.0 ** exponents[-1]] * (rows + 1)
    if method == "maxabs_hw":
        return [hw(act, exponents)] + [hw(whole, exponents)] * rows
    if method == "maxabs_pow2":
        return [pow2(act)] + [pow2(whole)] * rows
    if method == "maxabs_hw_opt_weight":
        errors = [squared_error(weight, 2.0**e, name) for e in exponents]
        last = max(i for i, error in enumerate(errors) if error == min(errors))
        return [hw(act, exponents)] + [2.0 ** exponents[last]] * rows
    if method == "act_maxabs_hw_weights_pcs_maxabs_pow2":
        return [hw(act, exponents)] + [pow2(s) for s in raw]
    if method == "act_maxabs_pow2_weights_pcs_opt_pow2":
        scales = []
        for row, base in zip(weight, map(pow2, raw)):
            errors = [squared_error(row, base * 2.0**e, name) for e in range(-3, 5)]
            scales.append(base * 2.0 ** (int(np.argmin(errors)) - 3))
        return [pow2(act)] + scales
    raise ValueError(method)


def moments(x):
    mean = x.mean()
    centred = x - mean
    variance = np.mean(centred**2)
    return [
        mean,
        variance,
        np.mean(centred**3) / variance**1.5,
        np.mean(centred**4) / variance**2 - 3,
    ]


def loss(words, values):
    name, exponent = words[0], int(words[1])
    x = values.astype(np.float64)
    q = through(values, 2.0**exponent, name).astype(np.float64)
    noise = q - x
    floor = np.abs(x).max() * 1e-7
    p, r = np.abs(x) + floor, np.abs(q) + floor
    p, r = p / p.sum(), r / r.sum()
    return [
        np.mean(noise**2),
        np.mean(np.abs(noise)),
        np.sum(noise**2) / np.sum(x**2),
        np.sum(p * np.log(p / r)),
        1 - np.dot(x, q) / (np.linalg.norm(x) * np.linalg.norm(q)),
        *moments(x),
        *moments(noise),
    ]


def observer(words, values):
    name, batches, count = words[0], int(words[1]), int(words[2])
    values = np.abs(values.reshape(batches, count))
    # The range doubles from the first batch's largest number until all fit.
    top = float(values[0].max())
    while top < values.max():
        top *= 2
    bins = 2048
    edges = np.arange(bins + 1) * (top / bins)
    counts, _ = np.histogram(values.astype(np.float64), bins=edges)
    amax = float(values.max())
    below = np.cumsum(counts)
    bin_ = int(np.argmax(below >= 0.99 * values.size))
    answer = [amax, min(float(np.float32(edges[bin_ + 1])), amax)]
    centres = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    used = int(np.nonzero(counts)[0].max()) + 1
    squares, divergences = [], []
    for n in range(128, used + 1):
        scale = np.float32(edges[n]) / np.float32(largest(name))
        held = through(centres, scale, name)
        error = (centres[:used].astype(np.float64) - held[:used].astype(np.float64)) ** 2
        squares.append(np.sum(error * counts[:used]))
        inside = counts[:n].astype(np.float64)
        _, group = np.unique(held[:n], return_inverse=True)
        sums = np.bincount(group, weights=inside)
        filled = np.bincount(group, weights=inside > 0)
        q = np.where(inside > 0, sums[group] / np.maximum(filled[group], 1), 0)
        p = inside.copy()
        p[-1] += counts[n:].sum()
        if q.sum() == 0:
            divergences.append(np.inf)
            continue
        p, q = p / p.sum(), q / q.sum()
        both = (p > 0) & (q > 0)
        divergences.append(np.sum(p[both] * np.log(p[both] / q[both])))
    for errors in (squares, divergences):
        best = 128 + int(np.argmin(errors))
        answer.append(min(float(np.float32(edges[best])), amax))
    return answer


def main():
    if len(sys.argv) == 1:
        print(*KNOWN, sep="\n")
        return
    np.seterr(all="ignore")
    while line := sys.stdin.buffer.readline():
        kind, *words = line.decode().split()
        sizes = words[3:] if kind == "gaudi" else words[1:] if kind == "observer" else words[2:]
        count = int(np.prod([int(size) for size in sizes]))
        values = np.frombuffer(sys.stdin.buffer.read(4 * count), dtype="<f4")
        answer = {"gaudi": gaudi, "loss": loss, "observer": observer}[kind](words, values)
        sys.stdout.buffer.write(np.array(answer, dtype="<f8").tobytes())
        sys.stdout.buffer.flush()


main()
