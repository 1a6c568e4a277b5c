"""input_pipeline in Keras: a ``PyDataset``, which is the same on every backend."""

from __future__ import annotations

import keras
import numpy as np

from harness.workloads.input_pipeline.spec import Epoch, Preset, read
from harness.workloads.resnet50.keras import loss, model

__all__ = ["load", "loss", "model"]


class Images(keras.utils.PyDataset):  # type: ignore[misc]
    def __init__(self, epoch: Epoch, preset: Preset, batch: int, workers: int) -> None:
        super().__init__(workers=workers, use_multiprocessing=False)
        self.epoch, self.preset, self.batch = epoch, preset, batch

    def __len__(self) -> int:
        return len(self.epoch.paths) // self.batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:  # (B, S, S, 3) or (B, 3, S, S), (B,)
        size, start = self.preset.size, index * self.batch
        image = np.empty((self.batch, size, size, 3), np.float32)
        for k in range(self.batch):
            n = start + k
            row, column = self.epoch.rows[n], self.epoch.columns[n]
            cut = read(self.epoch.paths[n], self.preset.stored)[row : row + size, column : column + size]
            image[k] = cut[:, ::-1] if self.epoch.mirrored[n] else cut
        image /= 128
        image -= 1
        if keras.config.image_data_format() == "channels_first":
            image = np.ascontiguousarray(image.transpose(0, 3, 1, 2))
        return image, self.epoch.labels[start : start + self.batch]


def load(epoch: Epoch, preset: Preset, batch: int, workers: int) -> Images:
    return Images(epoch, preset, batch, workers)
