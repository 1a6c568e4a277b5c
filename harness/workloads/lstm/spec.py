"""lstm: a sequence of tokens, classified by the last state of one LSTM (Hochreiter and Schmidhuber, 1997).

Embedding, one layer of LSTM in the form that all frameworks have (a forget gate, no peepholes, one bias), a dense
classifier. Every sequence is ``length`` long, but in the ``padded`` sizes, where they are as long as they come and
followed by token 0 up to ``length``: each framework's users have another way to leave that out. ``cpu`` is about as
large as the IMDB example of Keras (20,000 words, 128 wide), ``gpu`` is wider.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.record import Task
from harness.workloads import philox
from harness.workloads.specification import AdamW, Gate, GateSize, Input, Integers, Tensor, Work, Workload

BATCHES = 4


class Preset(NamedTuple):
    length: int  # tokens of a sequence
    vocabulary: int
    width: int  # of an embedding
    hidden: int  # of the LSTM's state
    classes: int
    padded: bool = False  # sequences differ in length; token 0 is none


def lengths(preset: Preset, batch: int) -> np.ndarray:
    """(B,) int64: from a B-th of the whole length to all of it, evenly, so that every batch has as many tokens."""
    if not preset.padded:
        return np.full(batch, preset.length)
    return -(-preset.length * np.arange(1, batch + 1) // batch)


def data(preset: Preset, batch: int, seed: int) -> dict[str, np.ndarray]:
    """Of a padded size: tokens (N, B, T), sequences in a drawn order, each followed by token 0."""
    if not preset.padded:
        return {}
    shape = (BATCHES, batch, preset.length)
    tokens = 1 + philox.integers("lstm", "tokens", seed, shape, preset.vocabulary - 1)
    orders = [philox.permutation("lstm", f"lengths {n}", seed, batch) for n in range(BATCHES)]
    drawn = np.stack([lengths(preset, batch)[order] for order in orders])  # (N, B)
    return {"tokens": tokens * (np.arange(preset.length) < drawn[..., None])}


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Kernels uniform with a = sqrt(3 / fan_in), embeddings with variance 1, biases drawn: a gate's order shows.

    The LSTM's columns are the input, forget, cell and output gates', in this order, each ``hidden`` wide.
    """
    width, hidden, classes = preset.width, preset.hidden, preset.classes
    return {
        "embedding.embeddings": Tensor(shape=(preset.vocabulary, width), a=math.sqrt(3.0), decayed=True),
        "lstm.kernel": Tensor(shape=(width, 4 * hidden), a=math.sqrt(3.0 / width), decayed=True),
        "lstm.recurrent_kernel": Tensor(shape=(hidden, 4 * hidden), a=math.sqrt(3.0 / hidden), decayed=True),
        "lstm.bias": Tensor(shape=(4 * hidden,), a=0.5),
        "classifier.kernel": Tensor(shape=(hidden, classes), a=math.sqrt(3.0 / hidden), decayed=True),
        "classifier.bias": Tensor(shape=(classes,), a=0.25),
    }


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two: the products of the tokens that are there, nothing else.

    Training is three forward passes (the weights' gradients and the inputs' as much again each) but for the initial
    state, a constant zero that needs no gradient.
    """
    recurrent = 2 * batch * preset.hidden * 4 * preset.hidden  # of the first tokens
    tokens = int(lengths(preset, batch).sum())
    forward = tokens * 2 * 4 * preset.hidden * (preset.width + preset.hidden)
    forward += 2 * batch * preset.hidden * preset.classes
    return forward if task == "infer" else 3 * forward - recurrent


SPEC = Workload(
    name="lstm",
    presets={
        "smoke": Preset(length=16, vocabulary=64, width=8, hidden=16, classes=4),
        "cpu": Preset(length=128, vocabulary=20_000, width=128, hidden=128, classes=2),
        "gpu": Preset(length=128, vocabulary=20_000, width=512, hidden=1024, classes=2),
        "smoke-padded": Preset(length=16, vocabulary=64, width=8, hidden=16, classes=4, padded=True),
        "cpu-padded": Preset(length=128, vocabulary=20_000, width=128, hidden=128, classes=2, padded=True),
    },
    inputs={
        "tokens": Input(("B", "length"), Integers("vocabulary"), dtype="int64"),
        "label": Input(("B",), Integers("classes"), dtype="int64"),
    },
    tensors=tensors,
    tasks={
        "train": Work(inputs=("tokens", "label"), targets=("label",), outputs=("loss",), unit="samples"),
        "infer": Work(inputs=("tokens",), outputs=("logits",), unit="samples"),
    },
    flops=flops,
    data=data,
    batches_drawn=BATCHES,
    optimizer=AdamW(lr=2.0**-10, weight_decay=0.01),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(
        sizes={
            "smoke": GateSize(batch=4),
            "cpu": GateSize(batch=4, preset="smoke"),
            "gpu": GateSize(batch=4, preset="smoke"),
            "smoke-padded": GateSize(batch=4),
            "cpu-padded": GateSize(batch=4, preset="smoke-padded"),
        }
    ),
    decisions={
        "cell": "i, f, o = sigmoid, g = tanh of x K + h R + b in the order i, f, g, o; c = f c + i g; h = o tanh(c); "
        "h and c start at zero",
        "bias": "one, drawn; nothing is added to the forget gate's",
        "lengths": "all equal: nothing is padded, packed or masked; in a padded size of B sequences one is a B-th of "
        "the whole length, one two B-ths and so on, in a drawn order, followed by token 0, which is no token: the last "
        "state is the last token's, and padding has no gradient",
        "padding": "left out as each framework's users do it: packed in PyTorch, masked by Keras' embedding, the state "
        "kept in a scan or loop; work is counted without it",
        "loss": "mean over the batch of -log softmax(logits)[label]",
        "weight decay": "decoupled, on the kernels and the embedding; not on biases",
    },
)
