"""Keras' own way through a ``keras.utils.PyDataset``: the one of ``fit``, with the dataset's workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from harness.frameworks.keras.loop import Loop
from harness.frameworks.loading import Loaded

ITERATED = {
    "tensorflow": PyDatasetAdapter.get_tf_dataset,
    "torch": PyDatasetAdapter.get_torch_dataloader,
    "jax": PyDatasetAdapter.get_jax_iterator,
}


class AsFit:
    """An epoch of the dataset as ``fit`` goes through it on this backend; there is no public way to its workers."""

    def __init__(self, dataset: keras.utils.PyDataset) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        adapter = PyDatasetAdapter(self.dataset)
        adapter.on_epoch_begin()
        try:
            yield from ITERATED[keras.backend.backend()](adapter)
        finally:
            adapter.on_epoch_end()


class Next(keras.utils.PyDataset):  # type: ignore[misc]
    """``count`` batches of another dataset from ``start`` on, over and over: its workers make none that ``fit`` would
    not take."""

    def __init__(self, dataset: keras.utils.PyDataset, start: int, count: int) -> None:
        super().__init__(workers=dataset.workers, use_multiprocessing=dataset.use_multiprocessing)
        self.dataset, self.start, self.count = dataset, start, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.dataset[(self.start + index) % len(self.dataset)]


class FedLoop(Loop):
    """``fit`` over batches that are read from files meanwhile."""

    def feed(self, batches: Loaded, start: tuple[Any, ...]) -> None:  # type: ignore[override]
        self.files = batches.loader.dataset

    def dataset(self, count: int) -> Next:
        return Next(self.files, self.taken, count)
