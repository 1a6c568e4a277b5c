"""mlp: a multi-layer perceptron that learns real handwritten digits, to an accuracy.

The data are the 1,797 digits that scikit-learn ships (see NOTICE), 8 x 8 pixels divided by 16. One fixed
permutation splits them into 1,437 for training and 360 for testing. A round's seed fixes the weights and the
order of the batches, the same in every framework, so accuracies can be compared in pairs.

The arithmetic, the same in every framework:

- flatten (8, 8) row by row to 64
- dense layers, x W + b, with ReLU after each but the last; the gradient of ReLU at exactly 0 is 0
- loss: mean over the batch of -log softmax(logits)[label]
- SGD: v <- momentum * v + g; w <- w - lr * v; v starts at zero; no Nesterov, dampening or weight decay
- an epoch is a fresh shuffle of the training images cut into batches, the remainder dropped; steps cycle
  through 20 epochs
"""

from __future__ import annotations

import hashlib
import io
import itertools
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.workloads import Batches, Weights, philox

DIGITS = Path(__file__).with_name("digits.npz")
DIGITS_SHA256 = "be48c9df37095c53b2b71af775a2449c2b1b88db623984c95a34bade4b578d70"
TRAIN = 1437  # of 1,797; the other 360 are the test set
EPOCHS = 20  # different shuffles


class Preset(NamedTuple):
    widths: tuple[int, ...]  # input, hidden ..., classes
    parity_batch: int


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


class Mlp:
    """The specification; every framework file builds exactly this."""

    name = "mlp"
    presets: Mapping[str, Preset] = {
        "smoke": Preset(widths=(64, 128, 128, 10), parity_batch=32),
        "cpu": Preset(widths=(64, 512, 512, 10), parity_batch=32),
    }
    learning_rate = 2.0**-4
    momentum = 0.9
    target_accuracy: float | None = 0.95

    def shapes(self, preset: str) -> dict[str, tuple[int, ...]]:
        """Canonical names and shapes: kernels (in, out)."""
        widths = self.presets[preset].widths
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (n_in, n_out) in enumerate(itertools.pairwise(widths), start=1):
            shapes[f"dense{layer}.kernel"] = (n_in, n_out)
            shapes[f"dense{layer}.bias"] = (n_out,)
        return shapes

    def weights(self, preset: str, seed: int) -> dict[str, np.ndarray]:
        """Kernels He-uniform, a = sqrt(6 / fan_in), biases with a = 1 / sqrt(fan_in); fp32."""
        shapes = self.shapes(preset)
        weights = {}
        for name, shape in shapes.items():
            fan_in = shapes[name.replace("bias", "kernel")][0]
            a = math.sqrt((6.0 if name.endswith("kernel") else 1.0) / fan_in)
            weights[name] = philox.uniform(self.name, name, seed, shape, a)
        return weights

    def batches(self, preset: str, batch: int, seed: int) -> Batches:
        """All batches of 20 epochs, in order. x (20 * steps, B, 8, 8), y (20 * steps, B)."""
        steps = self.steps_per_epoch(preset, batch)
        if steps == 0:
            raise ValueError(f"mlp: batch {batch} is larger than the training set of {TRAIN} digits")
        orders = [
            philox.permutation(self.name, f"epoch{epoch}", seed, TRAIN)[: steps * batch]
            for epoch in range(EPOCHS)
        ]
        order = np.concatenate(orders).reshape(EPOCHS * steps, batch)
        return Batches(x=digits().train_images[order], y=digits().train_labels[order])

    def steps_per_epoch(self, preset: str, batch: int) -> int:
        """Full batches in one pass over the training set."""
        return TRAIN // batch

    def parity_batch(self, preset: str) -> int:
        """Batch size of the parity preset."""
        return self.presets[preset].parity_batch

    def parity_batches(self, preset: str) -> Batches:
        """What the stored reference was computed on: seed 0, the parity batch size."""
        return self.batches(preset, self.parity_batch(preset), seed=0)

    def flops(self, preset: str, batch: int, task: str) -> int:
        """FLOPs of one step, a multiply-add counted as two; biases, ReLU and the update are left out.

        Training is the forward pass, the weights' gradients (as much again) and the inputs' gradients (as
        much again, except for the images, which need none).
        """
        widths = self.presets[preset].widths
        layers = [2 * batch * n_in * n_out for n_in, n_out in itertools.pairwise(widths)]
        return sum(layers) if task == "infer" else 3 * sum(layers) - layers[0]

    def first_loss(self, preset: str, batch: int, seed: int) -> float | None:
        """fp64 loss of the first batch at the initial weights."""
        from harness.workloads.mlp import reference

        batches = self.batches(preset, batch, seed)
        logits = reference.forward(self.weights(preset, seed), batches.x[0]).logits
        return reference.cross_entropy(logits, batches.y[0])

    def test_accuracy(self, weights: Weights) -> float:
        """Share of the 360 test digits classified right, computed in fp64 by NumPy for every framework."""
        from harness.workloads.mlp import reference

        logits = reference.forward(weights, digits().test_images).logits
        return float(np.mean(np.argmax(logits, axis=1) == digits().test_labels))

    def config(self, preset: str) -> dict[str, Any]:
        """Everything that defines the work."""
        widths, parity_batch = self.presets[preset]
        return {
            "workload": self.name,
            "preset": preset,
            "widths": list(widths),
            "activation": "relu",
            "flatten": "row by row",
            "loss": "mean softmax cross-entropy from logits",
            "optimizer": {
                "kind": "sgd",
                "learning_rate": self.learning_rate,
                "momentum": self.momentum,
                "nesterov": False,
                "dampening": 0.0,
                "weight_decay": 0.0,
            },
            "weights": "philox uniform, kernels sqrt(6/fan_in), biases 1/sqrt(fan_in)",
            "data": {"source": "digits.npz", "sha256": DIGITS_SHA256, "train": TRAIN, "epochs": EPOCHS},
            "target_accuracy": self.target_accuracy,
            "parity_batch": parity_batch,
        }


SPEC = Mlp()
