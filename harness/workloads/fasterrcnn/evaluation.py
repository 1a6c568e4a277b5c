"""What a trained detector finds, by NumPy for every framework, and how good that is: COCO's average precision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from harness.workloads.fasterrcnn import pictures
from harness.workloads.fasterrcnn.preset import (
    HEAD_WEIGHTS,
    LARGEST,
    POOLED,
    RPN_WEIGHTS,
    SAMPLES,
    STRIDES,
    Preset,
    anchors,
)
from harness.workloads.resnet50 import spec as resnet50
from harness.workloads.specification import Arrays, Box, Example

TEST_IMAGES, TEST_SEED = 100, 1_000_000  # training is drawn from the seeds of rounds
RECALLS = np.linspace(0.0, 1.0, 101)


class Detections(NamedTuple):
    """Of one image, the surest first; label 0 where there is none."""

    boxes: np.ndarray  # (D, 4)
    scores: np.ndarray  # (D,)
    labels: np.ndarray  # (D,)


# --- average precision ---------------------------------------------------------------------------


def average_precision(
    found: list[Detections], boxes: np.ndarray, labels: np.ndarray, threshold: float
) -> float:
    """Mean over the classes of the area under precision against recall; a detection counts from this IoU on.

    boxes (images, objects, 4), labels (images, objects), 0 where there is no object. As COCO has it (Lin et al.,
    2014): in each image, the surest first, a detection takes the object of its class that it overlaps most among
    those that are left; precision is made monotonous and read at 101 recalls. Classes without an object do not count.
    """
    each = [_of_class(found, boxes, labels, threshold, label) for label in np.unique(labels) if label > 0]
    return float(np.mean(each)) if each else 0.0


def _of_class(
    found: list[Detections], boxes: np.ndarray, labels: np.ndarray, threshold: float, label: int
) -> float:
    scores: list[float] = []
    hits: list[bool] = []
    for image, (at, score, named) in enumerate(found):
        objects = boxes[image][labels[image] == label]
        mine = np.flatnonzero((named == label) & (score > 0))
        mine = mine[np.argsort(-score[mine], kind="stable")]
        overlaps = iou(at[mine], objects)
        free = np.ones(len(objects), bool)
        for one, overlap in zip(mine, overlaps, strict=True):
            left = np.where(free, overlap, -1.0)
            best = len(left) - 1 - int(np.argmax(left[::-1])) if len(left) else -1  # the last of equals
            hit = best >= 0 and left[best] >= threshold
            if hit:
                free[best] = False
            scores.append(float(score[one]))
            hits.append(bool(hit))
    count = int(np.sum(labels == label))
    order = np.argsort(-np.asarray(scores), kind="stable")
    right = np.cumsum(np.asarray(hits, float)[order])
    recall, precision = right / count, right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at_recall = np.searchsorted(recall, RECALLS, side="left")
    return float(np.mean(np.append(precision, 0.0)[np.minimum(at_recall, len(precision))]))


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, 4), (G, 4) -> (N, G)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.asarray(shared / np.where(union > 0, union, 1))


def area(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(-1))


def precision_on_test_images(preset: Preset, weights: Arrays) -> float:
    """Average precision from an IoU of 0.5 on, over images that are drawn for testing alone; 0 for weights that are
    not finite, with which nothing is found."""
    if not all(np.isfinite(array).all() for array in weights.values()):
        return 0.0
    image, boxes, labels = pictures.draw(preset.size, preset.objects, preset.classes, TEST_IMAGES, TEST_SEED)
    found = [detect(preset, weights, one) for one in image]
    return average_precision(found, boxes, labels, 0.5)


def examples(preset: Preset, weights: Arrays, count: int) -> list[Example]:
    """The first of the test images, and what is found in them with a score of at least a half."""
    image, boxes, labels = pictures.draw(preset.size, preset.objects, preset.classes, count, TEST_SEED)
    made = []
    for one, at, label in zip(image, boxes, labels, strict=True):
        found = detect(preset, weights, one)
        sure = found.scores >= 0.5
        made.append(
            Example(
                np.asarray(one * 64 + 128, np.uint8),
                _named(at[label > 0], label[label > 0]),
                _named(found.boxes[sure], found.labels[sure], found.scores[sure]),
            )
        )
    return made


def _named(boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None = None) -> list[Box]:
    made = []
    for one, (box, label) in enumerate(zip(boxes.tolist(), labels, strict=True)):
        x1, y1, x2, y2 = box
        name = pictures.NAMES[(label - 1) % pictures.SHAPES]
        made.append(Box(x1, y1, x2, y2, name, None if scores is None else float(scores[one])))
    return made


# --- the detector --------------------------------------------------------------------------------


def detect(preset: Preset, weights: Arrays, image: np.ndarray) -> Detections:
    """(S, S, 3) -> what is found; greedy suppression and loops where they are the plainer form."""
    levels = _pyramid(preset, weights, image)
    found = _proposals(preset, weights, levels)
    x = _roi_align(preset, levels, found).reshape(len(found), -1)
    x = _dense(
        _relu(_dense(_relu(_dense(x, weights, "fc1")), weights, "fc2")), weights, "class_score", "class_box"
    )
    scores, deltas = x[:, : preset.classes], x[:, preset.classes :].reshape(len(found), -1, 4)
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    scores = exponentials / exponentials.sum(-1, keepdims=True)
    kept: list[tuple[float, int, np.ndarray]] = []
    for label in range(1, preset.classes):
        at = _decode(deltas[:, label], found, np.array(HEAD_WEIGHTS)).clip(0, preset.size)
        order = np.argsort(-scores[:, label], kind="stable")
        likely = [k for k in order if scores[k, label] > 0.05 and (at[k, 2:] - at[k, :2] >= 1e-2).all()]
        kept += [(float(scores[k, label]), label, at[k]) for k in greedy(at, likely, 0.5)]
    kept.sort(key=lambda one: -one[0])
    kept = kept[: preset.detections]
    missing = preset.detections - len(kept)
    return Detections(
        np.array([*(at for _, _, at in kept), *np.zeros((missing, 4))]),
        np.array([score for score, _, _ in kept] + [0.0] * missing),
        np.array([label for _, label, _ in kept] + [0] * missing),
    )


def greedy(boxes: np.ndarray, order: list[int], threshold: float) -> list[int]:
    """Indices of ``order`` that no kept one before them overlaps by more than the threshold."""
    overlaps = iou(boxes[order], boxes[order])
    kept: list[int] = []
    for k in range(len(order)):
        if not (overlaps[kept, k] > threshold).any():
            kept.append(k)
    return [order[k] for k in kept]


def _pyramid(preset: Preset, weights: Arrays, image: np.ndarray) -> list[np.ndarray]:
    def block(x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        return _norm(_conv(x, weights[f"{name}.kernel"], stride), weights, name.replace("conv", "bn"), preset)

    x = _relu(block(image, "stem_conv", 2))
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    x = sliding_window_view(padded, (3, 3), (0, 1))[::2, ::2].max((-1, -2))
    stages: list[np.ndarray] = []
    for one in resnet50.blocks(preset.backbone):
        y = _relu(block(x, f"{one.path}.conv1"))
        y = block(_relu(block(y, f"{one.path}.conv2", one.stride)), f"{one.path}.conv3")
        if f"{one.path}.shortcut_conv.kernel" in weights:
            x = block(x, f"{one.path}.shortcut_conv", one.stride)
        x = _relu(y + x)
        stage = int(one.path.split(".")[1])
        stages[stage:] = [x]
    levels: list[np.ndarray] = []
    above: np.ndarray | None = None
    for level in reversed(range(len(stages))):
        x = _biased(stages[level], weights, f"lateral.{level}")
        above = x if above is None else x + above.repeat(2, 0).repeat(2, 1)
        levels.insert(0, _biased(above, weights, f"merged.{level}"))
    return [*levels, levels[-1][::2, ::2]]


def _proposals(preset: Preset, weights: Arrays, levels: list[np.ndarray]) -> np.ndarray:
    best: list[tuple[bool, float, np.ndarray]] = []
    for at, x in zip(anchors(preset), levels, strict=True):
        x = _relu(_biased(x, weights, "rpn_conv"))
        scores = _biased(x, weights, "rpn_score").ravel()
        deltas = _biased(x, weights, "rpn_box").reshape(-1, 4)
        order = np.argsort(-scores, kind="stable")[: preset.before]
        boxes = _decode(deltas, at, np.array(RPN_WEIGHTS)).clip(0, preset.size)
        large = [int(k) for k in order if (boxes[k, 2:] - boxes[k, :2] >= 1e-3).all()]
        kept = set(greedy(boxes, large, 0.7))
        best += [(int(k) not in kept, -float(scores[k]), boxes[k]) for k in order]
    best.sort(key=lambda one: one[:2])
    return np.array([box for _, _, box in best[: preset.proposals]])


def _roi_align(preset: Preset, levels: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """(R, 4) -> (R, 7, 7, C)."""
    with np.errstate(divide="ignore"):
        level = np.floor(2 + np.log2(np.sqrt(area(boxes)) / preset.canonical) + 1e-6).clip(0, 3)
    pooled = np.empty((len(boxes), POOLED, POOLED, preset.channels))
    for k, box in enumerate(boxes):
        x, stride = levels[int(level[k])], STRIDES[int(level[k])]
        x1, y1, x2, y2 = box / stride
        down, across = _taps(y1, y2, x.shape[0]), _taps(x1, x2, x.shape[1])
        pooled[k] = across @ np.tensordot(down, x, 1)  # (7, W) by (7, W, C)
    return pooled


def _taps(low: float, high: float, length: int) -> np.ndarray:
    points = POOLED * SAMPLES
    at = low + (np.arange(points) + 0.5) * max(high - low, 1.0) / points
    share = np.maximum(1 - np.abs(at.clip(0, length - 1)[:, None] - np.arange(length)), 0)
    share[(at < -1) | (at > length)] = 0
    return np.asarray(share.reshape(POOLED, SAMPLES, length).mean(1))


def _decode(deltas: np.ndarray, at: np.ndarray, weights: np.ndarray) -> np.ndarray:
    deltas, edges = deltas / weights, at[:, 2:] - at[:, :2]
    centre = at[:, :2] + edges / 2 + deltas[:, :2] * edges
    half = edges * np.exp(np.minimum(deltas[:, 2:], LARGEST)) / 2
    return np.concatenate([centre - half, centre + half], -1)


def _conv(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """(H, W, C) by a HWIO kernel, padded by kernel // 2."""
    pad, (k, _, c_in, c_out) = kernel.shape[0] // 2, kernel.shape
    windows = sliding_window_view(np.pad(x, ((pad, pad), (pad, pad), (0, 0))), (k, k), (0, 1))[
        ::stride, ::stride
    ]
    height, width = windows.shape[:2]
    flat = windows.transpose(0, 1, 3, 4, 2).reshape(-1, k * k * c_in)
    return np.asarray((flat @ kernel.reshape(-1, c_out)).reshape(height, width, c_out))


def _biased(x: np.ndarray, weights: Arrays, name: str) -> np.ndarray:
    return np.asarray(_conv(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"])


def _norm(x: np.ndarray, weights: Arrays, name: str, preset: Preset) -> np.ndarray:
    scale = weights[f"{name}.gamma"] / np.sqrt(weights[f"{name}.moving_variance"] + preset.epsilon)
    return np.asarray((x - weights[f"{name}.moving_mean"]) * scale + weights[f"{name}.beta"])


def _dense(x: np.ndarray, weights: Arrays, *names: str) -> np.ndarray:
    """One layer, or several of the same input side by side."""
    made = [x @ weights[f"{name}.kernel"] + weights[f"{name}.bias"] for name in names]
    return np.asarray(np.concatenate(made, -1))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(x, 0))
