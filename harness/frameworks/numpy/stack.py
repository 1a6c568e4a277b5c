"""NumPy as a stack: every call is finished when it returns, unless a variant breaks that promise on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from harness.frameworks import StackInfo
from harness.operands import operands
from harness.record import Case, Contender, Settings

# Bits of an fp32 mantissa (23) that the format keeps.
KEPT_BITS = {"tf32": 10, "bf16": 7}

TEAM = 6  # threads of ``oversubscribed``, on one core


def load(info: StackInfo) -> NumpyStack:
    return NumpyStack(info)


class NumpyStack:
    """Every call is finished when it returns, except under ``nowait``."""

    def __init__(self, info: StackInfo) -> None:
        self.info = info
        self.variant = ""

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        self.variant = contender.variant
        return Settings(
            layout="NHWC",
            device="cpu",
            gpus_visible=0,
            threads={"intra": None},
            precision={},  # nothing to set: fp32 is fp32
            compile={"mode": contender.mode, "compiler": None},
        )

    def barrier(self, output: Any) -> Any:
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def to_device(self, array: np.ndarray) -> Any:
        return array

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return function

    def compile_events(self) -> int | None:
        return 0

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        return {}

    def kernels(self) -> dict[str, str]:
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        return None, "NumPy keeps no peak"

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def matmul(self, size: int) -> Callable[[], Any]:
        a, b = operands(size)
        if self.variant in KEPT_BITS:
            a, b = (rounded(array, KEPT_BITS[self.variant]) for array in (a, b))
        if self.variant == "nowait":
            return lambda: started(lambda: a @ b, a.shape)
        if self.variant == "oversubscribed":
            team = ThreadPoolExecutor(TEAM)
            return lambda: divided(team, a, b)
        return lambda: a @ b


def rounded(array: np.ndarray, bits: int) -> np.ndarray:
    """fp32 values with only ``bits`` of their mantissa kept, to nearest; the same shape."""
    dropped = np.uint32(23 - bits)
    words = array.view(np.uint32) + (np.uint32(1) << (dropped - np.uint32(1)))
    return (words >> dropped << dropped).view(np.float32)


def started(product: Callable[[], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """An array that a thread fills later: what an asynchronous framework returns before its barrier."""
    output = np.empty(shape, np.float32)
    threading.Thread(target=lambda: np.copyto(output, product())).start()
    return output


def divided(team: ThreadPoolExecutor, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b``, the rows of ``a`` shared out among too many threads. (N, N)."""
    return np.concatenate(list(team.map(lambda rows: rows @ b, np.array_split(a, TEAM))))
