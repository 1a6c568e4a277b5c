"""NumPy: the stack of the self-test. No suite compares it with a framework; its variants plant what must be found.

``plus1`` … ``plus5`` do that many percent more work in every step (see ``workloads/planted``). The others break a
promise that a canary has to notice: ``nowait`` hands back products that are not finished, ``tf32`` and ``bf16`` round
their operands as such units do, ``oversubscribed`` runs a team made for a larger machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from harness.canaries import operands
from harness.record import Contender, Settings

STACKS = ("numpy",)

# Bits of an fp32 mantissa (23) that the format keeps.
KEPT_BITS = {"tf32": 10, "bf16": 7}

TEAM = 6  # threads of ``oversubscribed``, on one core


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Nothing that NumPy would read after it was imported."""
    return {}


def load(stack: str) -> NumpyStack:
    return NumpyStack(stack)


class NumpyStack:
    """Every call is finished when it returns, except under ``nowait``."""

    def __init__(self, name: str = "numpy") -> None:
        self.name = name
        self.variant = ""

    def configure(self, contender: Contender, cores: int, seed: int) -> Settings:
        self.variant = contender.variant
        return Settings(
            layout="NHWC",
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
