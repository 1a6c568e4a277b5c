"""The streams are fixed for ever: words, uniform map, integers, permutation, digest."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from harness.workloads import philox

MASK = (1 << 64) - 1


def philox4x64(counter: list[int], key: list[int]) -> list[int]:
    """One block of Philox 4x64-10, written from the paper (Salmon et al., SC 2011), not from NumPy."""
    for _ in range(10):
        low = counter[0] * 0xD2E7470EE14C6C93
        high = counter[2] * 0xCA5A826395121157
        counter = [
            (high >> 64) ^ counter[1] ^ key[0],
            high & MASK,
            (low >> 64) ^ counter[3] ^ key[1],
            low & MASK,
        ]
        key = [(key[0] + 0x9E3779B97F4A7C15) & MASK, (key[1] + 0xBB67AE8584CAA73B) & MASK]
    return counter


def test_words_are_philox_4x64_with_the_documented_key() -> None:
    key = hashlib.sha256(b"framebench/mlp/dense1.kernel/3").digest()
    halves = [int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")]
    # NumPy counts up before the first block
    expected = philox4x64([1, 0, 0, 0], halves) + philox4x64([2, 0, 0, 0], halves)
    assert [int(word) for word in philox.words("mlp", "dense1.kernel", 3, 8)] == expected


def test_uniform_is_the_documented_map_of_the_top_53_bits() -> None:
    words = [int(word) for word in philox.words("w", "t", 0, 6)]
    expected = [np.float32((2.0 * ((word >> 11) * 2.0**-53) - 1.0) * 0.25) for word in words]
    drawn = philox.uniform("w", "t", 0, (2, 3), 0.25)
    assert drawn.dtype == np.float32
    assert drawn.ravel().tolist() == [float(value) for value in expected]


def test_uniform_fills_its_interval() -> None:
    drawn = philox.uniform("w", "t", 0, (20_000,), 3.0).astype(np.float64)
    assert -3.0 <= drawn.min() < -2.99
    assert 2.99 < drawn.max() <= 3.0
    # standard errors: 3/sqrt(3)/sqrt(20000) = 0.012 of the mean, 0.019 of the variance
    assert abs(drawn.mean()) < 0.06
    assert abs(drawn.var() - 3.0) < 0.1


@pytest.mark.parametrize("other", [("v", "t", 0), ("w", "u", 0), ("w", "t", 1)])
def test_workload_tensor_and_seed_each_choose_another_stream(other: tuple[str, str, int]) -> None:
    assert not np.array_equal(philox.words("w", "t", 0, 4), philox.words(*other, 4))


def test_integers_cover_exactly_their_range() -> None:
    drawn = philox.integers("w", "t", 0, (1000,), 10)
    assert drawn.dtype == np.int64
    assert set(drawn.tolist()) == set(range(10))


def test_permutation_holds_each_index_once_and_sorts_the_words() -> None:
    order = philox.permutation("w", "t", 0, 500)
    assert sorted(order.tolist()) == list(range(500))
    assert np.all(np.diff(philox.words("w", "t", 0, 500)[order].astype(np.float64)) >= 0)


def test_digest_sees_names_shapes_types_and_values_but_not_memory_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    base = philox.digest({"a": array})
    assert philox.digest({"a": np.asfortranarray(array)}) == base
    changed = array.copy()
    changed[1, 2] = np.nextafter(np.float32(5.0), np.float32(6.0))
    for other in ({"b": array}, {"a": array.reshape(3, 2)}, {"a": array.astype(np.float64)}, {"a": changed}):
        assert philox.digest(other) != base
