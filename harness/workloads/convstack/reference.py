"""The fp64 reference of convstack: forward, backward and SGD with momentum in plain NumPy.

``python -m harness.workloads.convstack.reference`` writes what every framework is compared with.

Max-pooling is not smooth: where the two largest values of a window are closer than fp32 can tell, an
implementation may send the gradient to the other one. Random images make such windows rare; a single one moves
a gradient by less than the tolerances.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.parity import Reference
from harness.record import Task
from harness.workloads import Batches, Weights, stored_reference


class Stage(NamedTuple):
    """What the backward pass needs of one convolution and its pooling."""

    inputs: np.ndarray  # (B, S, S, C_in)
    choice: np.ndarray  # (B, S/2, S/2, C_out): which of the four was the maximum, row by row


class Forward(NamedTuple):
    stages: list[Stage]
    features: np.ndarray  # (B, features)
    logits: np.ndarray  # (B, classes)


class Training(NamedTuple):
    loss: float  # of the first step
    gradients: dict[str, np.ndarray]  # of the first step
    updates: dict[str, np.ndarray]  # W after the last step - W before the first


def shifted(x: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """The nine views of a zero-padded image that a 3 x 3 kernel meets: (row, column, (B, S, S, C))."""
    size = x.shape[1]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return [(i, j, padded[:, i : i + size, j : j + size]) for i in range(3) for j in range(3)]


def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """3 x 3, padding 1: (B, S, S, C_in) and HWIO -> (B, S, S, C_out), as nine matrix products."""
    total = np.zeros((*x.shape[:3], kernel.shape[3]))
    for i, j, view in shifted(x):
        total += view @ kernel[i, j]
    return total


def windows(x: np.ndarray) -> np.ndarray:
    """(B, S, S, C) -> (B, S/2, S/2, 4, C): 2 x 2 windows row by row; an odd last row or column is left out."""
    batch, size, _, channels = x.shape
    half = size // 2
    blocks = x[:, : 2 * half, : 2 * half].reshape(batch, half, 2, half, 2, channels)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(batch, half, half, 4, channels)


def spread(gradient: np.ndarray, choice: np.ndarray, size: int) -> np.ndarray:
    """Inverse of ``windows`` for the pooled gradient: each (B, S/2, S/2, C) value goes to its maximum."""
    batch, half, _, channels = gradient.shape
    blocks = np.zeros((batch, half, half, 4, channels))
    np.put_along_axis(blocks, choice[:, :, :, None], gradient[:, :, :, None], axis=3)
    image = np.zeros((batch, size, size, channels))
    inner = blocks.reshape(batch, half, half, 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    image[:, : 2 * half, : 2 * half] = inner.reshape(batch, 2 * half, 2 * half, channels)
    return image


def forward(weights: Weights, images: np.ndarray) -> Forward:
    """images (B, S, S, 3), any precision -> logits in fp64."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    x, stages = images.astype(np.float64), []
    for stage in range(1, len(w) // 2):
        four = windows(convolve(x, w[f"conv{stage}.kernel"]) + w[f"conv{stage}.bias"])
        choice = np.argmax(four, axis=3)  # the first of equals
        stages.append(Stage(x, choice))
        x = np.take_along_axis(four, choice[:, :, :, None], axis=3)[:, :, :, 0]
    features = x.reshape(len(x), -1)  # H, W, C
    return Forward(stages, features, features @ w["classifier.kernel"] + w["classifier.bias"])


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log softmax(logits)[label]."""
    below_max = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(below_max).sum(axis=1))
    return float(np.mean(log_sum - below_max[np.arange(len(labels)), labels]))


def gradients(
    weights: Weights, images: np.ndarray, labels: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and its gradients by canonical name."""
    stages, features, logits = forward(weights, images)
    delta = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta /= delta.sum(axis=1, keepdims=True)
    delta[np.arange(len(labels)), labels] -= 1.0
    delta /= len(labels)  # (B, classes): d loss / d logits
    result = {"classifier.kernel": features.T @ delta, "classifier.bias": delta.sum(axis=0)}
    delta = delta @ weights["classifier.kernel"].astype(np.float64).T  # (B, features)
    delta = delta.reshape(stages[-1].choice.shape)  # (B, s, s, C)
    for stage in range(len(stages), 0, -1):
        x, choice = stages[stage - 1]
        kernel = weights[f"conv{stage}.kernel"].astype(np.float64)
        delta = spread(delta, choice, x.shape[1])  # (B, S, S, C_out)
        flat = delta.reshape(-1, delta.shape[-1])
        result[f"conv{stage}.bias"] = flat.sum(axis=0)
        by_tap = [view.reshape(-1, x.shape[-1]).T @ flat for _, _, view in shifted(x)]
        result[f"conv{stage}.kernel"] = np.stack(by_tap).reshape(kernel.shape)
        if stage > 1:  # the transposed convolution: the kernel turned by 180 degrees, in and out swapped
            delta = convolve(delta, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    return cross_entropy(logits, labels), result


def train(weights: Weights, batches: Batches, steps: int, lr: float, momentum: float) -> Training:
    """``steps`` steps of SGD with momentum from ``weights``, all in fp64."""
    start = {name: array.astype(np.float64) for name, array in weights.items()}
    current = {name: array.copy() for name, array in start.items()}
    velocity = {name: np.zeros_like(array) for name, array in start.items()}
    first: tuple[float, dict[str, np.ndarray]] | None = None
    for step in range(steps):
        loss, grads = gradients(current, batches.x[step % len(batches.x)], batches.y[step % len(batches.y)])
        first = first or (loss, grads)
        for name in current:
            velocity[name] = momentum * velocity[name] + grads[name]
            current[name] -= lr * velocity[name]
    if first is None:
        raise ValueError("a reference needs at least one step")
    return Training(first[0], first[1], {name: current[name] - start[name] for name in start})


def expected(preset: str, task: Task) -> Reference:
    """What the parity trial compares with."""
    return stored_reference.expected("convstack", preset, task)


if __name__ == "__main__":
    stored_reference.regenerate("convstack")
