"""ops: one operation in one call, from a batch so small that the call is what costs to a machine kept busy.

A preset is an operation; the batch is the ladder. The smallest batch gives the price of a call in each stack, the
batches above it say from which size compiling pays and which share of the machine's roofline a stack reaches.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from harness.record import Task
from harness.workloads.specification import (
    SGD,
    Gate,
    GateSize,
    Input,
    Integers,
    Tensor,
    Uniform,
    Work,
    Workload,
)

Operation = Literal[
    "matmul", "conv2d", "attention", "layer_norm", "softmax", "elementwise", "embedding", "sort", "top_k", "sum",
    "gather",
]  # fmt: skip


class Preset(NamedTuple):
    operation: Operation
    width: int = 512  # values of a row, of a token in attention
    rows: int = 0  # of an embedding
    kept: int = 0  # of a row's values by top_k
    length: int = 0  # tokens of a sequence
    heads: int = 0
    side: int = 0  # of an image
    channels: int = 0  # of an image, before and after
    epsilon: float = 0.0  # of the norm


PRESETS = {
    "matmul": Preset("matmul"),
    "conv2d": Preset("conv2d", width=0, side=16, channels=32),
    "attention": Preset("attention", width=256, length=64, heads=4),
    "layer_norm": Preset("layer_norm", epsilon=1e-5),
    "softmax": Preset("softmax"),
    "elementwise": Preset("elementwise"),
    "embedding": Preset("embedding", rows=20_000),
    "sort": Preset("sort"),
    "top_k": Preset("top_k", kept=16),
    "sum": Preset("sum"),
    "gather": Preset("gather"),
}

TAKES: dict[Operation, tuple[str, ...]] = {
    "matmul": ("x", "y"),
    "conv2d": ("image",),
    "attention": ("q", "k", "v"),
    "embedding": ("tokens",),
    "gather": ("x", "index"),
}


def work(preset: Preset) -> Work:
    """The operation's inputs; its result is ``result``, that of a convolution an image again."""
    result = "image" if preset.operation == "conv2d" else "result"
    return Work(inputs=TAKES.get(preset.operation, ("x",)), outputs=(result,), unit="calls")


def tensors(preset: Preset) -> dict[str, Tensor]:
    """What the operations with weights have."""
    c, width = preset.channels, preset.width
    if preset.operation == "conv2d":
        return {"layer.kernel": Tensor(shape=(3, 3, c, c), a=math.sqrt(3.0 / (9 * c)))}
    if preset.operation == "layer_norm":
        return {"layer.gamma": Tensor(shape=(width,), a=1.0), "layer.beta": Tensor(shape=(width,), a=1.0)}
    if preset.operation == "embedding":
        return {"layer.embeddings": Tensor(shape=(preset.rows, width), a=1.0)}
    return {}


def flops(preset: Preset, batch: int, task: Task) -> int:
    """Products alone, a multiply-add counted as two; the other operations are bound by ``traffic``."""
    if preset.operation == "matmul":
        return 2 * batch * preset.width**2
    if preset.operation == "conv2d":
        return 2 * batch * preset.side**2 * 9 * preset.channels**2
    if preset.operation == "attention":
        return 4 * batch * preset.length**2 * preset.width
    return 0


def traffic(preset: Preset, batch: int, task: Task) -> int:
    """Bytes of the operation's operands and of its result, each moved once, in fp32 (indices in int64); of an
    embedding only the rows that are looked up."""
    row = batch * preset.width
    image = batch * preset.side**2 * preset.channels
    values = {
        "matmul": 2 * row + preset.width**2,
        "conv2d": 2 * image + 9 * preset.channels**2,
        "attention": 4 * row * preset.length,
        "layer_norm": 2 * row + 2 * preset.width,
        "embedding": 2 * row,
        "top_k": row + batch * preset.kept,
        "sum": row + batch,
    }.get(preset.operation, 2 * row)
    indices = {"embedding": batch, "gather": row}.get(preset.operation, 0)
    return 4 * values + 8 * indices


SPEC = Workload(
    name="ops",
    presets=PRESETS,
    inputs={
        "x": Input(("B", "width"), Uniform(2.0)),
        "y": Input(("width", "width"), Uniform(1.0)),
        "image": Input(("B", "side", "side", "channels"), Uniform(math.sqrt(3.0)), axes="NHWC"),
        "q": Input(("B", "length", "width"), Uniform(math.sqrt(3.0))),
        "k": Input(("B", "length", "width"), Uniform(math.sqrt(3.0))),
        "v": Input(("B", "length", "width"), Uniform(math.sqrt(3.0))),
        "tokens": Input(("B",), Integers("rows"), dtype="int64"),
        "index": Input(("B", "width"), Integers("width"), dtype="int64"),
    },
    tensors=tensors,
    tasks={"call": work},
    flops=flops,
    traffic=traffic,
    optimizer=SGD(lr=0.0),  # nothing is trained
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(sizes={name: GateSize(batch=8) for name in PRESETS}),
    decisions={
        "a call": "one step is one call of the stack with ready operands: of an operation, or of the layer or "
        "model that holds it, as the stack's users call it",
        "conv2d": "3 x 3, stride 1, a border of zeros, no bias",
        "attention": "softmax(q k^T / sqrt(width / heads)) v, heads side by side in a token's width, nothing "
        "masked; by the stack's fused kernel where it has one",
        "layer_norm, softmax, sort, top_k, sum, gather": "along a row",
        "elementwise": "(x tanh(x) + 0.5) sigmoid(x) - x^2 / 4, written out: eight operations, which a compiler "
        "may make one",
        "sort, top_k": "the values, ascending and descending; not their places, which equal values in bf16 would "
        "leave open",
    },
)
