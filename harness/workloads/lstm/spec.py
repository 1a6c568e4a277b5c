"""lstm: a sequence of tokens, classified by the last state of one LSTM (Hochreiter and Schmidhuber, 1997).

Embedding, one layer of LSTM in the form that all frameworks have (a forget gate, no peepholes, one bias), a dense
classifier. Every sequence is ``length`` long: nothing is padded or masked. ``cpu`` is about as large as the IMDB
example of Keras (20,000 words, 128 wide), ``gpu`` is wider.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.record import Task
from harness.workloads.specification import AdamW, Gate, GateSize, Input, Integers, Tensor, Work, Workload


class Preset(NamedTuple):
    length: int  # tokens of a sequence
    vocabulary: int
    width: int  # of an embedding
    hidden: int  # of the LSTM's state
    classes: int


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
    """FLOPs of one step, a multiply-add counted as two: the products, nothing else.

    Training is three forward passes (the weights' gradients and the inputs' as much again each) but for the initial
    state, a constant zero that needs no gradient.
    """
    recurrent = 2 * batch * preset.hidden * 4 * preset.hidden  # of one token
    forward = preset.length * (2 * batch * preset.width * 4 * preset.hidden + recurrent)
    forward += 2 * batch * preset.hidden * preset.classes
    return forward if task == "infer" else 3 * forward - recurrent


SPEC = Workload(
    name="lstm",
    presets={
        "smoke": Preset(length=16, vocabulary=64, width=8, hidden=16, classes=4),
        "cpu": Preset(length=128, vocabulary=20_000, width=128, hidden=128, classes=2),
        "gpu": Preset(length=128, vocabulary=20_000, width=512, hidden=1024, classes=2),
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
    optimizer=AdamW(lr=2.0**-10, weight_decay=0.01),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(
        sizes={
            "smoke": GateSize(batch=4),
            "cpu": GateSize(batch=4, preset="smoke"),
            "gpu": GateSize(batch=4, preset="smoke"),
        }
    ),
    decisions={
        "cell": "i, f, o = sigmoid, g = tanh of x K + h R + b in the order i, f, g, o; c = f c + i g; h = o tanh(c); "
        "h and c start at zero",
        "bias": "one, drawn; nothing is added to the forget gate's",
        "lengths": "all equal: nothing is padded, packed or masked",
        "loss": "mean over the batch of -log softmax(logits)[label]",
        "weight decay": "decoupled, on the kernels and the embedding; not on biases",
    },
)
