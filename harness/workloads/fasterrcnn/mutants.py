"""What detectors get wrong, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from harness.gate.mutants import TRAIN, Mutant, batches, patched, preset, with_rows
from harness.record import Task
from harness.workloads import Job
from harness.workloads.fasterrcnn.preset import POOLED

PROPOSED: tuple[Task, ...] = ("train", "infer", "rpn")
LOOKED_AT: tuple[Task, ...] = ("train", "infer", "roi")


def aligned(taps: Callable[..., Any]) -> Callable[..., Any]:
    """RoIAlign shifted by half a place, as detectron2 has it."""
    return lambda low, high, length: taps(low - 0.5, high - 0.5, length)


def width_over_height(anchors: Callable[..., Iterator[np.ndarray]]) -> Callable[..., Iterator[np.ndarray]]:
    """The ratios of the anchors the other way round."""
    return lambda size: (level.reshape(-1, 3, 4)[:, ::-1].reshape(-1, 4).copy() for level in anchors(size))


def threshold(value: float) -> Callable[..., Any]:
    """Suppression from another IoU on."""
    return lambda suppress: lambda boxes, valid, _: suppress(boxes, valid, value)


def best_of_all_levels(detector: Any) -> Any:
    """What is not among the best anchors of all levels comes last, as what is not a number does."""
    proposals = detector.proposals
    file = inspect.unwrap(proposals).__globals__

    def planted(self: Any, scores: list[Any], deltas: list[Any]) -> Any:
        joined = reduce(file["with_objects"], scores)  # (B, N)
        least = file["pick"](joined, file["ranked"](joined)[:, : self.preset.before])[:, -1:]
        return proposals(self, [(score - least) ** 0.5 for score in scores], deltas)

    detector.proposals = planted
    return detector


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


def channels_before_places(driver: Any, job: Job) -> Any:
    """What was pooled is flattened as (channel, height, width)."""
    kernel = job.weights["fc1.kernel"]
    order = np.arange(len(kernel)).reshape(POOLED * POOLED, -1).T.ravel()
    return with_rows(driver, "fc1.kernel", order)


MUTANTS = (
    Mutant("RoIAlign aligned to half a pixel", patched("taps", aligned), tasks=LOOKED_AT),
    Mutant("pooled values flattened in another order", wrap=channels_before_places, tasks=LOOKED_AT),
    Mutant("levels chosen for another size", preset("canonical", lambda edge: 2 * edge), tasks=LOOKED_AT),
    Mutant("anchors of ratio w / h", patched("anchors", width_over_height), tasks=PROPOSED),
    Mutant(
        "suppression from an IoU of 0.6 on",
        patched("not_suppressed", threshold(0.6)),
        tasks=("train", "infer"),
    ),
    # with drawn weights anchors have hardly moved, and of no two of a level the IoU is between 0.55 and 0.7
    Mutant("suppression from an IoU of 0.5 on", patched("not_suppressed", threshold(0.5)), tasks=("rpn",)),
    Mutant("best anchors of all levels at once", patched("FasterRCNN", best_of_all_levels), tasks=PROPOSED),
    Mutant("half of the proposals of a level", preset("before", lambda before: before // 2), tasks=PROPOSED),
    Mutant("dw and dh bounded at 0", patched("LARGEST", lambda bound: 0.0), tasks=(*PROPOSED, "roi")),
    Mutant(
        "L1 for smooth L1", patched("smooth_l1", lambda smooth: lambda apart, beta: abs(apart)), tasks=TRAIN
    ),
    Mutant("smooth L1 with beta 1", preset("beta", lambda beta: 1.0), tasks=TRAIN),
    Mutant("objects are not among the proposals", patched("with_objects", no_objects), tasks=TRAIN),
    Mutant("classes off by one", batches(next_class), tasks=TRAIN),
    Mutant("padding counts as an object", batches(padding_counts), tasks=TRAIN),
    Mutant("another share of anchors", preset("sampled_anchors", lambda count: count // 2), tasks=TRAIN),
)
