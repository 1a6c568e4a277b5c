"""What detectors are known to differ in, asked of every stack's own functions, one pitfall after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness import workloads
from harness.workloads.fasterrcnn import evaluation, preset
from tests.integration.test_gate_frameworks import PLAINEST, Process, Started

pytestmark = pytest.mark.frameworks
SMOKE = workloads.get("fasterrcnn").presets["smoke"]
NEAR = 1e-5


@pytest.fixture(scope="module", params=PLAINEST, ids=lambda contender: contender.slug)
def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    made = Process(Started(request.param), tmp_path_factory.mktemp("detection"))
    yield made
    made.stop()


def ask(process: Process, function: str, *arguments: Any) -> Any:
    given = [one.tolist() if isinstance(one, np.ndarray) else one for one in arguments]
    parts = process.ask(call=("fasterrcnn", function), arguments=given)["parts"]
    arrays = [np.asarray(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else arrays


def random_boxes(count: int, seed: int, size: float = 60.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    corner = draw.uniform(0, size - 12, (count, 2))
    return np.concatenate([corner, corner + draw.uniform(2, 12, (count, 2))], -1).astype(np.float32)


def test_iou_of_disjoint_touching_and_empty_boxes(process: Process) -> None:
    a = np.array([[0, 0, 10, 10], [0, 0, 0, 0], [10, 0, 20, 10]], float)
    b = np.array([[0, 5, 10, 15], [0, 0, 0, 0]], float)
    assert ask(process, "iou", a, b) == pytest.approx(np.array([[1 / 3, 0], [0, 0], [0, 0]]))


def test_suppression_is_greedy_and_only_above_the_threshold(process: Process) -> None:
    chain = np.array([[[0, 0, 10, 10], [0, 3, 10, 13], [0, 6, 10, 16], [0, 9, 10, 19]]], float)
    all_valid = np.ones((1, 4), bool)
    assert ask(process, "not_suppressed", chain, all_valid, 0.5).tolist() == [[True, False, True, False]]
    half = np.array([[[0, 0, 10, 10], [0, 0, 10, 5]]], float)  # IoU exactly 1/2
    assert ask(process, "not_suppressed", half, np.ones((1, 2), bool), 0.5).tolist() == [[True, True]]
    invalid_first = np.array([[False, True, True, True]])
    assert ask(process, "not_suppressed", chain, invalid_first, 0.5).tolist() == [[False, True, False, True]]


@pytest.mark.parametrize("seed", range(3))
def test_suppression_is_that_of_a_loop(process: Process, seed: int) -> None:
    boxes = np.stack([random_boxes(40, 2 * seed, 30.0), random_boxes(40, 2 * seed + 1, 30.0)])
    valid = np.random.default_rng(seed).random((2, 40)) < 0.9
    keep = ask(process, "not_suppressed", boxes, valid, 0.3)
    for one, usable, kept in zip(boxes, valid, keep, strict=True):
        expected = evaluation.greedy(one, [*np.flatnonzero(usable)], 0.3)
        assert np.flatnonzero(kept).tolist() == expected
        assert 0 < len(expected) < usable.sum()


def test_equal_scores_keep_their_order(process: Process) -> None:
    scores = np.array([[0.5, 0.9, 0.5, 0.9, 0.1, 0.5]])
    assert ask(process, "ranked", scores).tolist() == [[1, 3, 0, 2, 5, 4]]


def test_a_score_that_is_not_a_number_comes_last(process: Process) -> None:
    scores = np.array([[0.5, math.nan, 0.9, -3.0]])
    known = ask(process, "known", scores)
    assert known[0, [0, 2, 3]].tolist() == [0.5, pytest.approx(0.9), -3.0] and known[0, 1] < -1e30
    assert ask(process, "ranked", known).tolist() == [[2, 0, 3, 1]]


def test_a_score_of_minus_infinity_is_no_worse_than_one_that_is_not_a_number(process: Process) -> None:
    known = ask(process, "known", np.array([[math.nan, -math.inf, 0.0, math.inf]]))
    assert ask(process, "ranked", known).tolist() == [[3, 2, 0, 1]]


def test_an_anchor_whose_score_is_not_a_number_is_proposed_last(process: Process) -> None:
    """As if its score were the least there is."""
    draw = np.random.default_rng(2)
    counts = [3 * edge * edge for edge in preset.edges(SMOKE)]
    scores = [draw.standard_normal((1, count)) for count in counts]
    deltas = {"arrays": [np.zeros((1, count, 4)).tolist() for count in counts]}
    best = int(np.argmax(scores[0]))

    def proposed(value: float) -> np.ndarray:
        given = [one.copy() for one in scores]
        given[0][0, best] = value
        arrays = {"arrays": [one.tolist() for one in given]}
        return np.asarray(ask(process, "model.proposals", arrays, deltas))

    assert np.isfinite(proposed(math.nan)).all()
    assert np.array_equal(proposed(math.nan), proposed(-1e30))
    assert not np.array_equal(proposed(math.nan), proposed(9.0))


def test_a_box_that_is_not_a_number_is_never_kept(process: Process) -> None:
    boxes = np.array([[[0, 0, math.nan, 9], [0, 0, 9, 9], [0, 0, math.inf, 9]]])
    assert ask(process, "at_least", boxes, 1e-3).tolist() == [[False, True, True]]


def test_an_object_gets_every_anchor_that_overlaps_it_most(process: Process) -> None:
    overlap = np.array([[[0.4, 0.0], [0.4, 0.0], [0.2, 0.1], [0.35, 0.75], [0.1, 0.05]]])
    order = np.arange(5)[None]
    valid = np.array([[True, True]])
    sampled, positive, matched = ask(process, "match_anchors", overlap, valid, order, 8)
    assert positive.tolist() == [[True, True, False, True, False]]
    assert matched[0, :4].tolist() == [0, 0, 0, 1]
    # 0.35 would be neither; 0.2 and 0.1 are background
    assert sampled.tolist() == [[True, True, True, True, True]]
    only_second = np.array([[False, True]])
    _, positive, matched = ask(process, "match_anchors", overlap, only_second, order, 8)
    assert positive.tolist() == [[False, False, False, True, False]] and matched[0, 3] == 1


def test_between_the_thresholds_an_anchor_is_not_looked_at(process: Process) -> None:
    overlap = np.array([[[0.5], [0.9], [0.1]]])
    sampled, positive, _ = ask(process, "match_anchors", overlap, np.array([[True]]), np.arange(3)[None], 8)
    assert positive.tolist() == [[False, True, False]] and sampled.tolist() == [[False, True, True]]


def test_samples_are_the_first_in_the_drawn_order(process: Process) -> None:
    positive = np.array([[True, True, True, False, False, False, False, False]])
    order = np.array([[5, 1, 3, 7, 0, 2, 6, 4]])
    chosen, negative = ask(process, "sample", positive, ~positive, order, 5, 2)
    assert chosen.tolist() == [[False, True, True, False, False, False, False, False]]
    assert negative.tolist() == [[False, False, False, False, True, True, False, True]]


def test_proposals_below_one_half_are_background_and_padding_is_nothing(process: Process) -> None:
    overlap = np.array([[[0.5, 0.9], [0.49, 0.9], [0.7, 0.9], [0.0, 0.0]]])
    valid, usable = np.array([[True, False]]), np.array([[True, True, True, False]])
    sampled, positive, matched = ask(
        process, "match_proposals", overlap, valid, usable, np.arange(4)[None], 8
    )
    assert positive.tolist() == [[True, False, True, False]]
    assert sampled.tolist() == [[True, True, True, False]]
    assert matched[0, [0, 2]].tolist() == [0, 0]


def test_a_box_without_area_or_label_is_no_object(process: Process) -> None:
    boxes = np.array([[[0, 0, 4, 4], [0, 0, 4, 4], [3, 3, 3, 9], [5, 2, 9, 2], [0, 0, 0, 0]]], float)
    labels = np.array([[2, 0, 1, 1, 3]])
    assert ask(process, "is_object", boxes, labels).tolist() == [[True, False, False, False, False]]


def test_an_image_without_objects_is_all_background(process: Process) -> None:
    overlap, valid = np.zeros((1, 6, 2)), np.array([[False, False]])
    order = np.arange(6)[None]
    sampled, positive, _ = ask(process, "match_anchors", overlap, valid, order, 4)
    assert not positive.any() and sampled.sum() == 4
    sampled, positive, _ = ask(process, "match_proposals", overlap, valid, np.ones((1, 6), bool), order, 4)
    assert not positive.any() and sampled.sum() == 4


def test_the_box_coder_goes_there_and_back_and_is_bounded(process: Process) -> None:
    boxes, at = random_boxes(20, 1)[None], random_boxes(20, 2)[None]
    deltas = _encode(boxes, at)
    assert _coded(process, "encode", boxes, at) == pytest.approx(deltas, rel=1e-4, abs=1e-4)
    assert _coded(process, "decode", deltas, at) == pytest.approx(boxes, abs=1e-3)
    far = np.array([[[0, 0, 50, 50]]], float)  # dw = 10 is cut at log(1000 / 16)
    wide = _coded(process, "decode", far, np.array([[[0, 0, 16, 16]]], float))
    assert wide[0, 0] == pytest.approx(np.array([-492, -492, 508, 508]), rel=1e-4)


def _coded(process: Process, function: str, *arrays: np.ndarray) -> np.ndarray:
    """With the head's weights, which each stack takes in its own form."""
    return np.asarray(ask(process, function, *arrays, [10.0, 10.0, 5.0, 5.0]))


