"""A parity trial: the gate before the clock, once per image, contender and case."""

from __future__ import annotations

import importlib

import msgspec

from harness import parity
from harness.draft import Draft
from harness.record import Outcome
from harness.trials.stage import build, import_and_configure


def parity_trial(draft: Draft) -> Outcome:
    """Compare with the workload's stored float64 reference, on its parity batch, in the timed mode."""
    case = draft.spec.case
    stack = import_and_configure(draft, draft.spec.cache_dir)
    module = importlib.import_module(f"harness.workloads.{case.workload}.reference")
    reference: parity.Reference = module.expected(case.preset, case.task)
    small = msgspec.structs.replace(case, batch=reference.batch)
    stage = build(draft, stack, small, reference.seed)
    with draft.phase("parity"):
        draft.parity = parity.check(
            stage.work, stack, reference, stage.weights, stage.workload.learning_rate, case.task
        )
    failed = [diff.what for diff in draft.parity.diffs if not diff.passed]
    if failed:
        return Outcome(
            status="not_comparable", reason=f"differs from the fp64 reference in: {', '.join(failed)}"
        )
    return Outcome(status="ok")
