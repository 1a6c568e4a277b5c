"""PyTorch's model as ONNX, by ``torch.onnx.export`` with Dynamo, its default."""

from __future__ import annotations

from typing import Any

import torch
from onnxscript import opset18 as op
from torch import Tensor, nn

NAME = "torch.onnx.export"
CHANNELS_FIRST = True
MORE = 1  # samples by which the traced batch is larger than the one that is run


class Forward(nn.Module):
    """What a step of inference calls, as the module that an exporter asks for."""

    def __init__(self, model: nn.Module, forward: Any) -> None:
        super().__init__()
        self.model, self._forward = model, forward

    def forward(self, *inputs: Tensor) -> Any:
        return self._forward(*inputs)


def sort(values: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
    """``sort(stable=True)``, which the exporter does not know: of equal values TopK has the lower index first."""
    length = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]))
    return op.TopK(values, length, axis=dim, largest=int(descending), sorted=1)


def export(driver: Any) -> tuple[bytes, dict[str, str | bool | int | None]]:
    """``driver`` is PyTorch's."""
    inputs = driver.stream.batches[0]
    traced = tuple(torch.cat([one, one[:MORE]]) for one in inputs)
    with torch.no_grad():
        program = torch.onnx.export(
            Forward(driver.model, driver.forward).eval(),
            traced,
            dynamo=True,
            dynamic_shapes={"inputs": tuple({0: torch.export.Dim.DYNAMIC} for _ in traced)},
            custom_translation_table={torch.ops.aten.sort.stable: sort},
            verbose=False,
        )
    assert program is not None
    return program.model_proto.SerializeToString(), {"traced_batch": len(traced[0])}
