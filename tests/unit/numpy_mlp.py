"""mlp as a driver in NumPy, with deliberate faults, so that whole trials and the whole gate run without a framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.frameworks import Stack, State, Stream
from harness.workloads import Job


class NumpyMlp:
    """SGD with momentum in the job's precision. ``fault`` names what is wrong with it."""

    def __init__(self, job: Job, fault: str = "") -> None:
        self.fault, self.job = fault, job
        declared = job.workload.optimizer
        self.lr = declared.lr * (1.01 if fault == "learning rate 1 % off" else 1.0)
        self.momentum = 0.89 if fault == "wrong momentum" else declared.momentum
        self.dtype = np.float64 if job.precision == "fp64" else np.float32
        self.velocity: dict[str, np.ndarray] = {}
        self.feed(job.batches)
        self.reset(job.weights)

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.stream = Stream(list(zip(batches["image"], batches["label"], strict=True)))

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.current = {name: array.astype(self.dtype) for name, array in tensors.items()}
        if self.fault == "one bit off":
            bias = self.current["dense.0.bias"]
            bias[0] = np.nextafter(bias[0], self.dtype(9))
        if self.fault != "momentum kept over reset" or not self.velocity:
            self.velocity = {name: np.zeros_like(array) for name, array in self.current.items()}
        self.stream.taken = 0

    def run(self, n: int) -> Any:
        done = n // 2 if self.fault == "half of the steps" and n > 1 else n
        if self.fault == "half of the steps, and it counts them all":
            done = max(1, n // 2)
            output = [self._one() for _ in range(done)][-1]
            self.stream.taken += n - done
            return output
        return [self._one() for _ in range(done)][-1]

    def _one(self) -> Any:
        x, y = next(self.stream)
        if self.fault == "wrong flatten order":
            x = x.transpose(0, 2, 1)
        if self.job.case.task == "infer":
            return self._forward(x)[-1].astype(np.float32 if self.dtype == np.float32 else np.float64)
        loss, gradients = self._gradients(x, y)
        scale = self.dtype(len(y) if self.fault == "sum taken for mean" else 1)
        for name, gradient in gradients.items():
            self.velocity[name] = (self.momentum * self.velocity[name] + scale * gradient).astype(self.dtype)
            self.current[name] = (self.current[name] - self.lr * self.velocity[name]).astype(self.dtype)
        return (
            self.dtype("nan") if self.fault == "not finite" and self.stream.taken > 40 else self.dtype(loss)
        )

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        """Inputs of each layer in fp64 arithmetic, and the logits."""
        values = [x.reshape(len(x), -1).astype(np.float64)]  # (B, 64), row by row
        for layer in range(self.layers):
            z = values[-1] @ self.current[f"dense.{layer}.kernel"].astype(np.float64)
            z = z + self.current[f"dense.{layer}.bias"]
            values.append(self._activation(z) if layer < self.layers - 1 else z)
        return values

    @property
    def layers(self) -> int:
        return len(self.job.preset.widths) - 1

    def _activation(self, z: np.ndarray) -> np.ndarray:
        return z / (1.0 + np.exp(-z)) if self.job.preset.smooth else np.maximum(z, 0.0)

    def _gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        values = self._forward(x)
        below_max = values[-1] - values[-1].max(axis=1, keepdims=True)
        p = np.exp(below_max) / np.exp(below_max).sum(axis=1, keepdims=True)
        loss = float(-np.mean(np.log(p[np.arange(len(y)), y])))
        delta = p
        delta[np.arange(len(y)), y] -= 1.0
        delta /= len(y)
        found: dict[str, np.ndarray] = {}
        for layer in reversed(range(self.layers)):
            found[f"dense.{layer}.kernel"] = values[layer].T @ delta
            found[f"dense.{layer}.bias"] = delta.sum(axis=0)
            if layer:
                kernel = self.current[f"dense.{layer - 1}.kernel"].astype(np.float64)
                z = values[layer - 1] @ kernel + self.current[f"dense.{layer - 1}.bias"]
                delta = (delta @ self.current[f"dense.{layer}.kernel"].astype(np.float64).T) * self._slope(z)
        return loss, found

    def _slope(self, z: np.ndarray) -> np.ndarray:
        if not self.job.preset.smooth:
            return (z > 0.0).astype(np.float64)
        s = 1.0 / (1.0 + np.exp(-z))
        return s * (1.0 + z * (1.0 - s))

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        return {self.job.work.outputs[0]: np.asarray(output)}

    def penalty(self) -> float:
        return 0.0

    def state(self) -> State:
        slots = {"velocity": {name: array.copy() for name, array in self.velocity.items()}}
        if self.fault == "another optimizer":
            slots = {}
        return State({name: array.copy() for name, array in self.current.items()}, slots, self.stream.taken)

    def steps_done(self) -> int:
        return self.stream.taken


def build(job: Job, stack: Stack) -> NumpyMlp:
    return NumpyMlp(job)
