"""The fp64 reference of mlp: forward, backward and SGD with momentum in plain NumPy.

``python -m harness.workloads.mlp.reference`` writes what every framework is compared with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.parity import Reference
from harness.record import Task
from harness.workloads import Batches, Weights, stored_reference


class Forward(NamedTuple):
    inputs: list[np.ndarray]  # what each dense layer received, (B, n_in)
    logits: np.ndarray  # (B, classes)


class Training(NamedTuple):
    loss: float  # of the first step
    gradients: dict[str, np.ndarray]  # of the first step
    updates: dict[str, np.ndarray]  # W after the last step - W before the first


def forward(weights: Weights, images: np.ndarray) -> Forward:
    """images (B, 8, 8), any precision -> logits in fp64."""
    layers = len(weights) // 2
    x = images.astype(np.float64).reshape(len(images), -1)  # (B, 64)
    inputs = []
    for layer in range(1, layers + 1):
        inputs.append(x)
        kernel = weights[f"dense{layer}.kernel"].astype(np.float64)
        x = x @ kernel + weights[f"dense{layer}.bias"].astype(np.float64)
        if layer < layers:
            x = np.maximum(x, 0.0)
    return Forward(inputs, x)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log softmax(logits)[label]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(labels)), labels]))


def gradients(
    weights: Weights, images: np.ndarray, labels: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and its gradients by canonical name."""
    inputs, logits = forward(weights, images)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    delta = probabilities
    delta[np.arange(len(labels)), labels] -= 1.0
    delta /= len(labels)  # (B, classes): d loss / d logits
    result: dict[str, np.ndarray] = {}
    for layer in range(len(inputs), 0, -1):
        x = inputs[layer - 1]
        result[f"dense{layer}.kernel"] = x.T @ delta
        result[f"dense{layer}.bias"] = delta.sum(axis=0)
        if layer > 1:  # x = relu(.), so x > 0 where the unit was on
            delta = (delta @ weights[f"dense{layer}.kernel"].astype(np.float64).T) * (x > 0.0)
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
    return stored_reference.expected("mlp", preset, task)


if __name__ == "__main__":
    stored_reference.regenerate("mlp")
