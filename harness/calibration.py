"""Did the machine itself change during a trial? A fixed kernel timed before the framework is there, and again after.

Half of the time goes to matrix products in cache (the cores' clock), half to copies beyond it (the memory).
Both run on the calling thread alone: NumPy hands copies to no pool, and products of 64 x 64 are below the size
from which its BLAS libraries do (OpenBLAS: m n k > 64^3). So no pool is made, woken or resized for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import numpy as np

from harness.record import Calibration

SIZE = 64  # of a product, fp32: operands of 16 kB
PRODUCTS = 64  # of them in one repetition, about a millisecond
COPY_BYTES = 16 << 20
LEAST = 5  # repetitions; fewer make no median


class Kernel(NamedTuple):
    """Median ns of one repetition of each half."""

    matmul_ns: int
    copy_ns: int


def kernel(milliseconds: float) -> Kernel:
    """Time both halves, each for about half of ``milliseconds``; the first third warms up and is not timed."""
    a = np.linspace(-1.0, 1.0, PRODUCTS * SIZE * SIZE, dtype=np.float32).reshape(PRODUCTS, SIZE, SIZE)
    product = np.empty_like(a)
    source = np.ones(COPY_BYTES // 8)
    target = np.empty_like(source)
    budget_ns = milliseconds * 1e6 / 2
    return Kernel(
        matmul_ns=_median_ns(lambda: np.matmul(a, a, out=product), budget_ns),
        copy_ns=_median_ns(lambda: np.copyto(target, source), budget_ns),
    )


def _median_ns(repeat: Callable[[], object], budget_ns: float) -> int:
    """Of the repetitions in the last two thirds of the budget."""
    start = time.perf_counter_ns()
    while time.perf_counter_ns() - start < budget_ns / 3:
        repeat()
    times: list[int] = []
    while (begin := time.perf_counter_ns()) - start < budget_ns or len(times) < LEAST:
        repeat()
        times.append(time.perf_counter_ns() - begin)
    return int(median(times))


def compare(before: Kernel, after: Kernel) -> Calibration:
    """Both readings and their drift: the larger relative change, signed; positive is slower than before."""
    changes = [now / then - 1.0 for then, now in zip(before, after, strict=True)]
    drift = max(changes, key=abs)
    return Calibration(
        matmul_before_ns=before.matmul_ns,
        matmul_after_ns=after.matmul_ns,
        copy_before_ns=before.copy_ns,
        copy_after_ns=after.copy_ns,
        drift=round(drift, 4),
    )
