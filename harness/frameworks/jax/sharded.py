"""The driver of one device, over arrays that lie on several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from harness.frameworks.jax.driver import JaxDriver
from harness.frameworks.jax.mesh import most_apart, shardings
from harness.workloads import Job


class ShardedDriver(JaxDriver):
    """Batches are split over the mesh; weights, buffers and slots are on every device, before and after each step."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.split, self.whole = shardings(job.case.device_count)
        super().__init__(job, stack)
        donated = 0 if job.case.device == "gpu" else ()
        self.train = stack.compile(self._train, donate_argnums=donated, out_shardings=self.whole)
        self.reset(job.weights)

    def _on_device(self, arrays: Iterable[np.ndarray]) -> list[Any]:
        return [jax.device_put(one, self.split) for one in super()._on_device(arrays)]

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        super().reset(tensors)
        self.carry = jax.device_put(self.carry, self.whole)

    def apart(self) -> float:
        return most_apart(jax.tree.leaves(self.carry))
