"""What a step of inference calls, as the module that exporters ask for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MORE = 1  # samples by which a traced batch is larger than the one that is run


class Forward(nn.Module):
    """``forward`` of PyTorch's driver, with the model that it calls as its own."""

    def __init__(self, driver: Any) -> None:
        super().__init__()
        self.model, self._forward = driver.model, driver.forward
        self.eval()

    def forward(self, *inputs: Tensor) -> Any:
        return self._forward(*inputs)


def traced_inputs(driver: Any) -> tuple[Tensor, ...]:
    """The first batch and one sample more."""
    return tuple(torch.cat([one, one[:MORE]]) for one in driver.stream.batches[0])


def open_batch(inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """``dynamic_shapes`` of ``torch.export`` that leave the batch open."""
    return {"inputs": tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)}
