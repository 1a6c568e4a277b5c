"""fasterrcnn in JAX. N anchors, M proposals and objects, G objects of an image; boxes are x1, y1, x2, y2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

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
from harness.workloads.resnet50.jax import average_pool, batch_norm, bottleneck, max_pool
from harness.workloads.resnet50.jax import conv as plain_conv


class Targets(NamedTuple):
    """What each candidate is trained on: ``sampled`` at all, ``positive`` on the object ``matched``."""

    sampled: Array
    positive: Array
    matched: Array


# --- boxes ---------------------------------------------------------------------------------------


def iou(a: Array, b: Array) -> Array:  # (..., N, 4), (..., G, 4) -> (..., N, G)
    a, b = a[..., :, None, :], b[..., None, :, :]
    edges = jnp.maximum(jnp.minimum(a[..., 2:], b[..., 2:]) - jnp.maximum(a[..., :2], b[..., :2]), 0)
    shared = edges[..., 0] * edges[..., 1]
    union = area(a) + area(b) - shared
    return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1), 0)


def area(boxes: Array) -> Array:
    edges = boxes[..., 2:] - boxes[..., :2]
    return edges[..., 0] * edges[..., 1]


def encode(boxes: Array, at: Array, weights: Sequence[int]) -> Array:  # (..., 4), (..., 4) -> (..., 4)
    edges, own = at[..., 2:] - at[..., :2], boxes[..., 2:] - boxes[..., :2]
    moved = (boxes[..., :2] + own / 2) - (at[..., :2] + edges / 2)
    return jnp.concatenate([moved / edges, jnp.log(own / edges)], -1) * jnp.asarray(weights, boxes.dtype)


def decode(deltas: Array, at: Array, weights: Sequence[int]) -> Array:
    deltas, edges = deltas / jnp.asarray(weights, deltas.dtype), at[..., 2:] - at[..., :2]
    centre = at[..., :2] + edges / 2 + deltas[..., :2] * edges
    half = edges * jnp.exp(jnp.minimum(deltas[..., 2:], LARGEST)) / 2
    return jnp.concatenate([centre - half, centre + half], -1)


def at_least(boxes: Array, edge: float) -> Array:
    return ((boxes[..., 2:] - boxes[..., :2]) >= edge).all(-1)


# --- choosing ------------------------------------------------------------------------------------


def known(scores: Array) -> Array:
    """What is not a number comes last."""
    return jnp.where(jnp.isnan(scores), -jnp.inf, scores)


def ranked(scores: Array) -> Array:
    """Indices, the highest score first, of equals the lower index."""
    return jnp.argsort(scores, axis=-1, descending=True, stable=True)


def pick(values: Array, indices: Array) -> Array:  # (..., N, 4) or (..., N), (..., K)
    if values.ndim == indices.ndim:
        return jnp.take_along_axis(values, indices, -1)
    return jnp.take_along_axis(values, indices[..., None], -2)


def not_suppressed(boxes: Array, valid: Array, threshold: float) -> Array:
    """(..., K, 4), the best first, (..., K) -> (..., K): who stays where each suppresses all that it overlaps.

    Greedy suppression is the one fixed point of ``keep[j] = valid[j] and no i < j that is kept overlaps j``.
    """
    overlaps = jnp.triu(iou(boxes, boxes) > threshold, 1) & valid[..., :, None]  # [i, j]: i before j

    def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
        keep, _ = state
        return valid & ~(overlaps & keep[..., :, None]).any(-2), keep

    return lax.while_loop(lambda state: (state[0] != state[1]).any(), again, again((valid, ~valid)))[0]


def first(wanted: Array, order: Array, most: Array | int) -> Array:
    """Of the wanted ones the first ``most`` in the given order; (B, N) bool."""
    rank = jnp.argsort(jnp.argsort(jnp.where(wanted, order, order.shape[-1] + order)))
    return wanted & (rank < most)


def sample(positive: Array, negative: Array, order: Array, size: int, most: int) -> tuple[Array, Array]:
    """(positive, negative) ones that are trained on: ``size`` of an image, at most ``most`` of them positive."""
    positive = first(positive, order, most)
    return positive, first(negative, order, size - positive.sum(-1, keepdims=True))


def smooth_l1(difference: Array, beta: float) -> Array:
    size = jnp.abs(difference)
    return jnp.where(size < beta, difference * difference / (2 * beta), size - beta / 2)


# --- model ---------------------------------------------------------------------------------------


class FasterRCNN(NamedTuple):
    """What is computed of parameters and images; it holds none itself."""

    preset: Preset

    def activation(self, x: Array) -> Array:
        return jax.nn.silu(x) if self.preset.smooth else jax.nn.relu(x)

    def anchors_in(self, dtype: Any) -> list[Array]:
        return [jnp.asarray(corners, dtype) for corners in anchors(self.preset)]

    def pyramid(
        self, params: Any, moving: Any, image: Array, training: bool
    ) -> tuple[list[Array], Any]:  # (B, S, S, 3) -> (B, S / stride, S / stride, C) each
        norm = partial(batch_norm, preset=self.preset.backbone, training=training)
        pool = average_pool if self.preset.smooth else max_pool
        x, stem = norm(plain_conv(image, params["stem_conv"], 2), params["stem_bn"], moving["stem_bn"])
        x = pool(self.activation(x))
        stages: list[Array] = []
        new: list[list[Any]] = [[] for _ in self.preset.depths]
        for stage, blocks in enumerate(params["stages"]):
            for block, layers in enumerate(blocks):
                stride, old = 2 if stage > 0 and block == 0 else 1, moving["stages"][stage][block]
                x, one = bottleneck(x, layers, old, stride, norm, self.activation)
                new[stage].append(one)
            stages.append(x)
        above: Array | None = None
        levels = []
        for stage_out, lateral, merged in zip(
            stages[::-1], params["lateral"][::-1], params["merged"][::-1], strict=True
        ):
            x = conv(stage_out, lateral)
            above = x if above is None else x + above.repeat(2, 1).repeat(2, 2)
            levels.append(conv(above, merged))
        levels.reverse()
        return [*levels, levels[-1][:, ::2, ::2]], {"stem_bn": stem, "stages": new}

    def propose(self, params: Any, levels: list[Array]) -> tuple[list[Array], list[Array]]:
        """Of each level the anchors' scores (B, N) and deltas (B, N, 4), place after place, ratio after ratio."""
        scores, deltas = [], []
        for x in levels:
            x = self.activation(conv(x, params["rpn_conv"]))
            scores.append(conv(x, params["rpn_score"]).reshape(x.shape[0], -1))
            deltas.append(conv(x, params["rpn_box"]).reshape(x.shape[0], -1, 4))
        return scores, deltas

    def proposals(self, scores: list[Array], deltas: list[Array]) -> Array:  # -> (B, proposals, 4)
        preset = self.preset
        found = []
        scores, deltas = lax.stop_gradient((scores, deltas))
        for at, score, delta in zip(self.anchors_in(scores[0].dtype), scores, deltas, strict=True):
            score = known(score)
            best = ranked(score)[:, : preset.before]  # (B, K)
            boxes = decode(pick(delta, best), at[best], RPN_WEIGHTS).clip(0, preset.size)
            keep = not_suppressed(boxes, at_least(boxes, 1e-3), 0.7)
            found.append((pick(score, best), boxes, keep))
        score, boxes, keep = (jnp.concatenate(parts, 1) for parts in zip(*found, strict=True))
        order = ranked(score)
        order = pick(order, ranked(pick(keep, order)))  # the kept ones first
        return pick(boxes, order[:, : preset.proposals])

    def roi_align(self, levels: list[Array], boxes: Array) -> Array:  # (B, R, 4) -> (B, R, 7, 7, C)
        level = jnp.floor(2 + jnp.log2(jnp.sqrt(area(boxes)) / self.preset.canonical) + 1e-6).clip(0, 3)
        pooled: Array | int = 0
        for index, x in enumerate(levels[:4]):
            corners = boxes / STRIDES[index]
            across = taps(corners[..., 0], corners[..., 2], x.shape[2])  # (B, R, 7, W)
            down = taps(corners[..., 1], corners[..., 3], x.shape[1])
            down = jnp.where((level == index)[..., None, None], down, 0)
            rows = jnp.einsum("brph,bhwc->brpwc", down, x)
            pooled = pooled + jnp.einsum("brqw,brpwc->brpqc", across, rows)
        return jnp.asarray(pooled)

    def head(self, params: Any, levels: list[Array], boxes: Array) -> tuple[Array, Array]:
        """Scores (B, R, classes) and deltas (B, R, classes, 4)."""
        x = self.roi_align(levels, boxes).reshape(*boxes.shape[:2], -1)
        for name in ("fc1", "fc2"):
            x = self.activation(dense(x, params[name]))
        deltas = dense(x, params["class_box"])
        return dense(x, params["class_score"]), deltas.reshape(*boxes.shape[:2], -1, 4)


