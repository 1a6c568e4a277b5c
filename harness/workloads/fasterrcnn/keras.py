"""fasterrcnn in Keras 3, the same on every backend; channels last or first, as Keras is configured.

N anchors, M proposals and objects, G objects of an image; boxes are x1, y1, x2, y2. The loss is the model's own, by
``add_loss``: it needs what is between the input and the output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from harness.workloads.fasterrcnn.preset import (
    HEAD_WEIGHTS,
    LARGEST,
    LEVELS,
    POOLED,
    RATIOS,
    RPN_WEIGHTS,
    SAMPLES,
    STRIDES,
    Preset,
    anchors,
    edges,
)
from harness.workloads.resnet50 import keras as resnet50

Tensor = Any  # the backend's own


class Targets(NamedTuple):
    """What each candidate is trained on: ``sampled`` at all, ``positive`` on the object ``matched``."""

    sampled: Tensor
    positive: Tensor
    matched: Tensor


# --- boxes ---------------------------------------------------------------------------------------


def iou(a: Tensor, b: Tensor) -> Tensor:  # (..., N, 4), (..., G, 4) -> (..., N, G)
    a, b = ops.expand_dims(a, -2), ops.expand_dims(b, -3)
    extent = ops.relu(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]))
    shared = extent[..., 0] * extent[..., 1]
    union = area(a) + area(b) - shared
    return ops.where(union > 0, shared / ops.where(union > 0, union, 1), 0)


def area(boxes: Tensor) -> Tensor:
    extent = boxes[..., 2:] - boxes[..., :2]
    return extent[..., 0] * extent[..., 1]


def encode(boxes: Tensor, at: Tensor, weights: Sequence[int]) -> Tensor:  # (..., 4), (..., 4) -> (..., 4)
    extent, own = at[..., 2:] - at[..., :2], boxes[..., 2:] - boxes[..., :2]
    moved = (boxes[..., :2] + own / 2) - (at[..., :2] + extent / 2)
    return ops.concatenate([moved / extent, ops.log(own / extent)], -1) * constant(weights, boxes)


def decode(deltas: Tensor, at: Tensor, weights: Sequence[int]) -> Tensor:
    deltas, extent = deltas / constant(weights, deltas), at[..., 2:] - at[..., :2]
    centre = at[..., :2] + extent / 2 + deltas[..., :2] * extent
    half = extent * ops.exp(ops.minimum(deltas[..., 2:], constant(LARGEST, deltas))) / 2
    return ops.concatenate([centre - half, centre + half], -1)


def at_least(boxes: Tensor, edge: float) -> Tensor:
    return ops.all((boxes[..., 2:] - boxes[..., :2]) >= edge, -1)


def constant(values: Any, like: Tensor) -> Tensor:
    """In the type of ``like``: PyTorch's ``maximum`` of float64 and a bare number would be fp32."""
    return ops.convert_to_tensor(values, keras.backend.standardize_dtype(like.dtype))


# --- choosing ------------------------------------------------------------------------------------


def known(scores: Tensor) -> Tensor:
    """What is not a number comes last."""
    return ops.where(ops.isnan(scores), constant(-math.inf, scores), scores)


def ranked(scores: Tensor) -> Tensor:
    """Indices, the highest score first, of equals the lower index."""
    return ops.argsort(-scores, -1)


def pick(values: Tensor, indices: Tensor) -> Tensor:  # (..., N, 4) or (..., N), (..., K)
    if len(values.shape) == len(indices.shape):
        return ops.take_along_axis(values, indices, -1)
    return ops.take_along_axis(values, ops.expand_dims(indices, -1), -2)


