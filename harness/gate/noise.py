"""Round-off, planted: a float64 computation in PyTorch whose every operation is off as a lower precision would
have it.

Each result of a floating-point operation, forward and backward, is multiplied by (1 + eps u), u uniform on [-1, 1):
what a rounding does to it at most. Operands enter rounded the same way where the precision rounds them (TF32,
bf16). The spread of what comes out, over several such runs, is what a right implementation in that precision may
be off by. Measured on a small ResNet: noise on the outputs alone, or on the weights alone, refused right
implementations.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness.record import Precision

ROUND_OFF: dict[Precision, float] = {"fp32": 2.0**-24, "tf32": 2.0**-11, "bf16": 2.0**-9}
RUNS = 6
MULTIPLE: dict[Precision, float] = {"fp32": 30.0, "tf32": 4.0, "bf16": 4.0}  # of the largest spread

# What only hands on or picks values rounds nothing.
_EXACT = (
    *(
        "max_pool",
        "relu",
        "threshold",
        "embedding",
        "copy",
        "clone",
        "where",
        "cat",
        "index",
        "gather",
        "slice",
    ),
    *("neg", "fill", "zeros", "ones", "arange", "view", "empty", "detach", "masked", "scatter"),
)


DRAWN = 1 << 22  # factors that are drawn once; each operation takes a stretch of them from a random place


class RoundOff(TorchDispatchMode):
    """Disturbs what each operation gives back; ``seed`` makes a run repeatable."""

    def __init__(self, precision: Precision, seed: int) -> None:
        super().__init__()
        self.eps = ROUND_OFF[precision]
        generator = torch.Generator().manual_seed(seed)
        self.factors = 1.0 + self.eps * (
            2.0 * torch.rand(DRAWN, generator=generator, dtype=torch.float64) - 1.0
        )
        self.places = random.Random(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        schema = func._schema
        name = schema.name.removeprefix("aten::")
        if schema.is_mutable or any(name.startswith(exact) for exact in _EXACT):
            return result
        if any(
            one.alias_info is not None for one in schema.returns
        ):  # a view: its base was disturbed already
            return result
        if isinstance(result, tuple | list):
            return type(result)(self.disturbed(part) for part in result)
        return self.disturbed(result)

    def disturbed(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.numel() == 0:
            return value
        start = self.places.randrange(DRAWN)
        count = value.numel()
        stretch = (
            self.factors.roll(-start).repeat(-(-count // DRAWN))
            if count > DRAWN - start
            else self.factors[start:]
        )
        return value * stretch[:count].view(value.shape)
