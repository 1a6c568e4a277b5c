"""A ceiling trial: what this very device reaches in this stack, so that a share of it can be stated.

Data sheets promise clocks that a device does not hold. The best of a second of large matrix products, and of
large copies, is what it does reach: as fast as this machine goes, and no workload's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from harness import canaries, roofline
from harness.draft import Draft
from harness.frameworks import Stack
from harness.record import Case, Ceiling, Outcome
from harness.trials.prepare import import_and_configure

SIZE = {"cpu": 2048, "gpu": 8192}  # edge of the product
COPY_BYTES = {"cpu": 1 << 28, "gpu": 1 << 30}  # beyond every cache
SECONDS = 1.0
REPETITIONS = 3
CONFIGURED_ONLY = "a stack multiplies as it is configured, and the case declares fp32"


def ceiling_trial(draft: Draft) -> Outcome:
    """Canaries (a barrier that does not wait has no ceiling), the best product, the best copy."""
    case = draft.spec.case
    stack = import_and_configure(draft, draft.spec.cache_dir)
    assert draft.settings is not None
    with draft.phase("canaries"):
        draft.canaries = canaries.check(stack, draft.settings, case)
    if failed := [canary.name for canary in draft.canaries if canary.passed is False]:
        return Outcome(status="invalid", reason=f"canary failed: {', '.join(failed)}")
    precision, unknown = roofline.precision_ran(draft.settings.precision, case.device)
    reasons = {} if case.device == "cpu" else {"tf32": CONFIGURED_ONLY, "bf16": CONFIGURED_ONLY}
    best: dict[str, float] = {}
    if precision is None:
        reasons["fp32"] = unknown or ""
    else:
        with draft.phase("matmul"):
            best[precision] = matmul_flops_per_s(stack, SIZE[case.device])
        reasons.pop(precision, None)
    with draft.phase("copy"):
        copied = copy_bytes_per_s(stack, case, COPY_BYTES[case.device])
    draft.ceiling = Ceiling(matmul_flops_per_s=best, copy_bytes_per_s=copied, reasons=reasons)
    return Outcome(status="ok")


def matmul_flops_per_s(stack: Stack, size: int) -> float:
    """2 size^3 over the least time of a (size, size) product; random operands, as zeros run faster."""
    product = stack.matmul(size)
    return 2.0 * size**3 / least_seconds(lambda: stack.barrier(product()))


def copy_bytes_per_s(stack: Stack, case: Case, size: int) -> float:
    """Bytes read plus bytes written (as STREAM counts, McCalpin 1995) over the least time of a copy.

    A CPU: NumPy's copy into memory that is there already, in as many threads as the case has cores. A GPU: the
    stack's negation of a tensor, which reads and writes each byte once, as a copy does.
    """
    source = np.random.Generator(np.random.Philox(0)).random(size // 4, dtype=np.float32)
    if case.device == "gpu":
        tensor = stack.to_device(source)
        return 2.0 * size / least_seconds(lambda: stack.barrier(-tensor))
    target = np.empty_like(source)
    parts = list(zip(np.array_split(target, case.cores), np.array_split(source, case.cores), strict=True))
    with ThreadPoolExecutor(case.cores) as pool:
        return 2.0 * size / least_seconds(lambda: list(pool.map(lambda part: np.copyto(*part), parts)))


def least_seconds(run: Callable[[], Any]) -> float:
    """Least time of one call over ``SECONDS``, the first (compiling, touching memory) left out."""
    run()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < REPETITIONS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
