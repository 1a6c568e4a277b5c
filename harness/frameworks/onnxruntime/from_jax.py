"""JAX's function as ONNX, by jax2onnx."""

from __future__ import annotations

from typing import Any

import jax2onnx

from harness.frameworks.export_driver import OPEN, Facts
from harness.frameworks.jax.exporting import arguments, carried, function

__all__ = ["CHANNELS_FIRST", "NAME", "carried", "export"]
NAME = "jax2onnx"
CHANNELS_FIRST = False


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is JAX's; its weights become constants of the file."""
    model = jax2onnx.to_onnx(
        function(driver),
        inputs=arguments(driver, {name: name for name in OPEN}),
        model_name=driver.job.workload.name,
    )
    return model.SerializeToString(), {}
