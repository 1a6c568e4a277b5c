"""JAX's functions as exporters take them: arrays in, arrays out, the weights inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from harness.frameworks.export_driver import open_shapes
from harness.frameworks.exported import GENERATION


def function(driver: Any) -> Callable[..., Any]:
    """A step of the driver. Generation: the inputs and the cache in, the output and the new cache out."""
    task = driver.job.case.task
    if task not in GENERATION:
        return lambda *given: driver.predict(driver.params, driver.buffers, *given)
    count, tree = len(driver.job.work.inputs), jax.tree.structure(driver.carry)
    generate = getattr(driver.file, task)

    def step(*given: Any) -> tuple[Any, ...]:
        cache = jax.tree.unflatten(tree, given[count:])
        output, cache = generate(driver.model, driver.params, cache, *given[:count])
        return (output, *jax.tree.leaves(cache))

    return step


def carried(driver: Any) -> list[np.ndarray]:
    """Generation: the arrays of the driver's cache, (B, ...) each."""
    leaves = jax.tree.leaves(driver.carry) if driver.job.case.task in GENERATION else []
    return [np.array(leaf) for leaf in leaves]  # the next step gives the driver's own away


def arguments(driver: Any, names: Mapping[str, Any]) -> list[jax.ShapeDtypeStruct]:
    """Of what the function takes; an open axis is what ``names`` has for it."""
    inputs = zip(open_shapes(driver.job, names), driver.stream.batches[0], strict=True)
    given = [jax.ShapeDtypeStruct(shape, one.dtype) for shape, one in inputs]
    cache = [jax.ShapeDtypeStruct((names["B"], *one.shape[1:]), one.dtype) for one in carried(driver)]
    return given + cache
