"""planted in NumPy: ``y = y * factor + x``, once per unit, without allocating."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.frameworks import Stack
from harness.workloads import Job, Weights


class PlantedWork:
    def __init__(self, job: Job, stack: Stack) -> None:
        workload: Any = job.workload
        self.units = workload.units(job.case.preset, job.contender.variant)
        self.x = job.batches.x[0]  # (B, width)
        self.reset(job.weights)

    def run(self, n: int) -> Any:
        y, x, factor = self.y, self.x, self.factor
        for _ in range(n * self.units):
            np.multiply(y, factor, out=y)  # (B, width)
            np.add(y, x, out=y)
        return y

    def weights(self) -> dict[str, np.ndarray]:
        return {"factor": self.factor.copy()}

    def reset(self, weights: Weights) -> None:
        self.factor = weights["factor"].copy()
        self.y = np.zeros_like(self.x)  # (B, width)


def build(job: Job, stack: Stack) -> PlantedWork:
    return PlantedWork(job, stack)
