"""JAX's function as ONNX, by jax2onnx."""

from __future__ import annotations

from typing import Any

import jax
import jax2onnx

from harness.frameworks.export_driver import Facts

NAME = "jax2onnx"
CHANNELS_FIRST = False


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is JAX's; its weights become constants of the file."""
    inputs = [jax.ShapeDtypeStruct(("B", *one.shape[1:]), one.dtype) for one in driver.stream.batches[0]]
    model = jax2onnx.to_onnx(
        lambda *given: driver.predict(driver.params, driver.buffers, *given),
        inputs=inputs,
        model_name=driver.job.workload.name,
    )
    return model.SerializeToString(), {}
