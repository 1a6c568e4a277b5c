"""fasterrcnn in PyTorch. N anchors, M proposals and objects, G objects of an image; boxes are x1, y1, x2, y2."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
from harness.workloads.resnet50.torch import Backbone


class Targets(NamedTuple):
    """What each candidate is trained on: ``sampled`` at all, ``positive`` on the object ``matched``."""

    sampled: Tensor
    positive: Tensor
    matched: Tensor


# --- boxes ---------------------------------------------------------------------------------------


def iou(a: Tensor, b: Tensor) -> Tensor:  # (..., N, 4), (..., G, 4) -> (..., N, G)
    a, b = a.unsqueeze(-2), b.unsqueeze(-3)
    edges = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = edges[..., 0] * edges[..., 1]
    union = area(a) + area(b) - shared
    return torch.where(union > 0, shared / torch.where(union > 0, union, 1), 0)


def area(boxes: Tensor) -> Tensor:
    edges = boxes[..., 2:] - boxes[..., :2]
    return edges[..., 0] * edges[..., 1]


def encode(boxes: Tensor, at: Tensor, weights: Tensor) -> Tensor:  # (..., 4), (..., 4) -> (..., 4)
    edges, own = at[..., 2:] - at[..., :2], boxes[..., 2:] - boxes[..., :2]
    moved = (boxes[..., :2] + own / 2) - (at[..., :2] + edges / 2)
    return torch.cat([moved / edges, torch.log(own / edges)], -1) * weights


def decode(deltas: Tensor, at: Tensor, weights: Tensor) -> Tensor:
    deltas, edges = deltas / weights, at[..., 2:] - at[..., :2]
    centre = at[..., :2] + edges / 2 + deltas[..., :2] * edges
    half = edges * torch.exp(deltas[..., 2:].clamp(max=LARGEST)) / 2
    return torch.cat([centre - half, centre + half], -1)


def at_least(boxes: Tensor, edge: float) -> Tensor:
    return ((boxes[..., 2:] - boxes[..., :2]) >= edge).all(-1)


# --- choosing ------------------------------------------------------------------------------------


def known(scores: Tensor) -> Tensor:
    """What is not a number comes last."""
    return torch.where(scores.isnan(), -torch.inf, scores)


def ranked(scores: Tensor) -> Tensor:
    """Indices, the highest score first, of equals the lower index."""
    return scores.sort(dim=-1, descending=True, stable=True).indices


def pick(values: Tensor, indices: Tensor) -> Tensor:  # (..., N, 4) or (..., N), (..., K)
    if values.ndim == indices.ndim:
        return values.gather(-1, indices)
    return values.gather(-2, indices.unsqueeze(-1).expand(*indices.shape, values.shape[-1]))


def not_suppressed(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """(..., K, 4), the best first, (..., K) -> (..., K): who stays where each suppresses all that it overlaps.

    Greedy suppression is the one fixed point of ``keep[j] = valid[j] and no i < j that is kept overlaps j``.
    """
    overlaps = (iou(boxes, boxes) > threshold).triu(diagonal=1) & valid.unsqueeze(-1)  # [i, j]: i before j

    def again(keep: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        return valid & ~(overlaps & keep.unsqueeze(-1)).any(-2), keep.clone()

    def changed(keep: Tensor, before: Tensor) -> Tensor:
        return (keep != before).any()

    state = again(valid, ~valid)
    if torch.compiler.is_compiling():
        return torch.while_loop(changed, again, state)[0]
    while changed(*state):
        state = again(*state)
    return state[0]


def first(wanted: Tensor, order: Tensor, most: Tensor | int) -> Tensor:
    """Of the wanted ones the first ``most`` in the given order; (B, N) bool."""
    far = order.shape[-1]
    rank = torch.where(wanted, order, far + order).argsort(-1).argsort(-1)
    return wanted & (rank < most)


def sample(positive: Tensor, negative: Tensor, order: Tensor, size: int, most: int) -> tuple[Tensor, Tensor]:
    """(positive, negative) ones that are trained on: ``size`` of an image, at most ``most`` of them positive."""
    positive = first(positive, order, most)
    return positive, first(negative, order, size - positive.sum(-1, keepdim=True))


def smooth_l1(difference: Tensor, beta: float) -> Tensor:
    size = difference.abs()
    return torch.where(size < beta, difference * difference / (2 * beta), size - beta / 2)


# --- model ---------------------------------------------------------------------------------------


class FasterRCNN(Backbone):
    def __init__(self, preset: Preset) -> None:
        super().__init__(preset.backbone)
        self.preset, width = preset, preset.channels
        c_in = [preset.expansion * stage for stage in preset.widths]
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in c_in)
        self.merged = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in c_in)
        self.rpn_conv = nn.Conv2d(width, width, 3, padding=1)
        self.rpn_score = nn.Conv2d(width, len(RATIOS), 1)
        self.rpn_box = nn.Conv2d(width, 4 * len(RATIOS), 1)
        self.fc1 = nn.Linear(POOLED * POOLED * width, preset.hidden)
        self.fc2 = nn.Linear(preset.hidden, preset.hidden)
        self.class_score = nn.Linear(preset.hidden, preset.classes)
        self.class_box = nn.Linear(preset.hidden, 4 * preset.classes)
        self.activation = F.silu if preset.smooth else F.relu
        for level, corners in enumerate(anchors(preset)):
            self.register_buffer(f"anchors{level}", torch.from_numpy(corners).int(), persistent=False)
        self.register_buffer("rpn_weights", torch.tensor(RPN_WEIGHTS), persistent=False)
        self.register_buffer("head_weights", torch.tensor(HEAD_WEIGHTS), persistent=False)

    def anchors_in(self, dtype: torch.dtype) -> list[Tensor]:
        return [getattr(self, f"anchors{level}").to(dtype) for level in range(len(STRIDES))]

    def pyramid(self, image: Tensor) -> list[Tensor]:  # (B, 3, S, S) -> (B, C, S / stride, S / stride) each
        x = self.stem(image)
        stages = []
        for stage in self.stages:
            x = stage(x)
            stages.append(x)
        above = None
        levels = []
        for level in reversed(range(len(stages))):
            x = self.lateral[level](stages[level])
            above = x if above is None else x + F.interpolate(above, scale_factor=2, mode="nearest")
            levels.append(self.merged[level](above))
        levels.reverse()
        return [*levels, levels[-1][:, :, ::2, ::2]]

    def propose(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each level the anchors' scores (B, N) and deltas (B, N, 4), place after place, ratio after ratio."""
        scores, deltas = [], []
        for x in levels:
            x = self.activation(self.rpn_conv(x))
            scores.append(self.rpn_score(x).permute(0, 2, 3, 1).flatten(1))
            deltas.append(self.rpn_box(x).permute(0, 2, 3, 1).reshape(len(x), -1, 4))
        return scores, deltas

    @torch.no_grad()
    def proposals(self, scores: list[Tensor], deltas: list[Tensor]) -> Tensor:  # -> (B, proposals, 4)
        preset = self.preset
        found = []
        for at, score, delta in zip(self.anchors_in(scores[0].dtype), scores, deltas, strict=True):
            score = known(score)
            best = ranked(score)[:, : preset.before]  # (B, K)
            boxes = decode(pick(delta, best), at[best], self.rpn_weights).clamp(0, preset.size)
            keep = not_suppressed(boxes, at_least(boxes, 1e-3), 0.7)
            found.append((pick(score, best), boxes, keep))
        score, boxes, keep = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
        order = ranked(score)
        order = pick(order, ranked(pick(keep, order).int()))  # the kept ones first
        return pick(boxes, order[:, : preset.proposals])

    def roi_align(self, levels: list[Tensor], boxes: Tensor) -> Tensor:  # (B, R, 4) -> (B, R, 7, 7, C)
        level = torch.floor(2 + torch.log2(area(boxes).sqrt() / self.preset.canonical) + 1e-6).clamp(0, 3)
        pooled: Tensor | int = 0
        for index, x in enumerate(levels[:4]):
            corners = boxes / STRIDES[index]
            across = taps(corners[..., 0], corners[..., 2], x.shape[-1])  # (B, R, 7, W)
            down = taps(corners[..., 1], corners[..., 3], x.shape[-2])
            down = torch.where((level == index)[..., None, None], down, 0)
            rows = torch.einsum("brph,bchw->brpwc", down, x)
            pooled = pooled + torch.einsum("brqw,brpwc->brpqc", across, rows)
        assert isinstance(pooled, Tensor)
        return pooled

    def head(self, levels: list[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, R, classes) and deltas (B, R, classes, 4)."""
        x = self.roi_align(levels, boxes).flatten(2)
        x = self.activation(self.fc2(self.activation(self.fc1(x))))
        return self.class_score(x), self.class_box(x).unflatten(-1, (-1, 4))


def taps(low: Tensor, high: Tensor, length: int) -> Tensor:
    """(B, R) -> (B, R, 7, length): the share of each place in each cell's mean of two points, interpolated."""
    points = POOLED * SAMPLES
    step = (high - low).clamp(min=1) / points  # (B, R)
    at = low[..., None] + (torch.arange(points, device=low.device) + 0.5) * step[..., None]  # (B, R, 14)
    places = torch.arange(length, device=low.device)
    share = (1 - (at.clamp(0, length - 1)[..., None] - places).abs()).clamp(min=0)  # (B, R, 14, length)
    share = torch.where(((at >= -1) & (at <= length))[..., None], share, 0)
    return share.unflatten(2, (POOLED, SAMPLES)).mean(3)


def model(preset: Preset) -> nn.Module:
    return FasterRCNN(preset)


# --- training ------------------------------------------------------------------------------------


def is_object(boxes: Tensor, labels: Tensor) -> Tensor:  # (B, G, 4), (B, G) -> (B, G)
    return (labels > 0) & (area(boxes) > 0)


def with_objects(found: Tensor, boxes: Tensor) -> Tensor:
    """The objects' own boxes are candidates too: (B, M, 4)."""
    return torch.cat([found, boxes], 1)


def match_anchors(overlap: Tensor, valid: Tensor, order: Tensor, size: int) -> Targets:  # (B, N, G), (B, G)
    overlap = torch.where(valid[:, None], overlap, -1)
    most, matched = overlap.max(-1)  # (B, N)
    best = torch.where(valid, overlap.amax(1), 2)  # (B, G): of each object
    positive = (most >= 0.7) | (overlap == best[:, None]).any(-1)
    positive, negative = sample(positive, (most < 0.3) & ~positive, order, size, size // 2)
    return Targets(positive | negative, positive, matched)


def match_proposals(overlap: Tensor, valid: Tensor, usable: Tensor, order: Tensor, size: int) -> Targets:
    most, matched = torch.where(valid[:, None], overlap, -1).max(-1)
    positive, negative = sample((most >= 0.5) & usable, (most < 0.5) & usable, order, size, size // 4)
    return Targets(positive | negative, positive, matched)


def rpn_loss(
    model: FasterRCNN, scores: Tensor, deltas: Tensor, boxes: Tensor, valid: Tensor, order: Tensor
) -> Tensor:
    at = torch.cat(model.anchors_in(boxes.dtype))  # (N, 4)
    targets = match_anchors(iou(at, boxes), valid, order, model.preset.sampled_anchors)
    wanted = targets.positive.to(scores.dtype)
    entropy = F.binary_cross_entropy_with_logits(scores, wanted, reduction="none")  # (B, N)
    distance = box_distance(model, deltas, boxes, at, targets, model.rpn_weights)
    return mean(entropy, targets.sampled, targets.sampled) + mean(distance, targets.positive, targets.sampled)


def head_loss(
    model: FasterRCNN, levels: list[Tensor], found: Tensor, boxes: Tensor, labels: Tensor,
    valid: Tensor, order: Tensor,
) -> Tensor:  # fmt: skip
    candidates = with_objects(found, boxes)  # (B, M, 4)
    usable = torch.cat([torch.ones_like(found[..., 0], dtype=torch.bool), valid], 1)
    size = model.preset.sampled_proposals
    targets = match_proposals(iou(candidates, boxes), valid, usable, order, size)
    group = torch.where(targets.positive, 0, torch.where(targets.sampled, 1, 2))
    chosen = (group * order.shape[-1] + order).argsort(-1)[:, :size]  # (B, R)
    at, targets = pick(candidates, chosen), Targets(*(pick(one, chosen) for one in targets))
    scores, deltas = model.head(levels, at)  # (B, R, classes), (B, R, classes, 4)
    label = torch.where(targets.positive, pick(labels, targets.matched), 0)
    entropy = F.cross_entropy(scores.transpose(1, 2), label, reduction="none")
    own = deltas.gather(2, label[..., None, None].expand(-1, -1, 1, 4)).squeeze(2)  # (B, R, 4)
    distance = box_distance(model, own, boxes, at, targets, model.head_weights)
    return mean(entropy, targets.sampled, targets.sampled) + mean(distance, targets.positive, targets.sampled)


def box_distance(
    model: FasterRCNN, deltas: Tensor, boxes: Tensor, at: Tensor, targets: Targets, weights: Tensor
) -> Tensor:
    """(B, N): how far the deltas are from those of the matched object; of no use where there is none."""
    goal = torch.where(targets.positive[..., None], pick(boxes, targets.matched), at)
    return smooth_l1(deltas - encode(goal, at, weights), model.preset.beta).sum(-1)


def mean(values: Tensor, counted: Tensor, among: Tensor) -> Tensor:
    return torch.where(counted, values, 0).sum() / among.sum()


def loss(
    model: FasterRCNN, image: Tensor, boxes: Tensor, labels: Tensor, anchor_order: Tensor,
    proposal_order: Tensor, given: Tensor,
) -> Tensor:  # fmt: skip
    valid = is_object(boxes, labels)  # (B, G)
    levels = model.pyramid(image)
    scores, deltas = model.propose(levels)
    found = given if model.preset.smooth else model.proposals(scores, deltas)
    of_anchors = rpn_loss(model, torch.cat(scores, 1), torch.cat(deltas, 1), boxes, valid, anchor_order)
    return of_anchors + head_loss(model, levels, found, boxes, labels, valid, proposal_order)


# --- inference -----------------------------------------------------------------------------------


def predict(model: FasterRCNN, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p2, p3, p4, p5, p6 = backbone(model, image)
    return roi(model, p2, p3, p4, p5, rpn(model, p2, p3, p4, p5, p6))


def backbone(model: FasterRCNN, image: Tensor) -> tuple[Tensor, ...]:
    return tuple(model.pyramid(image))


def rpn(model: FasterRCNN, *levels: Tensor) -> Tensor:
    """The five levels -> (B, proposals, 4)."""
    return model.proposals(*model.propose(list(levels)))


def roi(
    model: FasterRCNN, p2: Tensor, p3: Tensor, p4: Tensor, p5: Tensor, found: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, D, 4), scores (B, D) and labels (B, D), the surest first; zeros where there are fewer."""
    preset = model.preset
    scores, deltas = model.head([p2, p3, p4, p5], found)
    scores = known(scores.softmax(-1))[..., 1:].transpose(1, 2)  # (B, classes - 1, R)
    boxes = decode(deltas[:, :, 1:].transpose(1, 2), found[:, None], model.head_weights).clamp(0, preset.size)
    order = ranked(scores)
    scores, boxes = pick(scores, order), pick(boxes, order)
    keep = not_suppressed(boxes, (scores > 0.05) & at_least(boxes, 1e-2), 0.5)
    scores = torch.where(keep, scores, 0).flatten(1)  # (B, (classes - 1) R)
    best = ranked(scores)[:, : preset.detections]
    scores, boxes = pick(scores, best), pick(boxes.flatten(1, 2), best)
    kept, label = scores > 0, 1 + best // found.shape[1]
    return torch.where(kept[..., None], boxes, 0), scores, torch.where(kept, label, 0)
