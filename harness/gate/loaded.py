"""Task ``load``: the very bytes that the specification says, which needs no float64 and no tolerance."""

from __future__ import annotations

import numpy as np

from harness.frameworks import Driver, Stack
from harness.gate import parts
from harness.gate.parts import Part
from harness.gate.shape import steps
from harness.workloads import Job


def check(driver: Driver, stack: Stack, job: Job) -> Part:
    """Every batch of the first epoch and one more, one at a time and then all at once.

    Leaves the driver where it was put last: reset it before it is used for anything else.
    """
    assert job.workload.files is not None
    expected = job.workload.files.loaded(job.preset, job.batches)
    count = steps(job)
    wrong = dict.fromkeys(expected, 0)
    driver.reset(job.weights)
    for step in range(count):
        given = driver.outputs(stack.barrier(driver.run(1)))
        for name, arrays in expected.items():
            wrong[name] += not _same(given[name], arrays[step % len(arrays)])
    diffs = [
        parts.diff(f"batches of another {name}", float(many), 0.0, "abs") for name, many in wrong.items()
    ]
    diffs.append(parts.diff("steps counted", abs(driver.steps_done() - count), 0.0, "abs"))
    return Part("shape", [*diffs, *parts.many_at_once(driver, stack, job, count - 1)])


def _same(given: np.ndarray, expected: np.ndarray) -> bool:
    """The same values, and numbers in the same precision; an integer's size is the framework's own."""
    floating = expected.dtype.kind == "f"
    return np.array_equal(given, expected) and (not floating or given.dtype == expected.dtype)
