"""resnet50 in PyTorch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from harness.workloads.resnet50.spec import Preset


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)


def norm(channels: int, preset: Preset) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=preset.epsilon, momentum=1 - preset.momentum)


def activation(preset: Preset) -> nn.Module:
    return nn.SiLU(inplace=True) if preset.smooth else nn.ReLU(inplace=True)


class Bottleneck(nn.Module):
    def __init__(self, c_in: int, width: int, stride: int, preset: Preset) -> None:
        super().__init__()
        c_out = preset.expansion * width
        self.act = activation(preset)
        self.conv1, self.bn1 = conv(c_in, width, 1), norm(width, preset)
        self.conv2, self.bn2 = conv(width, width, 3, stride), norm(width, preset)
        self.conv3, self.bn3 = conv(width, c_out, 1), norm(c_out, preset)
        self.projects = stride > 1 or c_in != c_out
        if self.projects:
            self.shortcut_conv, self.shortcut_bn = conv(c_in, c_out, 1, stride), norm(c_out, preset)

    def forward(self, x: Tensor) -> Tensor:  # (B, C_in, H, W)
        y = self.act(self.bn1(self.conv1(x)))  # (B, width, H, W)
        y = self.act(self.bn2(self.conv2(y)))  # (B, width, H / stride, W / stride)
        y = self.bn3(self.conv3(y))  # (B, C_out, H / stride, W / stride)
        y += self.shortcut_bn(self.shortcut_conv(x)) if self.projects else x
        out: Tensor = self.act(y)
        return out


class Backbone(nn.Module):
    """Stem and stages; what stands on them is added by whoever inherits."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        c_in = preset.widths[0]
        self.stem_conv, self.stem_bn = conv(3, c_in, 7, stride=2), norm(c_in, preset)
        self.act = activation(preset)
        self.pool = nn.AvgPool2d(3, 2, padding=1) if preset.smooth else nn.MaxPool2d(3, 2, padding=1)
        self.stages = nn.ModuleList()
        for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
            blocks = nn.Sequential()
            for block in range(depth):
                blocks.append(Bottleneck(c_in, width, 2 if stage > 0 and block == 0 else 1, preset))
                c_in = preset.expansion * width
            self.stages.append(blocks)

    def stem(self, image: Tensor) -> Tensor:  # (B, 3, S, S) -> (B, widths[0], S / 4, S / 4)
        x = self.act(self.stem_bn(self.stem_conv(image)))
        pooled: Tensor = self.pool(x)
        return pooled


class ResNet50(Backbone):
    def __init__(self, preset: Preset) -> None:
        super().__init__(preset)
        self.classifier = nn.Linear(preset.expansion * preset.widths[-1], preset.classes)

    def forward(self, image: Tensor) -> Tensor:  # (B, 3, S, S)
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)  # (B, 4 widths[k], S / 2^(k + 2), S / 2^(k + 2))
        logits: Tensor = self.classifier(x.mean(dim=(2, 3)))  # (B, 4 widths[-1]) -> (B, classes)
        return logits


def model(preset: Preset) -> nn.Module:
    return ResNet50(preset)


def loss(model: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    return F.cross_entropy(model(image), label)
