"""Several devices as JAX sees them: how arrays lie on them, and whether copies agree. Keras on JAX uses it too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from harness.frameworks import Unsupported


def shardings(count: int) -> tuple[NamedSharding, NamedSharding]:
    """Of a batch, split over ``count`` devices by its first axis, and of what is on all of them."""
    present = jax.devices()
    if len(present) < count:
        raise Unsupported(f"JAX sees {len(present)} devices of {count}", "ask for fewer devices")
    mesh = Mesh(np.array(present[:count]), ("batch",))
    return NamedSharding(mesh, PartitionSpec("batch")), NamedSharding(mesh, PartitionSpec())


def most_apart(arrays: Iterable[Any]) -> float:
    """Largest difference between the copies of an array on two devices; what is split has no copies."""
    largest = 0.0
    for array in arrays:
        if not array.is_fully_replicated:
            continue
        copies = [np.asarray(shard.data, np.float64) for shard in array.addressable_shards]
        largest = max([largest, *(float(np.max(np.abs(one - copies[0]), initial=0.0)) for one in copies)])
    return largest