def _encode(boxes: np.ndarray, at: np.ndarray) -> np.ndarray:
    edges, own = at[..., 2:] - at[..., :2], boxes[..., 2:] - boxes[..., :2]
    moved = (boxes[..., :2] + own / 2 - at[..., :2] - edges / 2) / edges
    return np.concatenate([moved * 10, np.log(own / edges) * 5], -1)


def test_smooth_l1_is_a_square_below_beta_and_a_line_above(process: Process) -> None:
    beta = 1 / 9
    got = ask(process, "smooth_l1", np.array([0.0, 0.05, -0.05, 1.0, -2.0]), beta)
    assert got == pytest.approx([0, 0.05**2 * 4.5, 0.05**2 * 4.5, 1 - beta / 2, 2 - beta / 2], rel=1e-5)


def test_roi_align_is_not_aligned_clamps_and_chooses_levels(process: Process) -> None:
    draw = np.random.default_rng(5)
    levels = [draw.standard_normal((1, edge, edge, SMOKE.channels)) for edge in preset.edges(SMOKE)[:4]]
    edge = SMOKE.canonical
    boxes = np.array(
        [
            [
                [3.2, 5.1, 17.8, 22.4],
                [0, 0, 64, 64],
                [10, 10, 10, 10],  # no area: one pixel of the level wide
                [50, 40, 64, 64],  # points beyond the border
                [0, 0, edge, edge],  # exactly on a level's edge: the coarser one
                [0, 0, edge - 0.01, edge - 0.01],
            ]
        ]
    )
    got = ask(process, "model.roi_align", {"arrays": [level.tolist() for level in levels]}, boxes)
    expected = _loop(levels, boxes[0])
    assert got.shape == (1, 6, preset.POOLED, preset.POOLED, SMOKE.channels)
    assert got[0] == pytest.approx(expected, abs=NEAR)
    assert np.abs(expected[4] - expected[5]).max() > 0.1  # two levels


