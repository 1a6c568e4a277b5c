"""Keras' model on JAX as a function, by the step that ``predict`` compiles: ``Model.export`` has no StableHLO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from harness.frameworks.export_driver import open_shapes

NAME = "jax.export of predict_step"


def function(driver: Any) -> Callable[..., Any]:
    """Inference: the inputs in the task's order in, the outputs out."""
    names, model = driver.job.work.inputs, driver.model
    state = tuple(
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )

    def call(*given: Any) -> Any:
        inputs = dict(zip(names, given, strict=True)) if len(names) > 1 else given[0]
        output, _ = model.predict_step(state, (inputs,))
        return output

    return call


def arguments(driver: Any, names: Mapping[str, Any]) -> list[jax.ShapeDtypeStruct]:
    """Of what the function takes; an open axis is what ``names`` has for it."""
    firsts = [jax.numpy.asarray(driver.job.batches[name][0]) for name in driver.job.work.inputs]
    return [
        jax.ShapeDtypeStruct(shape, first.dtype)
        for shape, first in zip(open_shapes(driver.job, names), firsts, strict=True)
    ]


def carried(driver: Any) -> list[np.ndarray]:
    """Nothing: Keras generates with variables, which are not exported."""
    return []
