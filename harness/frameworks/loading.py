"""Batches that a framework's own loader reads from files: by themselves (task ``load``), or fed to a model.

The workload's file for the framework offers ``load(epoch, preset, batch, workers)``, one epoch of its batches, as often
as it is iterated; ``workers`` is the number of cores that the case may use.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from harness import scratch
from harness.frameworks import Stack, State
from harness.workloads import Job


def loader(job: Job, batches: Mapping[str, np.ndarray]) -> Any:
    """What the workload's file makes of the files, which are written when a process first asks for them."""
    files = job.workload.files
    assert files is not None
    folder = scratch.written((files.write, job.preset), lambda folder: files.write(folder, job.preset))
    return job.file.load(files.epoch(folder, job.preset, batches), job.preset, job.batch, job.case.cores)


class Loaded:
    """A loader's batches, epoch after epoch, each through ``place``; ``taken`` counts them, and is set to zero to start
    at the first one again."""

    def __init__(self, loader: Any, place: Callable[[Any], Any] = lambda batch: batch) -> None:
        self.loader, self._place = loader, place
        self.taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    @taken.setter
    def taken(self, count: int) -> None:
        self._taken = count
        if count == 0:
            self._epochs = itertools.chain.from_iterable(itertools.repeat(self.loader))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = next(self._epochs)
        self._taken += 1
        return self._place(batch)


class LoadDriver:
    """Task ``load``: a step takes the next batch, and leaves it on the host; the same in every mode."""

    def __init__(
        self,
        job: Job,
        stack: Stack,
        channels_first: bool = False,
        iterated: Callable[[Any], Iterable[Any]] = lambda loader: loader,
    ) -> None:
        """``iterated``: how the framework's users go through what ``load`` gives, where that is not a plain loop."""
        self.job, self.stack = job, stack
        self.channels_first, self.iterated = channels_first, iterated
        self.feed(job.batches)

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.stream = Loaded(self.iterated(loader(self.job, batches)))

    def run(self, n: int) -> Any:
        for batch in itertools.islice(self.stream, n):
            output = batch
        return output

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        arrays = [self.stack.to_host(part) for part in output]
        return {
            name: np.moveaxis(array, 1, -1) if self.channels_first and array.ndim == 4 else array
            for name, array in zip(self.job.work.outputs, arrays, strict=True)
        }

    def penalty(self) -> float:
        """Nothing is trained."""
        return 0.0

    def state(self) -> State:
        return State({}, {}, None)

    def steps_done(self) -> int:
        return self.stream.taken

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.stream.taken = 0
