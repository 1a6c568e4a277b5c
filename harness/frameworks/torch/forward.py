"""What a step of inference calls, as the module that exporters ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export._patches import register_lstm_while_loop_decomposition
from torch.utils import _pytree as pytree

from harness.frameworks.export_driver import open_axes
from harness.frameworks.exported import GENERATION


class Forward(nn.Module):
    """``forward`` of PyTorch's driver, with the model that it calls as its own."""

    def __init__(self, driver: Any) -> None:
        super().__init__()
        self.model, self._forward = driver.model, driver.forward
        self.eval()

    def forward(self, *inputs: Tensor) -> Any:
        return self._forward(*inputs)


class Generation(nn.Module):
    """A step of generation as a function: the inputs and the cache in, the output and the new cache out."""

    def __init__(self, driver: Any) -> None:
        super().__init__()
        self.model, self._step = driver.model, getattr(driver.file, driver.job.case.task)
        self._given = len(driver.job.work.inputs)
        self._tree = pytree.tree_structure(driver.cache)
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        cache = [one.clone() for one in inputs[self._given :]]  # the step writes in it
        output = self._step(self.model, pytree.tree_unflatten(cache, self._tree), *inputs[: self._given])
        return (output, *cache)


def module(driver: Any) -> nn.Module:
    """What is exported of the driver."""
    return Generation(driver) if driver.job.case.task in GENERATION else Forward(driver)


def cached(driver: Any) -> list[Tensor]:
    """Generation: the tensors of the cache, (B, ...) each."""
    return pytree.tree_leaves(driver.cache) if driver.job.case.task in GENERATION else []


def traced_inputs(driver: Any) -> tuple[Tensor, ...]:
    """The first batch and the cache, one longer on every axis that is left open."""
    tensors = [*driver.stream.batches[0], *cached(driver)]
    return tuple(one_longer(tensor, axes) for tensor, axes in zip(tensors, traced_axes(driver), strict=True))


def traced_axes(driver: Any) -> list[tuple[int, ...]]:
    """The open axes of the traced inputs; of a cache the batch."""
    return [*open_axes(driver.job), *((0,) for _ in cached(driver))]


def one_longer(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    for axis in axes:
        tensor = torch.cat([tensor, tensor.narrow(axis, 0, 1)], axis)
    return tensor


@contextmanager
def recurrent_layers_as_loops() -> Iterator[None]:
    """``torch.onnx.export`` does this by itself: an LSTM over an open length becomes a loop, else as many steps as were
    traced. PyTorch keeps what it dispatched to before, and would not find the loop a second time in a process."""
    operator = torch.ops.aten.lstm.input
    operator._dispatch_cache.clear()
    try:
        with register_lstm_while_loop_decomposition():
            yield
    finally:
        operator._dispatch_cache.clear()


def dynamic_shapes(driver: Any) -> dict[str, Any]:
    """What ``torch.export`` is to leave open."""
    return {"inputs": tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in traced_axes(driver))}
