"""A cold-start trial: the phases with an empty compile cache, and no blocks."""

from __future__ import annotations

import tempfile

from harness.draft import Draft
from harness.record import Outcome
from harness.trials.prepare import build, import_and_configure
from harness.trials.timed_shape import check_shape


def cold_start_trial(draft: Draft) -> Outcome:
    """Import to second step. The cache is a folder of this trial's own, removed afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="cold-", dir=draft.spec.cache_dir, ignore_cleanup_errors=True
    ) as empty:
        stack = import_and_configure(draft, empty)
        prepared = build(draft, stack)
        with draft.phase("first_step"):
            stack.barrier(prepared.driver.run(1))
        with draft.phase("second_step"):
            stack.barrier(prepared.driver.run(1))
        draft.shape_before, outcome = check_shape(draft, prepared)
    return outcome
