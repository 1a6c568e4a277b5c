"""Keras shares a step by ``keras.distribution.DataParallel``, which it has on the JAX backend.

Variables are on all devices, ``fit`` splits each batch; XLA puts the sums over devices where they belong.
"""

from __future__ import annotations

from harness.data_parallel import Means, SharedDriver
from harness.frameworks import Stack, Unsupported, info
from harness.frameworks.jax import data_parallel as jax_data_parallel
from harness.record import Case, Contender
from harness.workloads import Job


def means(case: Case, contender: Contender) -> Means:
    if info(contender.stack).backend != "jax":
        raise Unsupported(
            "keras.distribution.DataParallel runs on the JAX backend alone", "ask for keras-jax"
        )
    return Means(words="keras.distribution.DataParallel", environment=jax_data_parallel.devices(case))


def join(case: Case, rank: int, meeting: str) -> None:
    """One process has all devices."""


def build(job: Job, stack: Stack) -> SharedDriver:
    from harness.frameworks.keras.distributed import DistributedDriver

    return DistributedDriver(job, stack)