def _loop(levels: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """torchvision's RoIAlign with ``sampling_ratio=2, aligned=False``, point after point."""
    made = np.zeros((len(boxes), preset.POOLED, preset.POOLED, levels[0].shape[-1]))
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        size = math.sqrt((x2 - x1) * (y2 - y1))
        level = math.floor(2 + math.log2(size / SMOKE.canonical) + 1e-6) if size else 0
        level = min(max(level, 0), 3)
        x, stride = levels[level][0], preset.STRIDES[level]
        width, height = max((x2 - x1) / stride, 1.0), max((y2 - y1) / stride, 1.0)
        for i in range(preset.POOLED):
            for j in range(preset.POOLED):
                points = [
                    _bilinear(
                        x,
                        y1 / stride + (i + (a + 0.5) / 2) * height / preset.POOLED,
                        x1 / stride + (j + (b + 0.5) / 2) * width / preset.POOLED,
                    )
                    for a in range(2)
                    for b in range(2)
                ]
                made[k, i, j] = np.mean(points, 0)
    return made


def _bilinear(x: np.ndarray, row: float, column: float) -> np.ndarray:
    height, width = x.shape[:2]
    if not (-1 <= row <= height and -1 <= column <= width):
        return np.zeros(x.shape[-1])
    row, column = min(max(row, 0.0), height - 1), min(max(column, 0.0), width - 1)
    top, left = int(row), int(column)
    below, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = row - top, column - left
    return np.asarray(
        (1 - down) * ((1 - across) * x[top, left] + across * x[top, right])
        + down * ((1 - across) * x[below, left] + across * x[below, right])
    )
