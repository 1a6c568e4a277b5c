"""What detectors get wrong, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.gate.mutants import TRAIN, Mutant, batches, patched, preset
from harness.workloads import Job


def aligned(taps: Callable[..., Any]) -> Callable[..., Any]:
    """RoIAlign shifted by half a place, as detectron2 has it."""
    return lambda low, high, length: taps(low - 0.5, high - 0.5, length)


def width_over_height(anchors: Callable[..., Iterator[np.ndarray]]) -> Callable[..., Iterator[np.ndarray]]:
    """The ratios of the anchors the other way round."""
    return lambda size: (level.reshape(-1, 3, 4)[:, ::-1].reshape(-1, 4).copy() for level in anchors(size))


def threshold(value: float) -> Callable[..., Any]:
    """Suppression from another IoU on."""
    return lambda suppress: lambda boxes, valid, _: suppress(boxes, valid, value)


def no_objects(join: Callable[..., Any]) -> Callable[..., Any]:
    """The first proposals a second time in the objects' place."""
    return lambda found, boxes: join(found, found[:, : boxes.shape[1]])


def next_class(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """Every object is of the class after its own."""
    if name != "labels":
        return array
    return np.asarray(np.where(array > 0, array % (job.preset.classes - 1) + 1, 0))


def padding_counts(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """Where there is no object there is one of class 1, as large as the image."""
    if name == "labels":
        return np.asarray(np.maximum(array, 1))
    if name != "boxes":
        return array
    empty = (array[..., 2:] <= array[..., :2]).any(-1, keepdims=True)
    whole = np.array([0, 0, job.preset.size, job.preset.size], array.dtype)
    return np.asarray(np.where(empty, whole, array))


MUTANTS = (
    Mutant("RoIAlign aligned to half a pixel", patched("taps", aligned)),
    Mutant("anchors of ratio w / h", patched("anchors", width_over_height)),
    Mutant("suppression from an IoU of 0.6 on", patched("not_suppressed", threshold(0.6))),
    Mutant("half of the proposals of a level", preset("before", lambda before: before // 2)),
    Mutant("levels chosen for another size", preset("canonical", lambda edge: 2 * edge)),
    Mutant(
        "L1 for smooth L1", patched("smooth_l1", lambda smooth: lambda apart, beta: abs(apart)), tasks=TRAIN
    ),
    Mutant("smooth L1 with beta 1", preset("beta", lambda beta: 1.0), tasks=TRAIN),
    Mutant("objects are not among the proposals", patched("with_objects", no_objects), tasks=TRAIN),
    Mutant("classes off by one", batches(next_class), tasks=TRAIN),
    Mutant("padding counts as an object", batches(padding_counts), tasks=TRAIN),
    Mutant("another share of anchors", preset("sampled_anchors", lambda count: count // 2), tasks=TRAIN),
)
