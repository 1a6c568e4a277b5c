"""ops in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.workloads.ops.spec import Preset


class Attention(nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # (B, T, width) each
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, heads, T, d)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (B, T, width)


class Layer(nn.Module):
    """A layer with weights."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x)
        return result


class Function(nn.Module):
    """A function without weights."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *operands: Tensor) -> Tensor:
        return self.function(*operands)


def elementwise(x: Tensor) -> Tensor:
    return (x * torch.tanh(x) + 0.5) * torch.sigmoid(x) - x * x / 4


def model(preset: Preset) -> nn.Module:
    channels, width = preset.channels, preset.width
    match preset.operation:
        case "matmul":
            return Function(torch.matmul)  # (B, width), (width, width)
        case "conv2d":
            return Layer(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
        case "attention":
            return Attention(preset.heads)
        case "layer_norm":
            return Layer(nn.LayerNorm(width, eps=preset.epsilon))
        case "softmax":
            return Function(lambda x: torch.softmax(x, -1))
        case "elementwise":
            return Function(elementwise)
        case "embedding":
            return Layer(nn.Embedding(preset.rows, width))
        case "sort":
            return Function(lambda x: torch.sort(x).values)
        case "top_k":
            return Function(lambda x: torch.topk(x, preset.kept).values)
        case "sum":
            return Function(lambda x: x.sum(-1))
        case "gather":
            return Function(lambda x, index: torch.gather(x, -1, index))
