"""Random numbers that no version of any library can change: Philox words and our own maps.

NumPy promises that the raw words of a bit generator never change; it makes no such promise for the
distributions on top. So only ``Philox(key).random_raw`` is taken from NumPy; the maps are here.

The key of a stream is the first 16 bytes (little endian) of
``SHA-256("framebench/<workload>/<tensor>/<seed>")``: one independent stream per tensor and seed.
Source of the generator: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np


def words(workload: str, tensor: str, seed: int, count: int) -> np.ndarray:
    """The first ``count`` 64-bit words of a stream: (count,) uint64."""
    name = f"framebench/{workload}/{tensor}/{seed}".encode()
    key = int.from_bytes(hashlib.sha256(name).digest()[:16], "little")
    return np.asarray(np.random.Philox(key=key).random_raw(count), dtype=np.uint64)


def uniform(workload: str, tensor: str, seed: int, shape: tuple[int, ...], a: float) -> np.ndarray:
    """Uniform on [-a, a) as fp32, in C order of ``shape``.

    The top 53 bits of a word times 2^-53 give u in [0, 1), exact in fp64; the value is (2u - 1) * a,
    computed in fp64 and rounded once to fp32.
    """
    u = (words(workload, tensor, seed, math.prod(shape)) >> np.uint64(11)) * 2.0**-53
    return ((2.0 * u - 1.0) * a).astype(np.float32).reshape(shape)


def integers(workload: str, tensor: str, seed: int, shape: tuple[int, ...], below: int) -> np.ndarray:
    """Integers in [0, below) as int64: word modulo ``below`` (bias < below / 2^64)."""
    drawn = words(workload, tensor, seed, math.prod(shape)) % np.uint64(below)
    return drawn.astype(np.int64).reshape(shape)


def permutation(workload: str, tensor: str, seed: int, count: int) -> np.ndarray:
    """A permutation of 0 .. count-1: the stable sorting order of ``count`` words. (count,) int64."""
    return np.argsort(words(workload, tensor, seed, count), kind="stable").astype(np.int64)


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes (C order, little endian), sorted by name."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()
