"""The Python side of a benchmark: times one operation of a peer library for each line read.

Lines are `sgemm M N K`, `encode COUNT DTYPE`, `decode COUNT DTYPE` or `onnx THREADS MODEL INPUTS`; the answer is the seconds of
the last of repeated runs, or `error: ...`. Runs are repeated for the seconds of the argument before that. The first
line printed names the libraries.
"""
import sys
import time

try:
    import numpy as np
    import ml_dtypes
except ImportError as error:
    print(f"error: {error}; scripts/setup installs it", flush=True)
    sys.exit(1)

try:
    import onnxruntime
except ImportError:
    onnxruntime = None  # only models need it

prepared = {}
warm_up = float(sys.argv[1])


def prepare(words):
    random = np.random.default_rng(1)
    if words[0] == "sgemm":
        m, n, k = map(int, words[1:])
        a = random.random((m, k), dtype=np.float32)
        b = random.random((k, n), dtype=np.float32)
        out = np.empty((m, n), dtype=np.float32)
        return lambda: np.matmul(a, b, out=out)
    if words[0] == "onnx":
        if onnxruntime is None:
            raise ImportError("onnxruntime is missing; target/venv-models has it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(words[1])
        session = onnxruntime.InferenceSession(words[2], options, providers=["CPUExecutionProvider"])
        inputs = dict(np.load(words[3]))
        return lambda: session.run(None, inputs)
    count, dtype = int(words[1]), np.dtype(getattr(ml_dtypes, words[2]))
    values = (random.random(count, dtype=np.float32) - 0.5) * 100
    codes = values.astype(dtype)
    # Into memory that is there, as ours.
    if words[0] == "encode":
        return lambda: np.copyto(codes, values, casting="unsafe")
    return lambda: np.copyto(values, codes)


blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
print(f"numpy {np.__version__} {blas['name']} {blas['version']}\tml_dtypes {ml_dtypes.__version__}\tonnxruntime {getattr(onnxruntime, '__version__', '')}", flush=True)
for line in sys.stdin:
    words = line.split()
    try:
        if line not in prepared:
            prepared[line] = prepare(words)
        begun = time.perf_counter()
        while time.perf_counter() - begun < warm_up:
            prepared[line]()
        start = time.perf_counter()
        prepared[line]()
        print(time.perf_counter() - start, flush=True)
    except Exception as error:  # whatever it is, the other side shows it
        print(f"error: {error!r}", flush=True)
