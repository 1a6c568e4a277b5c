"""The timed shape, before and after the blocks: what its first steps give from the initial state, and the
counter.

The gate saw a small batch; this is the very driver that is timed.
"""

from __future__ import annotations

from harness.frameworks import Driver, Stack
from harness.gate import parts, reference
from harness.gate.parts import Part
from harness.workloads import Job

DISTINCT = 16  # batches at most that are looked at one by one


def check(driver: Driver, stack: Stack, job: Job) -> Part:
    """Losses (train) or outputs of the first steps against float64; ``MissingReference`` if that was never
    computed.

    Leaves the driver where it was put last: reset it before it is used for anything else.
    """
    case, workload = job.case, job.workload
    expected = reference.shape(workload, case.preset, case.task, job.batch, stack.info.adam_epsilon)
    measured = expected.tolerances.get(case.precision)
    if measured is None:
        raise reference.MissingReference(
            f"the reference of {workload.name} has no tolerances for {case.precision} at this shape;"
            f" make it with: framebench reference {workload.name}"
        )
    if case.task != "train":
        outputs = parts.inference(driver, stack, job, expected.outputs, steps(job), measured.get)
        left_out = parts.without_tolerance(expected.outputs, measured.get)
        return Part("shape", outputs, left_out=left_out)
    driver.reset(job.weights)
    diffs = []
    sure = expected.losses[: expected.sure.get(case.precision)]
    for step, stored in enumerate(sure, start=1):
        limit = measured[f"loss {min(step, reference.LOSSES)}"]
        diffs.append(parts.diff(f"loss {step}", abs(parts.step_loss(driver, stack) - stored), limit, "abs"))
    diffs.append(parts.diff("steps counted", abs(driver.steps_done() - len(sure)), 0.0, "abs"))
    return Part("shape", diffs, left_out=len(expected.losses) - len(sure))


def steps(job: Job) -> int:
    """How many steps a look goes through: one with each batch (sixteen at most), and one more, so that what stops
    after the last batch shows."""
    return 1 + min(DISTINCT, *(len(job.batches[name]) for name in job.work.inputs))
