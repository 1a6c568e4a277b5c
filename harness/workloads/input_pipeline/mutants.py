"""What loaders get wrong, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.gate.mutants import Mutant, Wrapped, batches, with_workload
from harness.record import Task
from harness.workloads import Job
from harness.workloads.input_pipeline import spec

BOTH: tuple[Task, ...] = ("load", "train")


def never_mirrored(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    return np.zeros_like(array) if name == "mirrored" else array


def a_row_lower(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    return (array + 1) % job.preset.places if name == "row" else array


def exchanged(job: Job) -> Job:
    """Rows for columns."""
    given = job.batches
    return job._replace(batches={**given, "row": given["column"], "column": given["row"]})


def next_label(job: Job) -> Job:
    """Each example with the label of the one after it."""

    def epoch(folder: Path, preset: Any, given: Any) -> spec.Epoch:
        right = spec.epoch(folder, preset, given)
        return right._replace(labels=np.roll(right.labels, -1))

    return _with_files(job, epoch=epoch)


def stored_otherwise(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Job], Job]:
    """Files that hold other images, as those do that are read the wrong way round."""
    write = functools.partial(_write, change)
    return lambda job: _with_files(job, write=write)


def _write(change: Callable[[np.ndarray], np.ndarray], folder: Path, preset: spec.Preset) -> None:
    spec.write(folder, preset, change(spec.images(preset)))


def _with_files(job: Job, **changes: Any) -> Job:
    assert job.workload.files is not None
    return with_workload(job, files=dataclasses.replace(job.workload.files, **changes))


def scaled_otherwise(driver: Any, job: Job) -> Any:
    """x / 127.5 - 1, which reaches both ends."""

    def outputs(output: Any) -> dict[str, np.ndarray]:
        given = driver.outputs(output)
        return {**given, "image": ((given["image"] + 1) * np.float32(128 / 127.5) - 1).astype(np.float32)}

    return Wrapped(driver, outputs=outputs)


def wider(driver: Any, job: Job) -> Any:
    """The right numbers in float64: twice the bytes."""

    def outputs(output: Any) -> dict[str, np.ndarray]:
        given = driver.outputs(output)
        return {**given, "image": given["image"].astype(np.float64)}

    return Wrapped(driver, outputs=outputs)


MUTANTS = (
    Mutant("nothing is mirrored", batches(never_mirrored), tasks=BOTH),
    Mutant("cut a row too low", batches(a_row_lower), tasks=BOTH),
    Mutant("rows for columns", exchanged, tasks=BOTH),
    Mutant("the next example's label", next_label, tasks=BOTH),
    Mutant("blue for red", stored_otherwise(lambda images: images[..., ::-1]), tasks=BOTH),
    Mutant("upside down", stored_otherwise(lambda images: images[:, ::-1]), tasks=BOTH),
    Mutant("x / 127.5 - 1", wrap=scaled_otherwise, tasks=("load",)),
    Mutant("float64 for float32", wrap=wider, tasks=("load",)),
)
