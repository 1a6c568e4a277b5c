"""gpt: a decoder-only transformer of GPT-2's form (Radford et al., 2019), trained and generating, without dropout.

Two sizes learn the characters of ``text.txt``: the documents of this repository as they stood at commit 2fe74a6
(readme, contributing, changelog, containers, site, licence), in ASCII, 41,632 characters of which 88 differ. The last
tenth is held out for validation. The file does not follow the documents when they change. The third size is that of
GPT-2 124M; no text of its vocabulary is at hand: its tokens are drawn uniformly, there is nothing to learn in them.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.record import Task
from harness.workloads import philox
from harness.workloads.specification import (
    AdamW,
    Arrays,
    Gate,
    GateSize,
    Given,
    Input,
    Learning,
    Tensor,
    WarmupCosine,
    Work,
    Workload,
)

TEXT = Path(__file__).with_name("text.txt")
TEXT_SHA256 = "c422810b6f81b1e20eeaa840e0f3e0e827cacb1383d8ad6b8735fafdbfc46e00"
TRAIN = 37_468  # characters; the other 4,164 are for validation
TRAINING_BATCHES = 256  # different ones, then from the first again
PROMPTS = 4
VALIDATION = 2048  # characters that are scored
DEVIATION = 0.02  # of the initial weights


class Preset(NamedTuple):
    vocabulary: int
    context: int  # positions of a sequence and of the cache
    layers: int
    heads: int
    width: int
    prompt: int  # positions that prefill fills; decoding goes on from there
    text: bool  # tokens are characters of text.txt, else drawn uniformly
    epsilon: float = 1e-5  # of LayerNorm


# --- data ----------------------------------------------------------------------------------------


def load_text(path: Path = TEXT) -> np.ndarray:
    """Read the file, check its SHA-256 and number its characters: (41632,) int64, ordered as the characters are.

    ``ValueError`` if it is missing or not the known file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot read the text ({error.strerror}); restore it from the repository"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != TEXT_SHA256:
        raise ValueError(
            f"{path}: SHA-256 is {found}, expected {TEXT_SHA256}; restore the file from the repository"
        )
    characters = np.frombuffer(data, np.uint8)
    return np.unique(characters, return_inverse=True)[1].astype(np.int64)


@cache
def text() -> np.ndarray:
    """The checked text, read once per process."""
    return load_text()


def sequences(preset: Preset, stream: str, seed: int, count: int) -> np.ndarray:
    """(count, context + 1) tokens: windows of the training text at random places, or uniform ones."""
    length = preset.context + 1
    if not preset.text:
        return philox.integers("gpt", stream, seed, (count, length), preset.vocabulary)
    starts = philox.integers("gpt", stream, seed, (count, 1), TRAIN - length + 1)
    return np.asarray(text()[starts + np.arange(length)])


