"""One training step shared by several devices: each computes its part of the batch, and gradients are averaged.

A case's batch is the whole one, whatever its ``device_count``: a step does the same work as on one device, and the
gate holds it to the same reference. What averages over the batch (BatchNorm's statistics) therefore averages over all
devices. On a CPU a device is an equal share of the case's cores.

``frameworks/<name>/data_parallel.py`` says by which means of its own a framework does that. It offers

``means(case, contender) -> Means``, or raises ``Unsupported``: asked before the framework is imported, and without it;
``join(case, rank, meeting)``: called in each process with the framework imported and the stack not yet configured;
``build(job, stack) -> SharedDriver``: from the whole job, in the process that leads;
``replica(job, stack) -> Driver``: in the others (``replicas.py``), from the job with that device's part of the batches.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness import frameworks, workloads
from harness.frameworks import Driver, Stack, Unsupported
from harness.record import Case, Contender, TrialKind
from harness.workloads import Job


class Means(NamedTuple):
    """How devices share a step.

    ``words``: as the framework's users call it. ``processes``: how many there are, the leading one included.
    ``environment``: variables to set before the framework is imported.
    """

    words: str = ""
    processes: int = 1
    environment: Mapping[str, str] = {}


class SharedDriver(Driver, Protocol):
    """A driver whose steps several devices share."""

    def apart(self) -> float:
        """Largest difference between what two devices hold of any tensor: 0 as long as they step alike."""


def means(kind: TrialKind, case: Case, contender: Contender) -> Means:
    """What the contender does for the case's devices; nothing for one. ``Unsupported`` where it cannot share a step."""
    if case.device_count == 1:
        return Means()
    if case.task != "train" or workloads.get(case.workload).files:
        raise Unsupported("only training on ready batches is shared by devices", "ask for device_count 1")
    if case.batch % case.device_count:
        raise Unsupported(
            f"a batch of {case.batch} has no {case.device_count} equal parts",
            "ask for a multiple of the devices",
        )
    if case.device == "cpu" and case.cores % case.device_count:
        raise Unsupported(
            f"{case.cores} cores have no {case.device_count} equal shares",
            "ask for a multiple of the devices",
        )
    found: Means = _of(contender.stack).means(case, contender)
    if case.cores < found.processes:
        raise Unsupported(
            f"{case.cores} cores are too few for {found.processes} processes", "give it more cores"
        )
    if kind == "memory" and found.processes > 1:
        raise Unsupported("the memory of several processes is not added up", "leave the kind out")
    return found


def join(case: Case, contender: Contender, rank: int, meeting: str) -> None:
    """Let a process, its framework imported, take its place among the devices; all know the path ``meeting``."""
    if case.device_count > 1:
        _of(contender.stack).join(case, rank, meeting)


def build(job: Job, stack: Stack) -> Driver:
    """The job's model under the stack's driver, or under the one that shares its steps."""
    if job.case.device_count == 1:
        return frameworks.build(job, stack)
    if job.batch % job.case.device_count:
        raise Unsupported(f"the gate's batch of {job.batch} has no {job.case.device_count} equal parts")
    driver: Driver = _of(stack.info.name).build(job, stack)
    return driver


def replica(job: Job, stack: Stack) -> Driver:
    """One device's model in a process of its own."""
    driver: Driver = _of(stack.info.name).replica(job, stack)
    return driver


def part(job: Job, batches: Mapping[str, np.ndarray], rank: int) -> dict[str, np.ndarray]:
    """The samples of each batch (N, B, ...) that device ``rank`` computes: (N, B / devices, ...)."""
    own = job.batch // job.case.device_count
    return {
        name: array[:, rank * own : (rank + 1) * own]
        if job.workload.inputs[name].shape[:1] == ("B",)
        else array
        for name, array in batches.items()
    }


def averages_over_batch(case: Case) -> bool:
    """Whether the workload has statistics of the whole batch, as BatchNorm's are."""
    workload = workloads.get(case.workload)
    return any(one.averages for one in workload.tensors(workload.presets[case.preset]).values())


def _of(stack: str) -> Any:
    """The file of the stack's framework."""
    info = frameworks.info(stack)
    name = f"harness.frameworks.{info.framework}.data_parallel"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        raise Unsupported(f"{info.title} has no way here of sharing a step among devices") from None
