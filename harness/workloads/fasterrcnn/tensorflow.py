"""fasterrcnn in TensorFlow. N anchors, M proposals and objects, G objects of an image; boxes are x1, y1, x2, y2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from harness.workloads.fasterrcnn.preset import (
    HEAD_WEIGHTS,
    LARGEST,
    POOLED,
    RATIOS,
    RPN_WEIGHTS,
    SAMPLES,
    STRIDES,
    Preset,
    anchors,
)
from harness.workloads.resnet50.tensorflow import UNBIASED_VARIANCE as UNBIASED_VARIANCE
from harness.workloads.resnet50.tensorflow import Backbone, Dense
from harness.workloads.resnet50.tensorflow import Conv as PlainConv


class Targets(NamedTuple):
    """What each candidate is trained on: ``sampled`` at all, ``positive`` on the object ``matched``."""

    sampled: tf.Tensor
    positive: tf.Tensor
    matched: tf.Tensor


# --- boxes ---------------------------------------------------------------------------------------


def iou(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:  # (..., N, 4), (..., G, 4) -> (..., N, G)
    a, b = a[..., None, :], b[..., None, :, :]
    edges = tf.maximum(tf.minimum(a[..., 2:], b[..., 2:]) - tf.maximum(a[..., :2], b[..., :2]), 0)
    shared = edges[..., 0] * edges[..., 1]
    return tf.math.divide_no_nan(shared, area(a) + area(b) - shared)


def area(boxes: tf.Tensor) -> tf.Tensor:
    edges = boxes[..., 2:] - boxes[..., :2]
    return edges[..., 0] * edges[..., 1]


def encode(
    boxes: tf.Tensor, at: tf.Tensor, weights: Sequence[int]
) -> tf.Tensor:  # (..., 4), (..., 4) -> (..., 4)
    edges, own = at[..., 2:] - at[..., :2], boxes[..., 2:] - boxes[..., :2]
    moved = (boxes[..., :2] + own / 2) - (at[..., :2] + edges / 2)
    return tf.concat([moved / edges, tf.math.log(own / edges)], -1) * tf.constant(weights, boxes.dtype)


def decode(deltas: tf.Tensor, at: tf.Tensor, weights: Sequence[int]) -> tf.Tensor:
    deltas, edges = deltas / tf.constant(weights, deltas.dtype), at[..., 2:] - at[..., :2]
    centre = at[..., :2] + edges / 2 + deltas[..., :2] * edges
    half = edges * tf.exp(tf.minimum(deltas[..., 2:], LARGEST)) / 2
    return tf.concat([centre - half, centre + half], -1)


def at_least(boxes: tf.Tensor, edge: float) -> tf.Tensor:
    return tf.reduce_all((boxes[..., 2:] - boxes[..., :2]) >= edge, -1)


# --- choosing ------------------------------------------------------------------------------------


def known(scores: tf.Tensor) -> tf.Tensor:
    """What is not a number comes last."""
    return tf.where(tf.math.is_nan(scores), tf.constant(-math.inf, scores.dtype), scores)


def ranked(scores: tf.Tensor) -> tf.Tensor:
    """Indices, the highest score first, of equals the lower index."""
    return tf.argsort(scores, direction="DESCENDING", stable=True)


def pick(values: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:  # (..., N, 4) or (..., N), (..., K)
    return tf.gather(values, indices, batch_dims=indices.shape.rank - 1)


def not_suppressed(boxes: tf.Tensor, valid: tf.Tensor, threshold: float) -> tf.Tensor:
    """(..., K, 4), the best first, (..., K) -> (..., K): who stays where each suppresses all that it overlaps.

    Greedy suppression is the one fixed point of ``keep[j] = valid[j] and no i < j that is kept overlaps j``.
    """
    place = tf.range(boxes.shape[-2])
    overlaps = (
        (iou(boxes, boxes) > threshold) & (place[:, None] < place) & valid[..., None]
    )  # [i, j]: i before j

    def again(keep: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return valid & ~tf.reduce_any(overlaps & keep[..., None], -2), keep

    return tf.while_loop(lambda keep, before: tf.reduce_any(keep != before), again, again(valid, ~valid))[0]


def first(wanted: tf.Tensor, order: tf.Tensor, most: tf.Tensor | int) -> tf.Tensor:
    """Of the wanted ones the first ``most`` in the given order; (B, N) bool."""
    rank = tf.argsort(tf.argsort(tf.where(wanted, order, order.shape[-1] + order)))
    return wanted & (rank < most)


def sample(
    positive: tf.Tensor, negative: tf.Tensor, order: tf.Tensor, size: int, most: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """(positive, negative) ones that are trained on: ``size`` of an image, at most ``most`` of them positive."""
    positive = first(positive, order, most)
    return positive, first(
        negative, order, size - tf.reduce_sum(tf.cast(positive, tf.int32), -1, keepdims=True)
    )


def smooth_l1(difference: tf.Tensor, beta: float) -> tf.Tensor:
    size = tf.abs(difference)
    return tf.where(size < beta, difference * difference / (2 * beta), size - beta / 2)


# --- model ---------------------------------------------------------------------------------------


class Conv(PlainConv):
    """With a bias."""

    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        super().__init__(c_in, c_out, kernel)
        self.bias = tf.Variable(tf.zeros((c_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, H, W, c_in) -> (B, H, W, c_out)
        return super().__call__(x) + self.bias


class FasterRCNN(Backbone):
    def __init__(self, preset: Preset) -> None:
        super().__init__(preset.backbone)
        self.preset, width = preset, preset.channels
        c_in = [preset.expansion * stage for stage in preset.widths]
        self.lateral = [Conv(channels, width, 1) for channels in c_in]
        self.merged = [Conv(width, width, 3) for _ in c_in]
        self.rpn_conv = Conv(width, width, 3)
        self.rpn_score, self.rpn_box = Conv(width, len(RATIOS), 1), Conv(width, 4 * len(RATIOS), 1)
        self.fc1 = Dense(POOLED * POOLED * width, preset.hidden)
        self.fc2 = Dense(preset.hidden, preset.hidden)
        self.class_score = Dense(preset.hidden, preset.classes)
        self.class_box = Dense(preset.hidden, 4 * preset.classes)

    def anchors_in(self, dtype: tf.DType) -> list[tf.Tensor]:
        return [tf.constant(corners, dtype) for corners in anchors(self.preset)]

    def pyramid(self, image: tf.Tensor, training: bool) -> list[tf.Tensor]:
        """(B, S, S, 3) -> (B, S / stride, S / stride, C) each"""
        x = self.stem(image, training)
        stages = []
        for stage in self.stages:
            for block in stage:
                x = block(x, training)
            stages.append(x)
        above, levels = None, []
        for stage, lateral, merged in zip(stages[::-1], self.lateral[::-1], self.merged[::-1], strict=True):
            x = lateral(stage)
            above = x if above is None else x + tf.repeat(tf.repeat(above, 2, 1), 2, 2)
            levels.append(merged(above))
        levels.reverse()
        return [*levels, levels[-1][:, ::2, ::2]]

    def propose(self, levels: list[tf.Tensor]) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Of each level the anchors' scores (B, N) and deltas (B, N, 4), place after place, ratio after ratio."""
        scores, deltas = [], []
        for x in levels:
            x, count = self.act(self.rpn_conv(x)), len(RATIOS) * x.shape[1] * x.shape[2]
            scores.append(tf.reshape(self.rpn_score(x), (-1, count)))
            deltas.append(tf.reshape(self.rpn_box(x), (-1, count, 4)))
        return scores, deltas

    def proposals(self, scores: list[tf.Tensor], deltas: list[tf.Tensor]) -> tf.Tensor:
        """-> (B, proposals, 4), through which no gradient goes."""
        preset, found = self.preset, []
        for at, score, delta in zip(self.anchors_in(scores[0].dtype), scores, deltas, strict=True):
            score, delta = tf.stop_gradient(known(score)), tf.stop_gradient(delta)
            best = ranked(score)[:, : preset.before]  # (B, K)
            boxes = decode(pick(delta, best), tf.gather(at, best), RPN_WEIGHTS)
            boxes = tf.clip_by_value(boxes, 0, preset.size)
            keep = not_suppressed(boxes, at_least(boxes, 1e-3), 0.7)
            found.append((pick(score, best), boxes, keep))
        score, boxes, keep = (tf.concat(parts, 1) for parts in zip(*found, strict=True))
        order = ranked(score)
        order = pick(order, ranked(tf.cast(pick(keep, order), tf.int32)))  # the kept ones first
        return tf.stop_gradient(pick(boxes, order[:, : preset.proposals]))

    def roi_align(
        self, levels: list[tf.Tensor], boxes: tf.Tensor
    ) -> tf.Tensor:  # (B, R, 4) -> (B, R, 7, 7, C)
        ratio = tf.sqrt(area(boxes)) / self.preset.canonical
        level = tf.clip_by_value(tf.floor(2 + tf.math.log(ratio) / math.log(2) + 1e-6), 0, 3)
        pooled: tf.Tensor | int = 0
        for index, x in enumerate(levels[:4]):
            corners = boxes / STRIDES[index]
            across = taps(corners[..., 0], corners[..., 2], x.shape[2])  # (B, R, 7, W)
            down = taps(corners[..., 1], corners[..., 3], x.shape[1])
            down = tf.where((level == index)[..., None, None], down, 0)
            rows = tf.einsum("brph,bhwc->brpwc", down, x)
            pooled = pooled + tf.einsum("brqw,brpwc->brpqc", across, rows)
        return pooled

    def head(self, levels: list[tf.Tensor], boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores (B, R, classes) and deltas (B, R, classes, 4)."""
        preset, looked_at = self.preset, boxes.shape[1]
        x = tf.reshape(self.roi_align(levels, boxes), (-1, POOLED * POOLED * preset.channels))
        x = self.act(self.fc2(self.act(self.fc1(x))))
        scores, deltas = self.class_score(x), self.class_box(x)
        return tf.reshape(scores, (-1, looked_at, preset.classes)), tf.reshape(
            deltas, (-1, looked_at, preset.classes, 4)
        )


def taps(low: tf.Tensor, high: tf.Tensor, length: int) -> tf.Tensor:
    """(B, R) -> (B, R, 7, length): the share of each place in each cell's mean of two points, interpolated."""
    points, dtype = POOLED * SAMPLES, low.dtype
    step = tf.maximum(high - low, 1) / points  # (B, R)
    at = low[..., None] + (tf.range(points, dtype=dtype) + 0.5) * step[..., None]  # (B, R, 14)
    places = tf.range(length, dtype=dtype)
    share = tf.maximum(1 - tf.abs(tf.clip_by_value(at, 0, length - 1)[..., None] - places), 0)
    share = tf.where(((at >= -1) & (at <= length))[..., None], share, 0)  # (B, R, 14, length)
    return tf.reduce_mean(tf.reshape(share, (-1, low.shape[1], POOLED, SAMPLES, length)), 3)


def model(preset: Preset) -> tf.Module:
    return FasterRCNN(preset)


# --- training ------------------------------------------------------------------------------------


def is_object(boxes: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:  # (B, G, 4), (B, G) -> (B, G)
    return (labels > 0) & (area(boxes) > 0)


def with_objects(found: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """The objects' own boxes are candidates too: (B, M, 4)."""
    return tf.concat([found, boxes], 1)


def match_anchors(
    overlap: tf.Tensor, valid: tf.Tensor, order: tf.Tensor, size: int
) -> Targets:  # (B, N, G), (B, G)
    overlap = tf.where(valid[:, None], overlap, -1)
    most, matched = tf.reduce_max(overlap, -1), tf.argmax(overlap, -1)  # (B, N)
    best = tf.where(valid, tf.reduce_max(overlap, 1), 2)  # (B, G): of each object
    positive = (most >= 0.7) | tf.reduce_any(overlap == best[:, None], -1)
    positive, negative = sample(positive, (most < 0.3) & ~positive, order, size, size // 2)
    return Targets(positive | negative, positive, matched)


def match_proposals(
    overlap: tf.Tensor, valid: tf.Tensor, usable: tf.Tensor, order: tf.Tensor, size: int
) -> Targets:
    overlap = tf.where(valid[:, None], overlap, -1)
    most, matched = tf.reduce_max(overlap, -1), tf.argmax(overlap, -1)
    positive, negative = sample((most >= 0.5) & usable, (most < 0.5) & usable, order, size, size // 4)
    return Targets(positive | negative, positive, matched)


def rpn_loss(
    model: FasterRCNN,
    scores: tf.Tensor,
    deltas: tf.Tensor,
    boxes: tf.Tensor,
    valid: tf.Tensor,
    order: tf.Tensor,
) -> tf.Tensor:
    at = tf.concat(model.anchors_in(boxes.dtype), 0)  # (N, 4)
    targets = match_anchors(iou(at, boxes), valid, order, model.preset.sampled_anchors)
    wanted = tf.cast(targets.positive, scores.dtype)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(wanted, scores)  # (B, N)
    distance = box_distance(model, deltas, boxes, at, targets, RPN_WEIGHTS)
    return mean(entropy, targets.sampled, targets.sampled) + mean(distance, targets.positive, targets.sampled)


def head_loss(
    model: FasterRCNN, levels: list[tf.Tensor], found: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor,
    valid: tf.Tensor, order: tf.Tensor,
) -> tf.Tensor:  # fmt: skip
    candidates = with_objects(found, boxes)  # (B, M, 4)
    usable = tf.concat([tf.ones(found.shape[:2], tf.bool), valid], 1)
    size = model.preset.sampled_proposals
    targets = match_proposals(iou(candidates, boxes), valid, usable, order, size)
    group = tf.where(targets.positive, 0, tf.where(targets.sampled, 1, 2))
    group = tf.cast(group, order.dtype)
    chosen = tf.argsort(group * order.shape[-1] + order)[:, :size]  # (B, R)
    at, targets = pick(candidates, chosen), Targets(*(pick(one, chosen) for one in targets))
    scores, deltas = model.head(levels, at)  # (B, R, classes), (B, R, classes, 4)
    label = tf.where(targets.positive, pick(labels, targets.matched), 0)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(label, scores)
    own = tf.gather(deltas, label, batch_dims=2)  # (B, R, 4)
    distance = box_distance(model, own, boxes, at, targets, HEAD_WEIGHTS)
    return mean(entropy, targets.sampled, targets.sampled) + mean(distance, targets.positive, targets.sampled)


def box_distance(
    model: FasterRCNN,
    deltas: tf.Tensor,
    boxes: tf.Tensor,
    at: tf.Tensor,
    targets: Targets,
    weights: Sequence[int],
) -> tf.Tensor:
    """(B, N): how far the deltas are from those of the matched object; of no use where there is none."""
    goal = tf.where(targets.positive[..., None], pick(boxes, targets.matched), at)
    return tf.reduce_sum(smooth_l1(deltas - encode(goal, at, weights), model.preset.beta), -1)


def mean(values: tf.Tensor, counted: tf.Tensor, among: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.where(counted, values, 0)) / tf.reduce_sum(tf.cast(among, values.dtype))


def loss(
    model: FasterRCNN, image: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor, anchor_order: tf.Tensor,
    proposal_order: tf.Tensor, given: tf.Tensor,
) -> tf.Tensor:  # fmt: skip
    valid = is_object(boxes, labels)  # (B, G)
    levels = model.pyramid(image, training=True)
    scores, deltas = model.propose(levels)
    found = given if model.preset.smooth else model.proposals(scores, deltas)
    of_anchors = rpn_loss(model, tf.concat(scores, 1), tf.concat(deltas, 1), boxes, valid, anchor_order)
    return of_anchors + head_loss(model, levels, found, boxes, labels, valid, proposal_order)


# --- inference -----------------------------------------------------------------------------------


def predict(model: FasterRCNN, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    p2, p3, p4, p5, p6 = backbone(model, image)
    return roi(model, p2, p3, p4, p5, rpn(model, p2, p3, p4, p5, p6))


def backbone(model: FasterRCNN, image: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(model.pyramid(image, training=False))


def rpn(model: FasterRCNN, *levels: tf.Tensor) -> tf.Tensor:
    """The five levels -> (B, proposals, 4)."""
    return model.proposals(*model.propose(list(levels)))


def roi(
    model: FasterRCNN, p2: tf.Tensor, p3: tf.Tensor, p4: tf.Tensor, p5: tf.Tensor, found: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Boxes (B, D, 4), scores (B, D) and labels (B, D), the surest first; zeros where there are fewer."""
    preset = model.preset
    scores, deltas = model.head([p2, p3, p4, p5], found)
    scores = tf.transpose(known(tf.nn.softmax(scores))[..., 1:], (0, 2, 1))  # (B, classes - 1, R)
    boxes = decode(tf.transpose(deltas[:, :, 1:], (0, 2, 1, 3)), found[:, None], HEAD_WEIGHTS)
    boxes = tf.clip_by_value(boxes, 0, preset.size)
    order = ranked(scores)
    scores, boxes = pick(scores, order), pick(boxes, order)
    keep = not_suppressed(boxes, (scores > 0.05) & at_least(boxes, 1e-2), 0.5)
    count = (preset.classes - 1) * preset.proposals
    scores = tf.reshape(tf.where(keep, scores, 0), (-1, count))
    best = ranked(scores)[:, : preset.detections]
    scores, boxes = pick(scores, best), pick(tf.reshape(boxes, (-1, count, 4)), best)
    kept, label = scores > 0, 1 + best // found.shape[1]
    return tf.where(kept[..., None], boxes, 0), scores, tf.where(kept, label, 0)