def conv(x: Array, layer: Any) -> Array:
    return plain_conv(x, layer) + layer["bias"]


def dense(x: Array, layer: Any) -> Array:
    return x @ layer["kernel"] + layer["bias"]


def taps(low: Array, high: Array, length: int) -> Array:
    """(B, R) -> (B, R, 7, length): the share of each place in each cell's mean of two points, interpolated."""
    points = POOLED * SAMPLES
    step = jnp.maximum(high - low, 1) / points  # (B, R)
    at = low[..., None] + (jnp.arange(points) + jnp.asarray(0.5, low.dtype)) * step[..., None]  # (B, R, 14)
    share = jnp.maximum(1 - jnp.abs(at.clip(0, length - 1)[..., None] - jnp.arange(length)), 0)
    share = jnp.where(((at >= -1) & (at <= length))[..., None], share, 0)  # (B, R, 14, length)
    return share.reshape(*low.shape, POOLED, SAMPLES, length).mean(3)


def model(preset: Preset) -> FasterRCNN:
    return FasterRCNN(preset)


# --- training ------------------------------------------------------------------------------------


def is_object(boxes: Array, labels: Array) -> Array:  # (B, G, 4), (B, G) -> (B, G)
    return (labels > 0) & (area(boxes) > 0)


def with_objects(found: Array, boxes: Array) -> Array:
    """The objects' own boxes are candidates too: (B, M, 4)."""
    return jnp.concatenate([found, boxes], 1)


