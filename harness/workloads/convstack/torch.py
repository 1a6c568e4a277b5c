"""convstack in PyTorch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from harness.workloads.convstack.spec import Preset


class ConvStack(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2, 2) if preset.smooth else nn.MaxPool2d(2, 2)
        self.convs = nn.ModuleList(
            nn.Conv2d(c_in, c_out, kernel_size=3, padding=1)
            for c_in, c_out in zip((3, *preset.channels), preset.channels, strict=False)
        )
        features = (preset.size >> len(preset.channels)) ** 2 * preset.channels[-1]
        self.classifier = nn.Linear(features, preset.classes)

    def forward(self, image: Tensor) -> Tensor:  # (B, 3, S, S)
        x = image
        for conv in self.convs:
            x = self.pool(conv(x))  # (B, C, S / 2^k, S / 2^k)
        x = x.permute(0, 2, 3, 1).flatten(1)  # (B, features), in the order H, W, C
        logits: Tensor = self.classifier(x)  # (B, classes)
        return logits


def model(preset: Preset) -> nn.Module:
    return ConvStack(preset)


def loss(model: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    return F.cross_entropy(model(image), label)