def not_suppressed(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """(..., K, 4), the best first, (..., K) -> (..., K): who stays where each suppresses all that it overlaps.

    Greedy suppression is the one fixed point of ``keep[j] = valid[j] and no i < j that is kept overlaps j``.
    """
    place = ops.arange(boxes.shape[-2])
    earlier = ops.expand_dims(place, -1) < place
    overlaps = (iou(boxes, boxes) > threshold) & earlier & ops.expand_dims(valid, -1)  # [i, j]: i before j

    def again(keep: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        return valid & ~ops.any(overlaps & ops.expand_dims(keep, -1), -2), keep

    def changed(keep: Tensor, before: Tensor) -> Tensor:
        return ops.any(ops.not_equal(keep, before))

    return ops.while_loop(changed, again, again(valid, ~valid))[0]


def first(wanted: Tensor, order: Tensor, most: Tensor | int) -> Tensor:
    """Of the wanted ones the first ``most`` in the given order; (B, N) bool."""
    rank = ops.argsort(ops.argsort(ops.where(wanted, order, order.shape[-1] + order)))
    return wanted & (rank < most)


def sample(positive: Tensor, negative: Tensor, order: Tensor, size: int, most: int) -> tuple[Tensor, Tensor]:
    """(positive, negative) ones that are trained on: ``size`` of an image, at most ``most`` of them positive."""
    positive = first(positive, order, most)
    left = size - ops.sum(ops.cast(positive, "int32"), -1, keepdims=True)
    return positive, first(negative, order, left)


def smooth_l1(difference: Tensor, beta: float) -> Tensor:
    size = ops.abs(difference)
    return ops.where(size < beta, difference * difference / (2 * beta), size - beta / 2)


# --- model ---------------------------------------------------------------------------------------


def channels_first() -> bool:
    return bool(keras.config.image_data_format() == "channels_first")


def channels_last(x: Tensor) -> Tensor:
    return ops.transpose(x, (0, 2, 3, 1)) if channels_first() else x


def pyramid(preset: Preset) -> keras.Model:
    """Image -> five levels, (B, S / stride, S / stride, C) each."""
    size, own = preset.size, preset.backbone
    image = keras.Input((3, size, size) if channels_first() else (size, size, 3))
    c_in, stages = preset.widths[0], []
    x = resnet50.norm(resnet50.conv(image, c_in, 7, 2, "stem_conv"), own, "stem_bn")
    pooling = layers.AveragePooling2D if preset.smooth else layers.MaxPooling2D
    x = pooling(3, 2)(layers.ZeroPadding2D(1)(resnet50.activation(x, own)))
    for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            x = resnet50.bottleneck(x, c_in, width, stride, own, f"stages_{stage}_{block}")
            c_in = preset.expansion * width
        stages.append(x)
    above, levels = None, []
    for level, x in reversed([*enumerate(stages)]):
        x = layers.Conv2D(preset.channels, 1, name=f"lateral_{level}")(x)
        above = x if above is None else layers.Add()([x, layers.UpSampling2D(2)(above)])
        levels.append(layers.Conv2D(preset.channels, 3, padding="same", name=f"merged_{level}")(above))
    levels.reverse()
    return keras.Model(image, [*levels, layers.MaxPooling2D(1, 2)(levels[-1])])  # every second place


class FasterRCNN(keras.Model):  # type: ignore[misc]
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset, width = preset, preset.channels
        activation = "silu" if preset.smooth else "relu"
        self.pyramid = pyramid(preset)
        self.rpn_conv = layers.Conv2D(width, 3, padding="same", activation=activation, name="rpn_conv")
        self.rpn_score = layers.Conv2D(len(RATIOS), 1, name="rpn_score")
        self.rpn_box = layers.Conv2D(4 * len(RATIOS), 1, name="rpn_box")
        self.fc1 = layers.Dense(preset.hidden, activation=activation, name="fc1")
        self.fc2 = layers.Dense(preset.hidden, activation=activation, name="fc2")
        self.class_score = layers.Dense(preset.classes, name="class_score")
        self.class_box = layers.Dense(4 * preset.classes, name="class_box")

    def build(self, input_shape: Any) -> None:
        """All layers, also those that a phase by itself does not call."""
        preset, pooled = self.preset, (None, None, POOLED * POOLED * self.preset.channels)
        level = (
            (None, preset.channels, None, None) if channels_first() else (None, None, None, preset.channels)
        )
        for layer in (self.rpn_conv, self.rpn_score, self.rpn_box):
            layer.build(level)
        self.fc1.build(pooled)
        for layer in (self.fc2, self.class_score, self.class_box):
            layer.build((None, None, preset.hidden))

    def call(self, inputs: Tensor | dict[str, Tensor], training: bool = False) -> Tensor:
        """An image alone is looked at; with its boxes, labels and orders it is trained on."""
        if not isinstance(inputs, dict):
            levels = self.pyramid(inputs, training=False)
            return self.detect(levels, self.proposals(*self.propose(levels)))
        boxes, labels = inputs["boxes"], inputs["labels"]
        valid = is_object(boxes, labels)  # (B, G)
        levels = self.pyramid(inputs["image"], training=training)
        scores, deltas = self.propose(levels)
        found = inputs["given"] if self.preset.smooth else self.proposals(scores, deltas)
        of_anchors = self.rpn_loss(scores, deltas, boxes, valid, inputs["anchor_order"])
        of_proposals = self.head_loss(levels, found, boxes, labels, valid, inputs["proposal_order"])
        self.add_loss(of_anchors + of_proposals)
        return found

    def anchors_in(self, like: Tensor) -> list[Tensor]:
        return [constant(corners, like) for corners in anchors(self.preset)]

    def propose(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each level the anchors' scores (B, N) and deltas (B, N, 4), place after place, ratio after ratio."""
        scores, deltas = [], []
        for x, edge in zip(levels, edges(self.preset), strict=True):
            x, count = self.rpn_conv(x), len(RATIOS) * edge * edge
            scores.append(ops.reshape(channels_last(self.rpn_score(x)), (-1, count)))
            deltas.append(ops.reshape(channels_last(self.rpn_box(x)), (-1, count, 4)))
        return scores, deltas

    def proposals(self, scores: list[Tensor], deltas: list[Tensor]) -> Tensor:
        """-> (B, proposals, 4), through which no gradient goes."""
        preset, found = self.preset, []
        for at, score, delta in zip(self.anchors_in(scores[0]), scores, deltas, strict=True):
            score, delta = ops.stop_gradient(known(score)), ops.stop_gradient(delta)
            best = ranked(score)[:, : preset.before]  # (B, K)
            boxes = ops.clip(decode(pick(delta, best), ops.take(at, best, 0), RPN_WEIGHTS), 0, preset.size)
            keep = not_suppressed(boxes, at_least(boxes, 1e-3), 0.7)
            found.append((pick(score, best), boxes, keep))
        score, boxes, keep = (ops.concatenate(parts, 1) for parts in zip(*found, strict=True))
        order = ranked(score)
        order = pick(order, ranked(ops.cast(pick(keep, order), "int32")))  # the kept ones first
        return pick(boxes, order[:, : preset.proposals])

    def roi_align(self, levels: list[Tensor], boxes: Tensor) -> Tensor:  # (B, R, 4) -> (B, R, 7, 7, C)
        ratio = ops.sqrt(area(boxes)) / self.preset.canonical
        level = ops.clip(ops.floor(2 + ops.log2(ratio) + 1e-6), 0, 3)
        pooled: Tensor = 0
        for index, (x, edge) in enumerate(zip(levels[:4], edges(self.preset), strict=False)):
            corners = boxes / STRIDES[index]
            across = taps(corners[..., 0], corners[..., 2], edge)  # (B, R, 7, W)
            down = taps(corners[..., 1], corners[..., 3], edge)
            down = ops.where(ops.equal(level, index)[..., None, None], down, 0)
            rows = ops.einsum("brph,bhwc->brpwc", down, channels_last(x))
            pooled = pooled + ops.einsum("brqw,brpwc->brpqc", across, rows)
        return pooled

    def head(self, levels: list[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, R, classes) and deltas (B, R, classes, 4)."""
        preset, looked_at = self.preset, boxes.shape[1]
        x = ops.reshape(self.roi_align(levels, boxes), (-1, looked_at, POOLED * POOLED * preset.channels))
        x = self.fc2(self.fc1(x))
        return self.class_score(x), ops.reshape(self.class_box(x), (-1, looked_at, preset.classes, 4))

    # --- training --------------------------------------------------------------------------------

    def rpn_loss(
        self, scores: list[Tensor], deltas: list[Tensor], boxes: Tensor, valid: Tensor, order: Tensor
    ) -> Tensor:
        at = ops.concatenate(self.anchors_in(boxes), 0)  # (N, 4)
        targets = match_anchors(iou(at, boxes), valid, order, self.preset.sampled_anchors)
        score, delta = ops.concatenate(scores, 1), ops.concatenate(deltas, 1)  # (B, N), (B, N, 4)
        wanted = ops.cast(targets.positive, keras.backend.standardize_dtype(score.dtype))
        entropy = ops.binary_crossentropy(wanted, score, from_logits=True)
        distance = self.box_distance(delta, boxes, at, targets, RPN_WEIGHTS)
        return mean(entropy, targets.sampled, targets.sampled) + mean(
            distance, targets.positive, targets.sampled
        )

    def head_loss(
        self, levels: list[Tensor], found: Tensor, boxes: Tensor, labels: Tensor, valid: Tensor, order: Tensor
    ) -> Tensor:
        candidates = with_objects(found, boxes)  # (B, M, 4)
        usable = ops.concatenate([ops.ones_like(found[..., 0], "bool"), valid], 1)
        count, size = order.shape[-1], self.preset.sampled_proposals
        targets = match_proposals(iou(candidates, boxes), valid, usable, order, size)
        others = ops.where(targets.sampled, order + count, order + 2 * count)
        chosen = ops.argsort(ops.where(targets.positive, order, others))[:, :size]  # (B, R)
        at, targets = pick(candidates, chosen), Targets(*(pick(one, chosen) for one in targets))
        scores, deltas = self.head(levels, at)  # (B, R, classes), (B, R, classes, 4)
        label = ops.where(targets.positive, pick(labels, targets.matched), 0)
        entropy = ops.sparse_categorical_crossentropy(label, scores, from_logits=True)
        own = ops.take_along_axis(deltas, label[..., None, None], 2)[:, :, 0]  # (B, R, 4)
        distance = self.box_distance(own, boxes, at, targets, HEAD_WEIGHTS)
        return mean(entropy, targets.sampled, targets.sampled) + mean(
            distance, targets.positive, targets.sampled
        )

    def box_distance(
        self, deltas: Tensor, boxes: Tensor, at: Tensor, targets: Targets, weights: Sequence[int]
    ) -> Tensor:
        """(B, N): how far the deltas are from those of the matched object; of no use where there is none."""
        goal = ops.where(ops.expand_dims(targets.positive, -1), pick(boxes, targets.matched), at)
        return ops.sum(smooth_l1(deltas - encode(goal, at, weights), self.preset.beta), -1)

    # --- inference -------------------------------------------------------------------------------

    def detect(self, levels: list[Tensor], found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (B, D, 4), scores (B, D) and labels (B, D), the surest first; zeros where there are fewer."""
        preset = self.preset
        scores, deltas = self.head(levels, found)
        scores = ops.swapaxes(known(ops.softmax(scores))[..., 1:], 1, 2)  # (B, classes - 1, R)
        boxes = decode(ops.swapaxes(deltas[:, :, 1:], 1, 2), found[:, None], HEAD_WEIGHTS)
        order, boxes = ranked(scores), ops.clip(boxes, 0, preset.size)
        scores, boxes = pick(scores, order), pick(boxes, order)
        keep = not_suppressed(boxes, (scores > 0.05) & at_least(boxes, 1e-2), 0.5)
        count = (preset.classes - 1) * preset.proposals
        scores = ops.reshape(ops.where(keep, scores, 0), (-1, count))
        best = ranked(scores)[:, : preset.detections]
        scores, boxes = pick(scores, best), pick(ops.reshape(boxes, (-1, count, 4)), best)
        kept, label = scores > 0, 1 + best // preset.proposals
        return ops.where(ops.expand_dims(kept, -1), boxes, 0), scores, ops.where(kept, label, 0)


def taps(low: Tensor, high: Tensor, length: int) -> Tensor:
    """(B, R) -> (B, R, 7, length): the share of each place in each cell's mean of two points, interpolated."""
    points = POOLED * SAMPLES
    step = ops.maximum(high - low, constant(1, low)) / points  # (B, R)
    halves = constant([point + 0.5 for point in range(points)], low)
    at = low[..., None] + halves * step[..., None]  # (B, R, 14)
    places = ops.arange(0, length, dtype=keras.backend.standardize_dtype(low.dtype))
    share = ops.relu(1 - ops.abs(ops.clip(at, 0, length - 1)[..., None] - places))
    share = ops.where(((at >= -1) & (at <= length))[..., None], share, 0)  # (B, R, 14, length)
    return ops.mean(ops.reshape(share, (-1, low.shape[1], POOLED, SAMPLES, length)), 3)


def is_object(boxes: Tensor, labels: Tensor) -> Tensor:  # (B, G, 4), (B, G) -> (B, G)
    return (labels > 0) & (area(boxes) > 0)


def with_objects(found: Tensor, boxes: Tensor) -> Tensor:
    """The objects' own boxes are candidates too: (B, M, 4)."""
    return ops.concatenate([found, boxes], 1)


def match_anchors(overlap: Tensor, valid: Tensor, order: Tensor, size: int) -> Targets:  # (B, N, G), (B, G)
    overlap = ops.where(valid[:, None], overlap, -1)
    most, matched = ops.max(overlap, -1), ops.argmax(overlap, -1)  # (B, N)
    best = ops.where(valid, ops.max(overlap, 1), 2)  # (B, G): of each object
    positive = (most >= 0.7) | ops.any(ops.equal(overlap, best[:, None]), -1)
    positive, negative = sample(positive, (most < 0.3) & ~positive, order, size, size // 2)
    return Targets(positive | negative, positive, matched)


def match_proposals(overlap: Tensor, valid: Tensor, usable: Tensor, order: Tensor, size: int) -> Targets:
    overlap = ops.where(valid[:, None], overlap, -1)
    most, matched = ops.max(overlap, -1), ops.argmax(overlap, -1)
    positive, negative = sample((most >= 0.5) & usable, (most < 0.5) & usable, order, size, size // 4)
    return Targets(positive | negative, positive, matched)


def mean(values: Tensor, counted: Tensor, among: Tensor) -> Tensor:
    number = ops.sum(ops.cast(among, keras.backend.standardize_dtype(values.dtype)))
    return ops.sum(ops.where(counted, values, 0)) / number


def model(preset: Preset) -> FasterRCNN:
    return FasterRCNN(preset)


# --- phases: the same layers, each called by itself ----------------------------------------------


class Backbone(FasterRCNN):
    def call(self, inputs: Tensor, training: bool = False) -> tuple[Tensor, ...]:
        return tuple(self.pyramid(inputs, training=training))


class RegionProposals(FasterRCNN):
    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:  # -> (B, proposals, 4)
        return self.proposals(*self.propose([inputs[name] for name in LEVELS]))


class SecondStage(FasterRCNN):
    def call(self, inputs: dict[str, Tensor], training: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        return self.detect([inputs[name] for name in LEVELS[:4]], inputs["found"])


def backbone(preset: Preset) -> Backbone:
    return Backbone(preset)


def rpn(preset: Preset) -> RegionProposals:
    return RegionProposals(preset)


def roi(preset: Preset) -> SecondStage:
    return SecondStage(preset)


def loss() -> None:
    """The model adds its own."""
