"""A memory trial: apart from the clock, because allocators must be told at start not to take everything."""

from __future__ import annotations

import os

import psutil

from harness.draft import Draft
from harness.record import Memory, Outcome
from harness.telemetry.devices import cuda_devices, memory_used
from harness.telemetry.proc import rss_peak_bytes
from harness.trials.prepare import build, import_and_configure

STEPS = 10

# Without these TensorFlow and XLA take most of a GPU's memory at start, whatever they need.
ALLOCATORS = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def memory_trial(draft: Draft) -> Outcome:
    """Ten steps; resident memory after import and at its peak, and the allocator's own peak.

    ``device_delta`` is what NVML sees more in use on the trial's GPUs than before the framework was imported: its
    context and its allocator's pool, and whatever other processes took or gave back meanwhile.
    """
    spec = draft.spec
    os.environ.update(ALLOCATORS)
    gpus, no_gpu = (
        cuda_devices(spec.case.device_count) if spec.case.device == "gpu" else ([], "no device memory")
    )
    device_before, why_unread = memory_used(gpus) if gpus else (None, no_gpu)
    stack = import_and_configure(draft, spec.cache_dir)
    after_import = psutil.Process().memory_info().rss
    driver = build(draft, stack).driver
    with draft.phase("first_step"):
        stack.barrier(driver.run(1))
    with draft.phase("steps"):
        stack.barrier(driver.run(STEPS))
    allocator_peak, why_not = stack.allocator_peak()
    peak = rss_peak_bytes("self")
    reasons = {}
    device_delta = None
    if device_before is not None:
        device_after, why_unread = memory_used(gpus)
        device_delta = None if device_after is None else device_after - device_before
        if device_delta is not None and device_delta < 0:
            device_delta, why_unread = None, "other processes gave back more device memory than this one took"
    if device_delta is None and why_unread is not None:
        reasons["device_delta"] = why_unread
    if allocator_peak is None and why_not is not None:
        reasons["allocator_peak"] = why_not
    if peak is None:
        reasons["host_rss_peak"] = "this kernel keeps no VmHWM"
    draft.memory = Memory(
        allocator_peak=allocator_peak,
        device_delta=device_delta,
        host_rss_peak=peak,
        host_rss_after_import=after_import,
        reasons=reasons,
    )
    return Outcome(status="ok")
