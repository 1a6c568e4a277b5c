"""JAX shares a step by ``jax.sharding``: the batch is split over a mesh of devices, everything else is on all of them.

The step is the one of a single device; XLA puts the sums over devices where they belong, BatchNorm's statistics too.
"""

from __future__ import annotations

from harness.data_parallel import Means, SharedDriver
from harness.frameworks import Stack
from harness.record import Case, Contender
from harness.workloads import Job


def means(case: Case, contender: Contender) -> Means:
    return Means(words="jax.sharding", environment=devices(case))


def devices(case: Case) -> dict[str, str]:
    """What makes XLA's CPU client offer several devices; its threads stay one pool of the case's cores."""
    if case.device == "gpu":
        return {}
    return {"XLA_FLAGS": f"--xla_force_host_platform_device_count={case.device_count}"}


def join(case: Case, rank: int, meeting: str) -> None:
    """One process has all devices."""


def build(job: Job, stack: Stack) -> SharedDriver:
    from harness.frameworks.jax.sharded import ShardedDriver

    return ShardedDriver(job, stack)
