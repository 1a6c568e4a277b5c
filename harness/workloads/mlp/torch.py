"""mlp in PyTorch."""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from harness.workloads.mlp.spec import Preset


class Mlp(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.activation = F.silu if preset.smooth else F.relu
        self.dense = nn.ModuleList(
            nn.Linear(n_in, n_out) for n_in, n_out in itertools.pairwise(preset.widths)
        )

    def forward(self, image: Tensor) -> Tensor:  # (B, 8, 8)
        x = image.flatten(1)  # (B, 64), row by row
        for hidden in self.dense[:-1]:
            x = self.activation(hidden(x))  # (B, width)
        logits: Tensor = self.dense[-1](x)  # (B, classes)
        return logits


def model(preset: Preset) -> nn.Module:
    return Mlp(preset)


def loss(model: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    return F.cross_entropy(model(image), label)