def match_anchors(overlap: Array, valid: Array, order: Array, size: int) -> Targets:  # (B, N, G), (B, G)
    overlap = jnp.where(valid[:, None], overlap, -1)
    most, matched = overlap.max(-1), overlap.argmax(-1)  # (B, N)
    best = jnp.where(valid, overlap.max(1), 2)  # (B, G): of each object
    positive = (most >= 0.7) | (overlap == best[:, None]).any(-1)
    positive, negative = sample(positive, (most < 0.3) & ~positive, order, size, size // 2)
    return Targets(positive | negative, positive, matched)


def match_proposals(overlap: Array, valid: Array, usable: Array, order: Array, size: int) -> Targets:
    overlap = jnp.where(valid[:, None], overlap, -1)
    most, matched = overlap.max(-1), overlap.argmax(-1)
    positive, negative = sample((most >= 0.5) & usable, (most < 0.5) & usable, order, size, size // 4)
    return Targets(positive | negative, positive, matched)


def rpn_loss(
    model: FasterRCNN, scores: Array, deltas: Array, boxes: Array, valid: Array, order: Array
) -> Array:
    at = jnp.concatenate(model.anchors_in(boxes.dtype))  # (N, 4)
    targets = match_anchors(iou(at, boxes), valid, order, model.preset.sampled_anchors)
    entropy = optax.sigmoid_binary_cross_entropy(scores, targets.positive)  # (B, N)
    distance = box_distance(model, deltas, boxes, at, targets, RPN_WEIGHTS)
    return mean(entropy, targets.sampled, targets.sampled) + mean(distance, targets.positive, targets.sampled)


def head_loss(
    model: FasterRCNN, params: Any, levels: list[Array], found: Array, boxes: Array, labels: Array,
    valid: Array, order: Array,
) -> Array:  # fmt: skip
    candidates = with_objects(found, boxes)  # (B, M, 4)
    usable = jnp.concatenate([jnp.ones(found.shape[:2], bool), valid], 1)
    size = model.preset.sampled_proposals
    targets = match_proposals(iou(candidates, boxes), valid, usable, order, size)
    group = jnp.where(targets.positive, 0, jnp.where(targets.sampled, 1, 2))
    chosen = jnp.argsort(group * order.shape[-1] + order)[:, :size]  # (B, R)
    at, targets = pick(candidates, chosen), Targets(*(pick(one, chosen) for one in targets))
    scores, deltas = model.head(params, levels, at)  # (B, R, classes), (B, R, classes, 4)
    label = jnp.where(targets.positive, pick(labels, targets.matched), 0)
    entropy = optax.softmax_cross_entropy_with_integer_labels(scores, label)
    own = jnp.take_along_axis(deltas, label[..., None, None], 2)[:, :, 0]  # (B, R, 4)
    distance = box_distance(model, own, boxes, at, targets, HEAD_WEIGHTS)
    return mean(entropy, targets.sampled, targets.sampled) + mean(distance, targets.positive, targets.sampled)


def box_distance(
    model: FasterRCNN, deltas: Array, boxes: Array, at: Array, targets: Targets, weights: Sequence[int]
) -> Array:
    """(B, N): how far the deltas are from those of the matched object; of no use where there is none."""
    goal = jnp.where(targets.positive[..., None], pick(boxes, targets.matched), at)
    return smooth_l1(deltas - encode(goal, at, weights), model.preset.beta).sum(-1)


def mean(values: Array, counted: Array, among: Array) -> Array:
    return jnp.where(counted, values, 0).sum() / among.sum()


def loss(
    model: FasterRCNN, params: Any, moving: Any, image: Array, boxes: Array, labels: Array,
    anchor_order: Array, proposal_order: Array, given: Array,
) -> tuple[Array, Any]:  # fmt: skip
    valid = is_object(boxes, labels)  # (B, G)
    levels, moving = model.pyramid(params, moving, image, training=True)
    scores, deltas = model.propose(params, levels)
    found = given if model.preset.smooth else model.proposals(scores, deltas)
    of_anchors = rpn_loss(
        model, jnp.concatenate(scores, 1), jnp.concatenate(deltas, 1), boxes, valid, anchor_order
    )
    of_proposals = head_loss(model, params, levels, found, boxes, labels, valid, proposal_order)
    return of_anchors + of_proposals, moving


# --- inference -----------------------------------------------------------------------------------


def predict(model: FasterRCNN, params: Any, moving: Any, image: Array) -> tuple[Array, Array, Array]:
    p2, p3, p4, p5, p6 = backbone(model, params, moving, image)
    return roi(model, params, moving, p2, p3, p4, p5, rpn(model, params, moving, p2, p3, p4, p5, p6))


def backbone(model: FasterRCNN, params: Any, moving: Any, image: Array) -> tuple[Array, ...]:
    return tuple(model.pyramid(params, moving, image, training=False)[0])


def rpn(model: FasterRCNN, params: Any, moving: Any, *levels: Array) -> Array:
    """The five levels -> (B, proposals, 4)."""
    return model.proposals(*model.propose(params, list(levels)))


def roi(
    model: FasterRCNN, params: Any, moving: Any, p2: Array, p3: Array, p4: Array, p5: Array, found: Array
) -> tuple[Array, Array, Array]:
    """Boxes (B, D, 4), scores (B, D) and labels (B, D), the surest first; zeros where there are fewer."""
    preset, batch = model.preset, found.shape[0]
    scores, deltas = model.head(params, [p2, p3, p4, p5], found)
    scores = known(jax.nn.softmax(scores))[..., 1:].swapaxes(1, 2)  # (B, classes - 1, R)
    boxes = decode(deltas[:, :, 1:].swapaxes(1, 2), found[:, None], HEAD_WEIGHTS).clip(0, preset.size)
    order = ranked(scores)
    scores, boxes = pick(scores, order), pick(boxes, order)
    keep = not_suppressed(boxes, (scores > 0.05) & at_least(boxes, 1e-2), 0.5)
    scores = jnp.where(keep, scores, 0).reshape(batch, -1)  # (B, (classes - 1) R)
    best = ranked(scores)[:, : preset.detections]
    scores, boxes = pick(scores, best), pick(boxes.reshape(batch, -1, 4), best)
    kept, label = scores > 0, 1 + best // found.shape[1]
    return jnp.where(kept[..., None], boxes, 0), scores, jnp.where(kept, label, 0)
