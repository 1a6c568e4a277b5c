"""input_pipeline in PyTorch: a ``Dataset``, and a ``DataLoader`` with worker processes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from harness.workloads.input_pipeline.spec import Epoch, Preset, read
from harness.workloads.resnet50.torch import loss, model

__all__ = ["load", "loss", "model"]


class Images(Dataset[tuple[Tensor, int]]):
    def __init__(self, epoch: Epoch, preset: Preset) -> None:
        self.epoch, self.preset = epoch, preset

    def __len__(self) -> int:
        return len(self.epoch.paths)

    def __getitem__(self, n: int) -> tuple[Tensor, int]:
        row, column = self.epoch.rows[n], self.epoch.columns[n]
        size, stored = self.preset.size, self.preset.stored
        image = read(self.epoch.paths[n], stored)[row : row + size, column : column + size]
        if self.epoch.mirrored[n]:
            image = image[:, ::-1]
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())  # (3, S, S)
        return pixels.to(torch.float32) / 128 - 1, int(self.epoch.labels[n])


def load(epoch: Epoch, preset: Preset, batch: int, workers: int) -> Iterable[tuple[Tensor, Tensor]]:
    """Batches (B, 3, S, S) and (B,)."""
    images = Images(epoch, preset)
    batches: Iterable[tuple[Tensor, Tensor]] = DataLoader(
        images, batch, num_workers=workers, persistent_workers=True
    )
    return batches
