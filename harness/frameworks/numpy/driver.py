"""How the self-test's workload is stepped: its file offers ``units(preset, variant)`` and ``step(y, factor,
x, units)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.frameworks import Stack, State
from harness.workloads import Job


class NumpyDriver:
    """One tensor, one input, no optimizer."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.units = job.file.units(job.preset, job.contender.variant)
        self.feed(job.batches)
        self.reset(job.weights)

    def run(self, n: int) -> Any:
        self.steps += n
        self.job.file.step(self.y, self.factor, self.x, n * self.units)
        return self.y

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        return {"y": output}

    def penalty(self) -> float:
        return 0.0

    def state(self) -> State:
        return State({"factor": self.factor.copy()}, {}, self.steps)

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.factor = tensors["factor"].copy()
        self.y, self.steps = np.zeros_like(self.x), 0  # (B, width)

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.x = batches["x"][0]

    def steps_done(self) -> int:
        return self.steps


def build(job: Job, stack: Stack) -> NumpyDriver:
    return NumpyDriver(job)
