"""misbehaving in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .deeds import DEEDS
from .spec import Preset


class Misbehaving(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(preset.width))  # (width,)

    def forward(self, x: Tensor) -> Tensor:  # (B, width)
        return x * self.factor


def model(preset: Preset) -> nn.Module:
    DEEDS[preset.deed].do()
    return Misbehaving(preset)
