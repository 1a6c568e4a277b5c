"""The timed shape against float64, on the very driver that is timed."""

from __future__ import annotations

from harness import flags
from harness.draft import Draft
from harness.gate import loaded, shape
from harness.gate.parts import Part
from harness.gate.reference import MissingReference
from harness.record import GatePart, Outcome
from harness.trials.parity import summary, verdict
from harness.trials.prepare import Prepared


def check_shape(draft: Draft, prepared: Prepared) -> tuple[GatePart, Outcome]:
    """What the first steps give from the initial state; a shape that nobody computed in float64 is flagged."""
    try:
        look = loaded.check if draft.spec.case.task == "load" else shape.check
        part = look(prepared.driver, prepared.stack, prepared.job)
    except MissingReference as missing:
        part = Part("shape", [], skipped=str(missing))
        if flags.SHAPE_UNCHECKED not in draft.flags:
            draft.flags.append(flags.SHAPE_UNCHECKED)
    return summary(part), verdict([diff for diff in part.diffs if not diff.passed])
