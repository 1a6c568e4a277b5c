"""The driver of one device under Keras' own distribution."""

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np

from harness.frameworks.jax.mesh import most_apart, shardings
from harness.frameworks.keras.driver import KerasDriver
from harness.workloads import Job


class DistributedDriver(KerasDriver):
    """Everything is made under the distribution. ``fit`` splits batches by itself; its step called directly gets them
    split."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.split, _ = shardings(job.case.device_count)
        devices = [f"{one.platform}:{one.id}" for one in jax.devices()[: job.case.device_count]]
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        super().__init__(job, stack)

    def _on_device(self, name: str, batches: np.ndarray) -> list[Any]:
        tensors = super()._on_device(name, batches)
        return tensors if self.stack.loop else [jax.device_put(tensor, self.split) for tensor in tensors]

    def apart(self) -> float:
        self.stepper.synchronize()
        return most_apart(variable.value for variable in self.model.variables)
