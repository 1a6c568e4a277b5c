"""A parity trial: the gate before the clock, once per environment, contender and case."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from harness import data_parallel, workloads
from harness.draft import Draft
from harness.frameworks import Driver, Stack
from harness.gate.check import check
from harness.gate.parts import Part, diff
from harness.gate.reference import STEPS, MissingReference, entry
from harness.record import GatePart, Outcome, Parity, ParityDiff
from harness.trials.prepare import import_and_configure
from harness.workloads import Job

SHOWN = 12  # failed comparisons that the record itself holds


def parity_trial(draft: Draft) -> Outcome:
    """The whole gate in the timed mode; a broken or missing reference is no fault of the contender."""
    case = draft.spec.case
    stack = import_and_configure(draft, draft.spec.cache_dir)
    workload = workloads.get(case.workload)
    draft.workload_config_sha256 = workload.config_sha256(workload.presets[case.preset])
    try:
        if case.task == "load":  # held to the specification itself, at the timed size
            source, preset, batch = "the specification, by NumPy", case.preset, case.batch
        else:
            reference = entry(workload, case.preset, False, case.task, stack.info.adam_epsilon)
            preset = workload.gate.sizes[case.preset].preset or case.preset
            source, batch = reference.source, reference.batch
        with draft.phase("parity"):
            built = Built()
            parts = check(case, draft.spec.contender, stack, built)
            if case.device_count > 1:
                parts.append(Part("state", [diff("devices apart", built.last.apart(), 0.0, "abs")]))
    except MissingReference as missing:
        return Outcome(status="invalid", reason=str(missing))
    failed = [one for part in parts for one in part.diffs if not one.passed]
    draft.parity = Parity(
        reference=source,
        preset=preset,
        batch=batch,
        steps=STEPS if case.task == "train" else 1,
        diffs=failed[:SHOWN],
        passed=not failed,
        parts=[summary(part) for part in parts],
    )
    draft.series["gate"] = [{"part": part.name, "diffs": msgspec.to_builtins(part.diffs)} for part in parts]
    return verdict(failed)


class Built:
    """Builds drivers, and keeps the last: what its devices hold is compared when the gate is through with it."""

    last: Any = None

    def __call__(self, job: Job, stack: Stack) -> Driver:
        self.last = None  # its memory, before the next is made
        self.last = data_parallel.build(job, stack)
        return self.last  # type: ignore[no-any-return]


def verdict(failed: list[ParityDiff]) -> Outcome:
    """``ok``, or ``not_comparable`` naming what differs, shortly; what is not finite is said first."""
    if not failed:
        return Outcome(status="ok")
    if any(diff.value is None for diff in failed):
        reason = "non-finite: " + ", ".join(diff.what for diff in failed if diff.value is None)
    else:
        reason = f"differs from the fp64 reference in: {', '.join(diff.what for diff in failed)}"
    return Outcome(status="not_comparable", reason=reason if len(reason) < 400 else reason[:400] + " ...")


def summary(part: Part) -> GatePart:
    """What the record keeps of a part."""
    return GatePart(
        name=part.name,
        checks=len(part.diffs),
        failed=sum(not diff.passed for diff in part.diffs),
        worst=max(part.diffs, key=_nearness, default=None),
        skipped=part.skipped,
        left_out=part.left_out,
    )


def _nearness(diff: ParityDiff) -> float:
    """How near to its tolerance, or how far above."""
    if diff.value is None:
        return math.inf
    return diff.value / diff.tolerance if diff.tolerance else math.inf if diff.value else 0.0
