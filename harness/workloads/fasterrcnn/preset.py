"""The sizes of fasterrcnn and the anchors that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from harness.workloads.resnet50 import spec as resnet50

RATIOS = (0.5, 1.0, 2.0)  # height over width of the anchors at each place
STRIDES = (4, 8, 16, 32, 64)  # pixels per place of each level; the last one only proposes
POOLED, SAMPLES = 7, 2  # cells of a proposal, points in each, in either direction
RPN_WEIGHTS, HEAD_WEIGHTS = (1, 1, 1, 1), (10, 10, 5, 5)  # what dx, dy, dw, dh are multiplied by
LARGEST = math.log(1000 / 16)  # of dw, dh


class Preset(NamedTuple):
    size: int  # the image is (size, size, 3)
    depths: tuple[int, ...]  # of the backbone, as in resnet50
    widths: tuple[int, ...]
    channels: int  # of the pyramid
    hidden: int  # units of the two dense layers of the head
    classes: int  # 0 is the background
    anchors: tuple[int, ...]  # edge of a square anchor on each level
    objects: int  # boxes that an image has at most; the others are zero
    before: int  # proposals of a level, the best ones, before overlapping ones are suppressed
    proposals: int  # of an image
    sampled_anchors: int  # of an image that are trained on, at most half of them on an object
    sampled_proposals: int  # of an image that are trained on, at most a quarter of them on an object
    detections: int  # of an image
    batches: int  # different ones, then from the first again
    canonical: int  # an object of this edge is looked at on the third of the four levels
    expansion: int = 4
    epsilon: float = 1e-5  # of BatchNorm
    momentum: float = 0.9
    beta: float = 1 / 9  # where smooth L1 turns from a square into a line
    trained: bool = False  # starts from stored weights, which find what is on the images
    smooth: bool = False  # SiLU and average pooling; the head is trained on given proposals (gate only)

    @property
    def backbone(self) -> resnet50.Preset:
        """The same numbers as resnet50 has them; its classifier is not used."""
        same = (self.size, self.depths, self.widths, self.classes)
        return resnet50.Preset(*same, self.expansion, self.epsilon, self.momentum, self.smooth)

    @property
    def places(self) -> int:
        """Anchors of an image."""
        return len(RATIOS) * sum(edge**2 for edge in edges(self))

    @property
    def edge2(self) -> int:
        """Edge of level p2, and so on."""
        return edges(self)[0]

    @property
    def edge3(self) -> int:
        return edges(self)[1]

    @property
    def edge4(self) -> int:
        return edges(self)[2]

    @property
    def edge5(self) -> int:
        return edges(self)[3]

    @property
    def edge6(self) -> int:
        return edges(self)[4]

    @property
    def candidates(self) -> int:
        """What proposals are sampled from: the objects themselves are among them."""
        return self.proposals + self.objects


LEVELS = tuple(f"p{index + 2}" for index in range(len(STRIDES)))  # of the pyramid, as the field calls them


def edges(preset: Preset) -> list[int]:
    """Edge of each level of the pyramid."""
    return [preset.size // stride for stride in STRIDES]


def anchors(preset: Preset) -> Iterator[np.ndarray]:
    """(edge * edge * 3, 4) float64 corners x1, y1, x2, y2 on each level: place after place, ratio after ratio.

    Whole numbers: the corners around the origin are rounded, half to even, and shifted by multiples of the stride.
    """
    for edge, stride, length in zip(edges(preset), STRIDES, preset.anchors, strict=True):
        heights = np.sqrt(RATIOS)
        half = np.stack([length / heights, length * heights], -1) / 2  # (3, 2): width and height
        base = np.round(np.concatenate([-half, half], -1))
        x, y = np.meshgrid(np.arange(edge) * stride, np.arange(edge) * stride)
        shifts = np.stack([x, y, x, y], -1).reshape(-1, 1, 4)
        yield (shifts + base).reshape(-1, 4).astype(np.float64)
