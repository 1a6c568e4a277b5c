"""mlp: a multi-layer perceptron that learns real handwritten digits, to an accuracy.

The data are the 1,797 digits that scikit-learn ships (see NOTICE), 8 x 8 pixels divided by 16. One fixed
permutation splits them into 1,437 for training and 360 for testing. A seed fixes the weights and the
order of the batches, the same in every framework, so accuracies can be compared in pairs. An epoch is a fresh shuffle
of the training images cut into batches, the remainder dropped; steps cycle through 20 epochs.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.record import Task
from harness.workloads import philox
from harness.workloads.specification import (
    SGD,
    Arrays,
    Gate,
    GateSize,
    Given,
    Input,
    Learning,
    Tensor,
    Work,
    Workload,
)

DIGITS = Path(__file__).with_name("digits.npz")
DIGITS_SHA256 = "be48c9df37095c53b2b71af775a2449c2b1b88db623984c95a34bade4b578d70"
TRAIN = 1437  # of 1,797; the other 360 are the test set
EPOCHS = 20  # different shuffles


class Preset(NamedTuple):
    widths: tuple[int, ...]  # input, hidden ..., classes
    smooth: bool = False  # SiLU instead of ReLU (gate only)


class Digits(NamedTuple):
    """Images (n, 8, 8) fp32 in [0, 1], labels (n,) int64."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_digits(path: Path = DIGITS) -> Digits:
    """Read the file, check its SHA-256 and split it; ``ValueError`` if it is missing or not the known file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot read the digits ({error.strerror}); restore it from the repository"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != DIGITS_SHA256:
        raise ValueError(
            f"{path}: SHA-256 is {found}, expected {DIGITS_SHA256}; restore the file from the repository"
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        images = arrays["images"].astype(np.float32) / np.float32(16.0)  # exact: 0..16 over 16
        labels = arrays["labels"].astype(np.int64)
    order = philox.permutation("mlp", "split", 0, len(images))  # fixed: the same test set for every seed
    train, test = order[:TRAIN], order[TRAIN:]
    return Digits(images[train], labels[train], images[test], labels[test])


@cache
def digits() -> Digits:
    """The checked data set, read once per process."""
    return load_digits()


def tensors(preset: Preset) -> dict[str, Tensor]:
    """Kernels He-uniform, a = sqrt(6 / fan_in), biases with a = 1 / sqrt(fan_in)."""
    made: dict[str, Tensor] = {}
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(preset.widths)):
        made[f"dense.{layer}.kernel"] = Tensor(shape=(n_in, n_out), a=math.sqrt(6.0 / n_in))
        made[f"dense.{layer}.bias"] = Tensor(shape=(n_out,), a=1.0 / math.sqrt(n_in))
    return made


def steps_per_epoch(preset: Preset, batch: int) -> int:
    """Full batches in one pass over the training set; ``ValueError`` if there is none."""
    if batch > TRAIN:
        raise ValueError(f"mlp: batch {batch} is larger than the training set of {TRAIN} digits")
    return TRAIN // batch


def data(preset: Preset, batch: int, seed: int) -> dict[str, np.ndarray]:
    """All batches of 20 epochs, in order: image (20 * steps, B, 8, 8), label (20 * steps, B)."""
    steps = steps_per_epoch(preset, batch)
    orders = [
        philox.permutation("mlp", f"epoch{epoch}", seed, TRAIN)[: steps * batch] for epoch in range(EPOCHS)
    ]
    order = np.concatenate(orders).reshape(EPOCHS * steps, batch)
    return {"image": digits().train_images[order], "label": digits().train_labels[order]}


def flops(preset: Preset, batch: int, task: Task) -> int:
    """FLOPs of one step, a multiply-add counted as two; biases, ReLU and the update are left out.

    Training is the forward pass, the weights' gradients (as much again) and the inputs' gradients (as much
    again, except for the images, which need none).
    """
    layers = [2 * batch * n_in * n_out for n_in, n_out in itertools.pairwise(preset.widths)]
    return sum(layers) if task == "infer" else 3 * sum(layers) - layers[0]


def test_accuracy(preset: Preset, weights: Arrays) -> float:
    """Share of the 360 test digits classified right, computed in fp64 by NumPy for every framework."""
    x = digits().test_images.reshape(-1, 64).astype(np.float64)
    last = len(preset.widths) - 2
    for layer in range(last + 1):
        x = x @ weights[f"dense.{layer}.kernel"].astype(np.float64) + weights[f"dense.{layer}.bias"]
        x = np.maximum(x, 0.0) if layer < last else x
    return float(np.mean(np.argmax(x, axis=1) == digits().test_labels))


SPEC = Workload(
    name="mlp",
    presets={
        "smoke": Preset(widths=(64, 128, 128, 10)),
        "cpu": Preset(widths=(64, 512, 512, 10)),
    },
    inputs={
        "image": Input(("B", 8, 8), Given("scikit-learn's digits")),
        "label": Input(("B",), Given("scikit-learn's digits"), dtype="int64"),
    },
    tensors=tensors,
    tasks={
        "train": Work(inputs=("image", "label"), targets=("label",), outputs=("loss",), unit="images"),
        "infer": Work(inputs=("image",), outputs=("logits",), unit="images"),
    },
    flops=flops,
    optimizer=SGD(lr=2.0**-4, momentum=0.9),
    precisions=("fp32", "tf32", "bf16"),
    gate=Gate(sizes={name: GateSize(batch=16) for name in ("smoke", "cpu")}, smooth=True),
    data=data,
    data_facts={"file": "digits.npz", "sha256": DIGITS_SHA256, "train": TRAIN, "epochs": EPOCHS},
    learning=Learning(measure="test accuracy", target=0.95, steps=steps_per_epoch, score=test_accuracy),
    decisions={
        "flatten": "row by row",
        "activation": "ReLU after each dense layer but the last; its gradient at exactly 0 is 0",
        "loss": "mean over the batch of -log softmax(logits)[label]",
    },
)
