"""input_pipeline in JAX, which has no loader: NumPy, and threads that make batches ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from harness.workloads.input_pipeline.spec import Epoch, Preset, read
from harness.workloads.resnet50.jax import loss, model, predict

__all__ = ["load", "loss", "model", "predict"]

Batch = tuple[np.ndarray, np.ndarray]


class Loader:
    def __init__(self, epoch: Epoch, preset: Preset, batch: int, workers: int) -> None:
        self.epoch, self.preset, self.batch = epoch, preset, batch
        self.workers = ThreadPoolExecutor(workers)
        self.ahead = 2 * workers

    def __iter__(self) -> Iterator[Batch]:
        coming: deque[Future[Batch]] = deque()
        for start in range(0, len(self.epoch.paths), self.batch):
            coming.append(self.workers.submit(self.make, start))
            if len(coming) > self.ahead:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()

    def make(self, start: int) -> Batch:  # (B, S, S, 3), (B,)
        size = self.preset.size
        image = np.empty((self.batch, size, size, 3), np.float32)
        for k in range(self.batch):
            n = start + k
            row, column = self.epoch.rows[n], self.epoch.columns[n]
            cut = read(self.epoch.paths[n], self.preset.stored)[row : row + size, column : column + size]
            image[k] = cut[:, ::-1] if self.epoch.mirrored[n] else cut
        image /= 128
        image -= 1
        return image, self.epoch.labels[start : start + self.batch]


def load(epoch: Epoch, preset: Preset, batch: int, workers: int) -> Loader:
    return Loader(epoch, preset, batch, workers)
