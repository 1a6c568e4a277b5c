"""An mlp in NumPy fp32, with deliberate faults, so that whole trials run without a framework."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.workloads import Job, Weights
from harness.workloads.mlp import reference


class NumpyMlp:
    """SGD with momentum in fp32 on the reference's gradients. ``fault`` names what is wrong with it."""

    def __init__(self, job: Job, fault: str = "") -> None:
        self.fault, self.job = fault, job
        self.lr = job.workload.learning_rate * (1.01 if fault == "learning rate 1 % off" else 1.0)
        self.momentum = 0.89 if fault == "wrong momentum" else job.workload.momentum
        self.velocity: dict[str, np.ndarray] = {}
        self.reset(job.weights)

    def reset(self, weights: Weights) -> None:
        self.current = {name: array.copy() for name, array in weights.items()}
        if self.fault == "one bit off":
            self.current["dense1.bias"][0] = np.nextafter(self.current["dense1.bias"][0], np.float32(9))
        if self.fault != "momentum kept over reset" or not self.velocity:
            self.velocity = {name: np.zeros_like(array) for name, array in weights.items()}
        self.step = 0

    def run(self, n: int) -> Any:
        return [self._one() for _ in range(n)][-1]

    def _one(self) -> Any:
        x, y = (part[self.step % len(part)] for part in self.job.batches)
        self.step += 1
        if self.fault == "wrong flatten order":
            x = x.transpose(0, 2, 1)
        if self.job.case.task == "infer":
            return reference.forward(self.current, x).logits.astype(np.float32)
        loss, gradients = reference.gradients(self.current, x, y)
        scale = np.float32(len(y) if self.fault == "sum taken for mean" else 1)
        for name, gradient in gradients.items():
            self.velocity[name] = (self.momentum * self.velocity[name] + scale * gradient).astype(np.float32)
            self.current[name] = (self.current[name] - self.lr * self.velocity[name]).astype(np.float32)
        return np.float32("nan") if self.fault == "not finite" and self.step > 3 else np.float32(loss)

    def weights(self) -> dict[str, np.ndarray]:
        names = reversed(self.current) if self.fault == "" else self.current
        return {name: self.current[name].copy() for name in names}
