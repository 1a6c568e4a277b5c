"""Round-off, planted: a float64 computation in PyTorch whose every operation rounds as a lower precision does.

What a floating-point operation gives back, forward and backward, is rounded to the precision's significand; where
the precision rounds operands too (TF32, bf16), so is what enters: weights, inputs. The grid is not the format's
own but that one stretched by a factor of the run: several runs are several draws of the same kind of error. What the
precision holds exactly (whole numbers, halves, zero) is left as it is: two anchors that overlap a box on whole pixels
equally do so in any precision. The spread of what comes out is what a right implementation in that precision may be
off by.

Rounding, not independent noise: a weight is off by the same amount at every place of an image, and equal
cotangents are off by equal amounts, so that their sums do not average it away. Measured: with independent noise
on the results the tolerances for bf16 refused right trainings of ``resnet50`` and ``gpt`` (a moving variance by 1.1
times, the update of a bias by twice).
"""

from __future__ import annotations

import math
import random
from typing import Any, Self

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from harness.record import Precision

SIGNIFICAND: dict[Precision, int] = {"fp32": 24, "tf32": 11, "bf16": 8}  # bits, the hidden one too
RUNS = 6
SHAPE_RUNS = 3  # of a timed shape, which is large and compared by losses and outputs alone
# Of the largest spread. The most that a right implementation was found to need in fp32 is 48 (Keras on TensorFlow, the
# gradient of a bias in convstack: a sum over all places of an image, which is rounded once here).
MULTIPLE: dict[Precision, float] = {"fp32": 64.0, "tf32": 4.0, "bf16": 4.0}

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


class RoundOff(TorchDispatchMode):
    """Rounds what each operation takes and gives back; ``seed`` makes a run repeatable. ``coarsest``: in as many
    bits fewer as a tolerance is wider than the spread, the most that a right implementation is granted."""

    def __init__(self, precision: Precision, seed: int, coarsest: bool = False) -> None:
        super().__init__()
        self.grid = 1.0 + random.Random(seed).random()  # stretches the format's grid by [1, 2)
        fewer = int(math.log2(MULTIPLE[precision])) if coarsest else 0
        dropped = 53 - SIGNIFICAND[precision] + fewer  # bits of a float64
        self.half, self.kept = 1 << (dropped - 1), -1 << dropped
        self.operands = precision != "fp32"  # weights and inputs are given in fp32
        self.sums = precision == "bf16"  # which some frameworks add up in bf16 too, by pairs

    def __enter__(self) -> Self:
        self.unfused = sdpa_kernel(SDPBackend.MATH)  # attention in parts, as it is where no kernel fuses it
        self.unfused.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self.unfused.__exit__(*raised)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        schema = func._schema
        name = schema.name.removeprefix("aten::")
        if self.operands:  # also of what only picks values: a table in bf16 holds them rounded
            args = [
                one if self._written(declared) else self.rounded(one)
                for one, declared in zip(args, schema.arguments, strict=False)
            ]
        if any(name.startswith(exact) for exact in _EXACT):
            return func(*args, **(kwargs or {}))
        if (
            self.sums
            and str(func) == "aten.sum.dim_IntList"
            and args[0].dtype == torch.float64
            and args[0].numel()
        ):
            return self._sum(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, tuple | list):
            return self._kept(result, schema.returns[0])
        # what a fused operation hands to its own backward stays in fp32: a mean, a logarithm of a sum
        outputs = len(result) if "backward" in name else 1
        rounded = map(self._kept, result[:outputs], schema.returns)
        return (*rounded, *result[outputs:])

    def _sum(self, value: Any, dim: Any, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """A sum by pairs, each rounded: what cancels, as the gradient of a key's bias does, leaves the roundings."""
        axes = sorted(
            axis % value.ndim for axis in (range(value.ndim) if dim is None or not len(dim) else dim)
        )
        kept = [axis for axis in range(value.ndim) if axis not in axes]
        shape = [value.shape[axis] for axis in kept]
        added = value.permute(*kept, *axes).reshape(*shape, -1)
        while added.shape[-1] > 1:
            odd = added[..., -1:] if added.shape[-1] % 2 else None
            pairs = self.rounded(added[..., : added.shape[-1] // 2 * 2].unflatten(-1, (-1, 2)).sum(-1))
            added = pairs if odd is None else torch.cat([pairs, odd], -1)
        whole = [1 if axis in axes else value.shape[axis] for axis in range(value.ndim)]
        return added.reshape(whole if keepdim else shape)

    @staticmethod
    def _written(declared: Any) -> bool:
        """An operand that the operation writes to; moving statistics are, though not declared so."""
        return declared.alias_info is not None or declared.name.startswith("running_")

    def _kept(self, value: Any, declared: Any) -> Any:
        """A result rounded; in place where it was written in place; a view as it is."""
        if declared.alias_info is None:
            return self.rounded(value)
        return value.copy_(self.rounded(value)) if declared.alias_info.is_write else value

    def rounded(self, value: Any) -> Any:
        """To the nearest value of the stretched grid: half a step is added, and the bits below it are dropped."""
        if not isinstance(value, torch.Tensor) or value.dtype != torch.float64:
            return value
        near = value / self.grid
        near.view(torch.int64).add_(self.half).bitwise_and_(self.kept)
        exact = value.contiguous().view(torch.int64).bitwise_and(~self.kept) == 0
        return torch.where(exact, value, near.mul_(self.grid))
