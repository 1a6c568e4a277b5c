"""bert: an encoder-only transformer of BERT's form (Devlin et al., 2019) that classifies sequences, without dropout.

Every sequence is padded to ``context`` tokens; ``mask`` says which are there, and attention looks at those alone. The
classifier looks at the first token. ``gpu`` is BERT base, ``cpu`` is smaller. Tokens, lengths and labels are drawn:
what is asked is the time of fine-tuning and of classifying, not what is learned.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.record import Task
from harness.workloads import philox
from harness.workloads.specification import (
    AdamW,
    Gate,
    GateSize,
    Given,
    Input,
    Integers,
    Tensor,
    Work,
    Workload,
)

BATCHES = 4  # different ones, then from the first again


class Preset(NamedTuple):
    vocabulary: int
    context: int  # positions of a sequence, padding included
    layers: int
    heads: int
    width: int
    classes: int
    epsilon: float = 1e-12  # of LayerNorm


def data(preset: Preset, batch: int, seed: int) -> dict[str, np.ndarray]:
    """tokens and mask, (N, B, T): sequences of T / 2 to T tokens, then padding, token 0; mask is 1 where a token is."""
    shape = (BATCHES, batch)
    tokens = philox.integers("bert", "tokens", seed, (*shape, preset.context), preset.vocabulary)
    least = preset.context // 2
    lengths = least + philox.integers("bert", "lengths", seed, shape, preset.context - least + 1)
    mask = (np.arange(preset.context) < lengths[..., None]).astype(np.int64)
    return {"tokens": tokens * mask, "mask": mask}


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Kernels uniform with a = sqrt(3 / fan_in), so that attention prefers some tokens from the start; embeddings with
    BERT's standard deviation, 0.02; biases zero. Weight decay on everything that is a matrix.
    """
    width = preset.width

    def norm(name: str) -> dict[str, Tensor]:
        return {f"{name}.gamma": Tensor(shape=(width,), constant=1.0), f"{name}.beta": Tensor(shape=(width,))}

    def dense(name: str, n_in: int, n_out: int) -> dict[str, Tensor]:
        kernel = Tensor(shape=(n_in, n_out), a=math.sqrt(3.0 / n_in), decayed=True)
        return {f"{name}.kernel": kernel, f"{name}.bias": Tensor(shape=(n_out,))}

    def embedding(name: str, rows: int) -> dict[str, Tensor]:
        return {f"{name}.embeddings": Tensor(shape=(rows, width), a=0.02 * math.sqrt(3.0), decayed=True)}

    made = embedding("token_embedding", preset.vocabulary) | embedding("position_embedding", preset.context)
    made |= norm("ln_embedding")
    for block in (f"blocks.{layer}" for layer in range(preset.layers)):
        made |= dense(f"{block}.qkv", width, 3 * width)
        made |= dense(f"{block}.proj", width, width)
        made |= norm(f"{block}.ln1")
        made |= dense(f"{block}.fc", width, 4 * width)
        made |= dense(f"{block}.out", 4 * width, width)
        made |= norm(f"{block}.ln2")
    return made | dense("pooler", width, width) | dense("classifier", width, preset.classes)


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two: dense layers and both products of attention over all positions,
    padding too. Lookups, biases, norms, GELU, softmax and the update are left out.

    Training is three times the forward pass: the first layer's input needs a gradient too, for the embeddings.
    """
    width, length = preset.width, preset.context
    dense = 2 * length * (3 + 1 + 4 + 4) * width * width
    attention = 2 * 2 * length * length * width
    forward = batch * (preset.layers * (dense + attention) + 2 * width * (width + preset.classes))
    return 3 * forward if task == "train" else forward


SPEC = Workload(
    name="bert",
    presets={
        "smoke": Preset(vocabulary=64, context=16, layers=2, heads=2, width=32, classes=4),
        "cpu": Preset(vocabulary=8192, context=128, layers=4, heads=4, width=256, classes=4),
        "gpu": Preset(vocabulary=30522, context=128, layers=12, heads=12, width=768, classes=4),
    },
    inputs={
        "tokens": Input(("B", "context"), Given("drawn uniformly, then padding"), dtype="int64"),
        "mask": Input(("B", "context"), Given("1 where a token is, 0 in the padding"), dtype="int64"),
        "label": Input(("B",), Integers("classes"), dtype="int64"),
    },
    tensors=tensors,
    tasks={
        "train": Work(
            inputs=("tokens", "mask", "label"), targets=("label",), outputs=("loss",), unit="samples"
        ),
        "infer": Work(inputs=("tokens", "mask"), outputs=("logits",), unit="samples"),
    },
    flops=flops,
    optimizer=AdamW(lr=2.0**-13, beta1=0.9, beta2=0.999, epsilon=1e-6, weight_decay=0.01),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(
        sizes={
            "smoke": GateSize(batch=4),
            "cpu": GateSize(batch=4, preset="smoke"),
            "gpu": GateSize(batch=4, preset="smoke"),
        }
    ),
    batches_drawn=BATCHES,
    data=data,
    decisions={
        "embedding": "LayerNorm of token plus position; one segment, whose embedding would be one more constant",
        "blocks": "x = ln1(x + proj(attention(qkv(x)))), then x = ln2(x + out(GELU(fc(x)))): the norms come after",
        "qkv": "one dense layer; queries, keys and values in this order, each head after head",
        "attention": "softmax(q k / sqrt(head width)) v over the tokens that are there, by a fused kernel if any",
        "keys' bias": "its gradient is zero in exact arithmetic: softmax does not see what all scores of a row share",
        "padding": "computed like every token, and seen by none",
        "GELU": "BERT's own form, x / 2 (1 + erf(x / sqrt(2))); KerasHub's BERT has the tanh form by default",
        "classifier": "dense(tanh(pooler(first token)))",
        "dropout": "none; with a rate above 0 Keras' MultiHeadAttention takes no fused kernel, not even to predict",
        "loss": "mean over the batch of -log softmax(logits)[label]",
    },
)
