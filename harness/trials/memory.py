"""A memory trial: apart from the clock, because allocators must be told at start not to take everything."""

from __future__ import annotations

import os

import psutil

from harness.draft import Draft
from harness.record import Memory, Outcome
from harness.telemetry.proc import rss_peak_bytes
from harness.trials.stage import build, import_and_configure

STEPS = 10

# Without these TensorFlow and XLA take most of a GPU's memory at start, whatever they need.
ALLOCATORS = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def memory_trial(draft: Draft) -> Outcome:
    """Ten steps; resident memory after import and at its peak, and the allocator's own peak."""
    spec = draft.spec
    os.environ.update(ALLOCATORS)
    stack = import_and_configure(draft, spec.cache_dir)
    after_import = psutil.Process().memory_info().rss
    stage = build(draft, stack, spec.case, spec.seed)
    with draft.phase("first_step"):
        stack.barrier(stage.work.run(1))
    with draft.phase("steps"):
        stack.barrier(stage.work.run(STEPS))
    allocator_peak, why_not = stack.allocator_peak()
    peak = rss_peak_bytes("self")
    reasons = {"device_delta": "no device memory" if spec.case.device == "cpu" else "not measured yet"}
    if allocator_peak is None and why_not is not None:
        reasons["allocator_peak"] = why_not
    if peak is None:
        reasons["host_rss_peak"] = "this kernel keeps no VmHWM"
    draft.memory = Memory(
        allocator_peak=allocator_peak,
        device_delta=None,
        host_rss_peak=peak,
        host_rss_after_import=after_import,
        reasons=reasons,
    )
    return Outcome(status="ok")
