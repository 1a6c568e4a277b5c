"""control_flow: models whose path depends on the data: an early exit, a loop until it has converged, trees.

``early_exit``: blocks of a residual network, left as soon as the features are large enough. ``converge``: one layer
applied over and over until its output stands still, as an equilibrium model does. ``tree``: a recursive network that
joins two nodes into one, along another tree for every sample and with another number of joints for every batch. How
many blocks and passes a batch took is an output.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from harness.record import Task
from harness.workloads import philox
from harness.workloads.specification import SGD, Gate, GateSize, Given, Input, Tensor, Work, Workload

NAME = "control_flow"
BATCHES = 16  # each takes another path


class Preset(NamedTuple):
    form: Literal["early_exit", "converge", "tree"]
    width: int
    blocks: int = 0  # of the early exit, at most
    passes: int = 0  # of the layer that converges, at most
    enough: float = 0.0  # early exit: the features' mean square that ends it; converge: the change of a value
    leaves: int = 0  # of a tree, at most
    vocabulary: int = 0  # of its leaves
    classes: int = 10

    @property
    def joints(self) -> int:
        """Of the largest tree."""
        return self.leaves - 1


PRESETS = {
    "early_exit": Preset("early_exit", width=256, blocks=8, enough=4.0),
    "converge": Preset("converge", width=256, passes=50, enough=1e-3),
    "tree": Preset("tree", width=256, leaves=24, vocabulary=1000),
}


def work(preset: Preset) -> Work:
    if preset.form == "tree":
        return Work(inputs=("tokens", "left", "right", "joints"), outputs=("logits",), unit="samples")
    return Work(inputs=("x",), outputs=("logits", "taken"), unit="samples")


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Kernels uniform with a = sqrt(3 / fan_in); the recurrent one of ``converge`` at 0.7 of that: it contracts."""
    width, classes = preset.width, preset.classes
    a = math.sqrt(3.0 / width)
    blocks = {
        f"blocks.{index}.{part}": tensor
        for index in range(preset.blocks)
        for part, tensor in (
            ("kernel", Tensor(shape=(width, width), a=a)),
            ("bias", Tensor(shape=(width,), a=0.25)),
        )
    }
    own = {
        "early_exit": blocks,
        "converge": {
            "layer.kernel": Tensor(shape=(width, width), a=0.7 * a),
            "layer.bias": Tensor(shape=(width,), a=0.25),
        },
        "tree": {
            "embedding.embeddings": Tensor(shape=(preset.vocabulary, width), a=1.0),
            "join.kernel": Tensor(shape=(2 * width, width), a=a),
            "join.bias": Tensor(shape=(width,), a=0.25),
        },
    }[preset.form]
    return own | {
        "classifier.kernel": Tensor(shape=(width, classes), a=a),
        "classifier.bias": Tensor(shape=(classes,), a=0.25),
    }


def data(preset: Preset, batch: int, seed: int) -> dict[str, np.ndarray]:
    """Features whose size differs from batch to batch from 0.1 to 1.9, or trees of 4 to ``leaves`` leaves.

    A tree is its joints in order: the two nodes that each makes one, leaves first, joints after them. Places that no
    joint of the batch needs are zero. Two neighbours that are drawn are joined until one node is left.
    """
    if preset.form != "tree":
        sizes = 1.0 + philox.uniform(NAME, "sizes", seed, (BATCHES, 1, 1), 0.9)
        return {"x": sizes * philox.uniform(NAME, "x", seed, (BATCHES, batch, preset.width), math.sqrt(3.0))}
    most = preset.leaves
    tokens = philox.integers(NAME, "tokens", seed, (BATCHES, batch, most), preset.vocabulary)
    leaves = 4 + philox.integers(NAME, "leaves", seed, (BATCHES,), most - 3)
    drawn = philox.integers(NAME, "joints", seed, (BATCHES, batch, most - 1), 1 << 30)
    left, right = (np.zeros((BATCHES, batch, most - 1), np.int64) for _ in range(2))
    for one, sample in np.ndindex(BATCHES, batch):
        roots = list(range(leaves[one]))
        for joint in range(leaves[one] - 1):
            at = int(drawn[one, sample, joint]) % (len(roots) - 1)
            left[one, sample, joint], right[one, sample, joint] = roots[at : at + 2]
            roots[at : at + 2] = [most + joint]
    return {"tokens": tokens, "left": left, "right": right, "joints": leaves - 1}


def flops(preset: Preset, batch: int, task: Task) -> int:
    """What every batch needs: one block or one pass of the layer, the three joints of four leaves, the classifier.
    The data decide how much more there is."""
    width = preset.width
    once = {"early_exit": 1, "converge": 1, "tree": 3 * 2}[preset.form]
    return 2 * batch * width * (once * width + preset.classes)


SPEC = Workload(
    name=NAME,
    presets=PRESETS,
    inputs={
        "x": Input(("B", "width"), Given("uniform on ± √3, times a size that is drawn for each batch")),
        "tokens": Input(("B", "leaves"), Given("whole numbers, uniform below vocabulary"), dtype="int64"),
        "left": Input(("B", "joints"), Given("a node that is joined"), dtype="int64"),
        "right": Input(("B", "joints"), Given("the node it is joined with"), dtype="int64"),
        "joints": Input((), Given("leaves less one, drawn for each batch"), dtype="int64"),
    },
    tensors=tensors,
    tasks={"infer": work},
    flops=flops,
    data=data,
    data_facts={
        "paths": "another one for each of the 16 batches; the size of the features, the leaves of the trees"
    },
    optimizer=SGD(lr=0.0),  # nothing is trained
    precisions=("fp32", "tf32"),  # in bf16 another path would be right
    batches_drawn=BATCHES,
    gate=Gate(sizes={name: GateSize(batch=4) for name in PRESETS}),
    decisions={
        "early_exit": "while the mean square of x over the batch is below enough: x <- x + tanh(x K + b), the next "
        "block's; at most all of them",
        "converge": "z <- tanh(z K + b + x) from z = 0 until no value of the batch changes by enough or more; "
        "at most passes times",
        "tree": "h <- tanh([h left, h right] K + b) for each joint of the batch's trees in turn; the last one is "
        "classified",
        "taken": "blocks or passes, the same for all samples of a batch",
        "how": "as each stack's users write it: Python's own if and while where a stack takes them, else the stack's "
        "operations for control flow",
        "FLOPs": "those of the shortest path, so that a share of the machine is the least it can be",
        "precision": "no bf16: it would take another path, rightly",
    },
)
