"""PyTorch's model as ONNX, by ``torch.onnx.export`` with Dynamo, its default."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnxscript import opset18 as op

from harness.frameworks.export_driver import Facts
from harness.frameworks.torch.forward import (
    cached,
    dynamic_shapes,
    module,
    recurrent_layers_as_loops,
    traced_inputs,
)

NAME = "torch.onnx.export"
CHANNELS_FIRST = True


def sort(values: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
    """``sort(stable=True)``, which the exporter does not know: of equal values TopK has the lower index first."""
    length = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]))
    return op.TopK(values, length, axis=dim, largest=int(descending), sorted=1)


def carried(driver: Any) -> list[np.ndarray]:
    """Generation: the driver's cache."""
    return [tensor.numpy() for tensor in cached(driver)]


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is PyTorch's."""
    inputs = traced_inputs(driver)
    with torch.no_grad(), recurrent_layers_as_loops():
        program = torch.onnx.export(
            module(driver),
            inputs,
            dynamo=True,
            dynamic_shapes=dynamic_shapes(driver),
            custom_translation_table={torch.ops.aten.sort.stable: sort},
            verbose=False,
        )
    assert program is not None
    return program.model_proto.SerializeToString(), {"traced_batch": len(inputs[0])}
