"""The timed shape, before and after the blocks: what its first steps give from the initial state, and the
counter.

The gate saw a small batch; this is the very driver that is timed.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.frameworks import Driver, Stack
from harness.gate import parts, reference
from harness.record import ParityDiff
from harness.workloads import Job

DISTINCT = 16  # batches at most that are looked at one by one


def check(driver: Driver, stack: Stack, job: Job) -> list[ParityDiff]:
    """Losses (train) or outputs of the first steps against float64; ``MissingReference`` if that was never
    computed.

    Leaves the driver where it was put last: reset it before it is used for anything else.
    """
    case, workload = job.case, job.workload
    expected = reference.shape(workload, case.preset, case.task, job.batch, stack.info.adam_epsilon)
    allowed = tolerance_of(job, stack)
    if case.task != "train":
        return parts.inference(driver, stack, job, expected.outputs, steps(job), allowed)
    driver.reset(job.weights)
    diffs = []
    for step, stored in enumerate(expected.losses, start=1):
        limit = allowed(f"loss {step}") or allowed(f"loss {reference.LOSSES}")
        assert limit is not None
        diffs.append(parts.diff(f"loss {step}", abs(parts.step_loss(driver, stack) - stored), limit, "abs"))
    return [*diffs, parts.diff("steps counted", abs(driver.steps_done() - len(expected.losses)), 0.0, "abs")]


def steps(job: Job) -> int:
    """How many steps a look goes through: one with each batch (sixteen at most), and one more, so that what stops
    after the last batch shows."""
    return 1 + min(DISTINCT, *(len(job.batches[name]) for name in job.work.inputs))


def tolerance_of(job: Job, stack: Stack) -> Callable[[str], float | None]:
    """The measured tolerance of the plain form, in the case's precision."""
    case = job.case
    entry = reference.entry(job.workload, case.preset, False, case.task, stack.info.adam_epsilon)
    measured = entry.tolerances.get(case.precision, {})
    return measured.get
