"""A cold-start trial: the phases with an empty compile cache, and no blocks."""

from __future__ import annotations

import tempfile

from harness.draft import Draft
from harness.record import Outcome
from harness.trials.first_output import check_first_output
from harness.trials.stage import build, import_and_configure


def cold_start_trial(draft: Draft) -> Outcome:
    """Import to second step. The cache is a folder of this trial's own, removed afterwards."""
    spec = draft.spec
    with tempfile.TemporaryDirectory(prefix="cold-", dir=spec.cache_dir, ignore_cleanup_errors=True) as empty:
        stack = import_and_configure(draft, empty)
        stage = build(draft, stack, spec.case, spec.seed)
        with draft.phase("first_step"):
            output = stack.barrier(stage.work.run(1))
        with draft.phase("second_step"):
            stack.barrier(stage.work.run(1))
        draft.first_output_check = check_first_output(stage, spec.case, spec.seed, stack.to_host(output))
    if draft.first_output_check is not None and not draft.first_output_check.passed:
        return Outcome(status="not_comparable", reason="the first output is not the specified one")
    return Outcome(status="ok")