def validation(preset: Preset) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and targets (2048 / context, context): the first 2,048 characters after the training text."""
    if not preset.text:
        raise ValueError(
            "gpt: the tokens of this preset are drawn uniformly; there is nothing to learn in them"
        )
    held_out = text()[TRAIN : TRAIN + VALIDATION + 1]
    return held_out[:-1].reshape(-1, preset.context), held_out[1:].reshape(-1, preset.context)


def data(preset: Preset, batch: int, seed: int) -> dict[str, np.ndarray]:
    """tokens, targets (N, B, T), each target the token after; prompt (4, B, P); token (T - P, B), position (T - P,).

    Decoding is teacher-forced: ``token`` goes on where the first prompts end. N: 256 (text) or 4 (drawn).
    """
    count = TRAINING_BATCHES if preset.text else PROMPTS
    training = sequences(preset, "tokens", seed, count * batch).reshape(count, batch, -1)
    generation = sequences(preset, "prompt", seed, PROMPTS * batch).reshape(PROMPTS, batch, -1)
    return {
        "tokens": training[:, :, :-1],
        "targets": training[:, :, 1:],
        "prompt": generation[:, :, : preset.prompt],
        "token": generation[0, :, preset.prompt : preset.context].T,
        "position": np.arange(preset.prompt, preset.context, dtype=np.int64),
    }


# --- model ---------------------------------------------------------------------------------------


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Uniform with GPT-2's standard deviation, over sqrt(2 layers) where a residual branch ends; biases zero.

    Weight decay on everything that is a matrix. The logits are the last activations times the token embedding.
    """
    width, a = preset.width, DEVIATION * math.sqrt(3.0)
    at_end = a / math.sqrt(2.0 * preset.layers)

    def norm(name: str) -> dict[str, Tensor]:
        return {f"{name}.gamma": Tensor(shape=(width,), constant=1.0), f"{name}.beta": Tensor(shape=(width,))}

    def dense(name: str, n_in: int, n_out: int, a: float) -> dict[str, Tensor]:
        kernel = Tensor(shape=(n_in, n_out), a=a, decayed=True)
        return {f"{name}.kernel": kernel, f"{name}.bias": Tensor(shape=(n_out,))}

    made = {
        "token_embedding.embeddings": Tensor(shape=(preset.vocabulary, width), a=a, decayed=True),
        "position_embedding.embeddings": Tensor(shape=(preset.context, width), a=a, decayed=True),
    }
    for block in (f"blocks.{layer}" for layer in range(preset.layers)):
        made |= norm(f"{block}.ln1")
        made |= dense(f"{block}.qkv", width, 3 * width, a)
        made |= dense(f"{block}.proj", width, width, at_end)
        made |= norm(f"{block}.ln2")
        made |= dense(f"{block}.fc", width, 4 * width, a)
        made |= dense(f"{block}.out", 4 * width, width, at_end)
    return made | norm("ln_final")


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two: dense layers, both products of attention over all pairs of
    positions, logits. Lookups, biases, norms, GELU, softmax and the update are left out.

    Training is three times the forward pass: the first layer's input needs a gradient too, for the embeddings. A
    prefill makes logits for the last position alone; a decoded token attends to the whole static cache.
    """
    return _flops(preset, batch, task, attended=1.0)


def flops_causal(preset: Preset, batch: int, task: Task) -> int:
    """The same where attention computes only the half that the causal mask leaves (decoding has no such half)."""
    return _flops(preset, batch, task, attended=1.0 if task == "decode" else 0.5)


def _flops(preset: Preset, batch: int, task: Task, attended: float) -> int:
    width, context = preset.width, preset.context
    queries, keys = {"train": (context, context), "prefill": (preset.prompt,) * 2, "decode": (1, context)}[
        task
    ]
    dense = 2 * queries * (3 + 1 + 4 + 4) * width * width
    attention = int(attended * 2 * 2 * queries * keys * width)
    logits = 2 * (queries if task == "train" else 1) * width * preset.vocabulary
    forward = batch * (preset.layers * (dense + attention) + logits)
    return 3 * forward if task == "train" else forward


# --- learning ------------------------------------------------------------------------------------


def logits(preset: Preset, weights: Arrays, tokens: np.ndarray) -> np.ndarray:
    """(B, T) tokens to (B, T, V) logits, by NumPy in the weights' precision."""
    w, (count, length) = weights, tokens.shape
    past = np.tri(length, dtype=bool)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + preset.epsilon)
        return np.asarray(centred / deviation * w[f"{name}.gamma"] + w[f"{name}.beta"])

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ w[f"{name}.kernel"] + w[f"{name}.bias"])

    def attend(x: np.ndarray) -> np.ndarray:  # (B, T, 3C) -> (B, T, C)
        q, k, v = x.reshape(count, length, 3, preset.heads, -1).transpose(2, 0, 3, 1, 4)  # (B, H, T, D) each
        scores = np.where(past, q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), -np.inf)
        exponentials = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = exponentials / exponentials.sum(-1, keepdims=True) @ v
        return np.asarray(mixed.swapaxes(1, 2).reshape(count, length, -1))

    x = w["token_embedding.embeddings"][tokens] + w["position_embedding.embeddings"][:length]
    for block in (f"blocks.{layer}" for layer in range(preset.layers)):
        x = x + dense(attend(dense(norm(x, f"{block}.ln1"), f"{block}.qkv")), f"{block}.proj")
        h = dense(norm(x, f"{block}.ln2"), f"{block}.fc")
        h = 0.5 * h * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (h + 0.044715 * h * h * h)))
        x = x + dense(h, f"{block}.out")
    return np.asarray(norm(x, "ln_final") @ w["token_embedding.embeddings"].T)


def validation_loss(preset: Preset, weights: Arrays) -> float:
    """Nats per character of the validation text, by NumPy for every framework."""
    tokens, targets = validation(preset)
    scores = logits(preset, weights, tokens)
    scores -= scores.max(-1, keepdims=True)
    chosen = np.take_along_axis(scores, targets[:, :, None], -1)[..., 0]
    return float(np.mean(np.log(np.exp(scores).sum(-1)) - chosen, dtype=np.float64))


SPEC = Workload(
    name="gpt",
    presets={
        "smoke": Preset(vocabulary=96, context=64, layers=2, heads=2, width=64, prompt=32, text=True),
        "cpu": Preset(vocabulary=96, context=128, layers=4, heads=4, width=256, prompt=64, text=True),
        "gpu": Preset(vocabulary=50257, context=1024, layers=12, heads=12, width=768, prompt=512, text=False),
    },
    inputs={
        "tokens": Input(("B", "context"), Given("text.txt, or uniform"), dtype="int64"),
        "targets": Input(("B", "context"), Given("the token after each"), dtype="int64"),
        "prompt": Input(("B", "prompt"), Given("text.txt, or uniform"), dtype="int64"),
        "token": Input(("B",), Given("what follows the first prompts"), dtype="int64"),
        "position": Input((), Given("prompt, prompt + 1, ... context - 1"), dtype="int64"),
    },
    tensors=tensors,
    tasks={
        "train": Work(
            inputs=("tokens", "targets"),
            targets=("targets",),
            outputs=("loss",),
            unit="tokens",
            per_sample="context",
        ),
        "prefill": Work(inputs=("prompt",), outputs=("logits",), unit="tokens", per_sample="prompt"),
        "decode": Work(start=("prompt",), inputs=("token", "position"), outputs=("logits",), unit="tokens"),
    },
    flops=flops,
    flops_causal=flops_causal,
    optimizer=AdamW(
        lr=1e-3,
        beta1=0.9,
        beta2=0.95,
        epsilon=1e-8,
        weight_decay=0.1,
        schedule=WarmupCosine(warmup=10, total=1000, floor=0.1),
    ),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(
        sizes={
            "smoke": GateSize(batch=2),
            "cpu": GateSize(batch=2, preset="smoke"),
            "gpu": GateSize(batch=2, preset="smoke"),
        }
    ),
    data=data,
    data_facts={"file": "text.txt", "sha256": TEXT_SHA256, "train": TRAIN, "batches": TRAINING_BATCHES},
    learning=Learning(
        measure="validation loss",
        target=2.6,  # counting pairs of characters in the training text gives 2.67
        steps=lambda preset, batch: 50,
        score=validation_loss,
        higher=False,
    ),
    decisions={
        "blocks": "x + proj(attention(qkv(ln1(x)))), then x + out(GELU(fc(ln2(x)))); a LayerNorm before the logits",
        "qkv": "one dense layer; queries, keys and values in this order, each head after head",
        "attention": "softmax(q k / sqrt(head width)) v over the positions so far, by a fused kernel if there is one",
        "keys' bias": "its gradient is zero in exact arithmetic: softmax does not see what all scores of a row share",
        "GELU": "GPT-2's tanh form: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))",
        "logits": "times the token embedding, transposed; no weights of their own, no bias",
        "dropout": "none",
        "loss": "mean over batch and positions of -log softmax(logits)[target]",
        "cache": "keys and values of `context` positions, allocated once; a step writes at `position`",
    },
)
