"""The detector's specification and how it is scored: anchors, drawn pictures, orders, COCO's average precision."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from harness import workloads
from harness.record import PHASES
from harness.workloads.fasterrcnn import evaluation, pictures, preset
from harness.workloads.fasterrcnn.evaluation import Detections, average_precision
from tests.requirement import require

SPEC = workloads.get("fasterrcnn")
SMOKE = SPEC.presets["smoke"]


def test_anchors_are_torchvisions() -> None:
    """Around the origin, for an edge of 32: what ``AnchorGenerator.generate_anchors`` rounds to."""
    large = SPEC.presets["gpu"]
    first = next(preset.anchors(large))
    assert first[:3].tolist() == [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    assert (first[3] - first[0]).tolist() == [4, 0, 4, 0]  # the next place is a stride to the right
    assert [len(level) for level in preset.anchors(large)] == [3 * edge**2 for edge in (128, 64, 32, 16, 8)]
    assert large.places == sum(len(level) for level in preset.anchors(large))


def test_pictures_hold_what_their_boxes_say() -> None:
    image, boxes, labels = pictures.draw(SMOKE.size, SMOKE.objects, SMOKE.classes, 40, seed=3)
    assert image.min() >= -2 and image.max() < 2
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    there = labels > 0
    assert (boxes[~there] == 0).all()
    assert (boxes[there][:, 2:] - boxes[there][:, :2] >= SMOKE.size // 8).all()
    assert boxes[there].min() >= 0 and boxes[there].max() <= SMOKE.size
    assert {0, SMOKE.objects} <= set(there.sum(1))  # an image without objects, and one with all there may be
    for picture, at, label in zip(image, boxes, labels, strict=True):
        if not label.any():
            continue
        top = int(np.flatnonzero(label)[-1])  # the last one is covered by nothing
        x1, y1, x2, y2 = at[top].astype(int)
        inside = picture[y1:y2, x1:x2][pictures.silhouette((label[top] - 1) % 3, x2 - x1, y2 - y1)]
        assert (inside == inside[0]).all()


@pytest.mark.parametrize(("shape", "share"), [(0, 1.0), (1, np.pi / 4), (2, 0.5)])
def test_silhouettes_cover_their_share_of_the_box(shape: int, share: float) -> None:
    assert pictures.silhouette(shape, 60, 40).mean() == pytest.approx(share, abs=0.02)


def test_orders_are_permutations_and_given_boxes_are_usable() -> None:
    batches = SPEC.batches(SMOKE, 2, seed=0)
    for name, length in (("anchor_order", SMOKE.places), ("proposal_order", SMOKE.candidates)):
        assert (np.sort(batches[name], -1) == np.arange(length)).all()
    given = batches["given"]
    assert (given * 4 == np.round(given * 4)).all()  # IoUs are exact in fp32
    assert (given[..., 2:] - given[..., :2] > 0).all()
    overlap = np.array(
        [evaluation.iou(a, b).max() for a, b in zip(given[0], batches["boxes"][0], strict=True)]
    )
    assert (overlap > 0.5).all()  # some of them are on objects


# --- average precision ---------------------------------------------------------------------------

OBJECTS = np.array([[[0, 0, 10, 10], [20, 20, 30, 30], [0, 0, 0, 0]]], float)
LABELS = np.array([[1, 1, 0]])


def found(*rows: tuple[float, list[float]], label: int = 1) -> list[Detections]:
    return [
        Detections(
            np.array([box for _, box in rows], float).reshape(-1, 4),
            np.array([score for score, _ in rows]),
            np.full(len(rows), label),
        )
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0.9, [0, 0, 10, 10]), (0.8, [20, 20, 30, 30])], 1.0),
        ([], 0.0),
        ([(0.9, [50, 50, 60, 60])], 0.0),
        # one of two objects: recalls 0 to 0.5 are reached at precision 1, 51 of 101
        ([(0.9, [0, 0, 10, 10])], 51 / 101),
        # a miss first: precision 1/2 for the first half, 2/3 for all of it, made monotonous
        ([(0.9, [50, 50, 60, 60]), (0.8, [0, 0, 10, 10]), (0.7, [20, 20, 30, 30])], 2 / 3),
        # the same object twice: the second is a miss, after the first half of the recalls
        ([(0.9, [0, 0, 10, 10]), (0.8, [0, 0, 10, 10]), (0.7, [20, 20, 30, 30])], (51 + 50 * 2 / 3) / 101),
    ],
)
def test_average_precision_of_small_cases(rows: list[tuple[float, list[float]]], expected: float) -> None:
    assert average_precision(found(*rows), OBJECTS, LABELS, 0.5) == pytest.approx(expected)


def test_average_precision_asks_for_the_class_and_the_overlap() -> None:
    exact = [(0.9, [0, 0, 10, 10]), (0.8, [20, 20, 30, 30])]
    assert average_precision(found(*exact, label=2), OBJECTS, LABELS, 0.5) == 0.0
    shifted = [(0.9, [0, 0, 10, 6]), (0.8, [20, 20, 30, 26])]  # IoU 0.6
    assert average_precision(found(*shifted), OBJECTS, LABELS, 0.6) == pytest.approx(1.0)
    assert average_precision(found(*shifted), OBJECTS, LABELS, 0.61) == 0.0


def test_padding_is_no_detection_and_no_object() -> None:
    padded = found((0.9, [0, 0, 10, 10]), (0.0, [0, 0, 0, 0]))
    padded[0].labels[1] = 0
    assert average_precision(padded, OBJECTS, LABELS, 0.5) == pytest.approx(51 / 101)
    assert average_precision(padded, OBJECTS, np.zeros_like(LABELS), 0.5) == 0.0


def test_greedy_suppression_keeps_what_only_a_suppressed_box_overlaps() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 3, 10, 13], [0, 6, 10, 16]], float)  # IoU of neighbours 7/13
    assert evaluation.greedy(boxes, [0, 1, 2], 0.5) == [0, 2]
    assert evaluation.greedy(boxes, [0, 1, 2], 7 / 13) == [0, 1, 2]  # above, not at the threshold


# --- the model -----------------------------------------------------------------------------------


def test_a_training_that_diverged_finds_nothing() -> None:
    weights = SPEC.weights(SMOKE, 0)
    weights["fc1.bias"] = np.full_like(weights["fc1.bias"], np.nan)
    assert evaluation.precision_on_test_images(SMOKE, weights) == 0.0


def test_flops_by_hand() -> None:
    smoke = SMOKE
    head = 2 * (49 * 16 * 32 + 32 * 32 + 5 * 4 * 32)
    more = smoke._replace(proposals=smoke.proposals + 3, sampled_proposals=smoke.sampled_proposals + 3)
    assert SPEC.flops(more, 5, "infer") - SPEC.flops(smoke, 5, "infer") == 5 * 3 * head
    assert SPEC.flops(more, 5, "train") - SPEC.flops(smoke, 5, "train") == 5 * 3 * 3 * head
    rpn = 2 * sum(edge**2 for edge in (16, 8, 4, 2, 1)) * 16 * (9 * 16 + 5 * 3)
    pyramid = sum(
        2 * edge**2 * 16 * (4 * c + 9 * 16) for edge, c in zip((16, 8, 4, 2), smoke.widths, strict=True)
    )
    backbone = workloads.get("resnet50")
    without = backbone.flops(smoke.backbone, 1, "infer") - 2 * 4 * smoke.widths[-1] * smoke.classes
    assert SPEC.flops(smoke, 1, "backbone") == without + pyramid
    assert SPEC.flops(smoke, 1, "rpn") == rpn
    assert SPEC.flops(smoke, 3, "roi") == 3 * smoke.proposals * head
    assert SPEC.flops(smoke, 1, "infer") == sum(SPEC.flops(smoke, 1, phase) for phase in PHASES)


def test_the_trained_size_starts_from_what_finds_objects() -> None:
    """Whatever the seed, and far better than drawn weights; on other images than those that it was trained on."""
    trained, drawn = SPEC.presets["cpu-trained"], SPEC.presets["cpu"]
    weights = SPEC.weights(trained, 0)
    assert {name: array.shape for name, array in weights.items()} == {
        name: one.shape for name, one in SPEC.tensors(trained).items()
    }
    assert all((array == SPEC.weights(trained, 7)[name]).all() for name, array in weights.items())
    assert SPEC.config_sha256(trained) != SPEC.config_sha256(drawn)
    assert evaluation.precision_on_test_images(trained, weights) > 0.4
    assert evaluation.precision_on_test_images(drawn, SPEC.weights(drawn, 0)) < 0.05


def test_weights_are_as_many_as_torchvisions() -> None:
    """``fasterrcnn_resnet50_fpn`` has 41,755,286 parameters; its frozen norms have none."""
    tensors = SPEC.tensors(SPEC.presets["gpu"])
    count = sum(int(np.prod(one.shape)) for name, one in tensors.items() if "bn" not in name)
    assert count == 41_755_286


@pytest.mark.frameworks
def test_numpy_finds_what_pytorch_finds() -> None:
    """Two programs written apart, one greedy and box after box, one in fixed shapes."""
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    from harness.gate import compute

    job = compute.job(SPEC, SMOKE, "smoke", "infer", 2)
    driver = compute.driver_of(job)
    weights = {name: array.astype(np.float64) for name, array in job.weights.items()}
    seen: set[int] = set()
    for step in range(8):
        found = driver.outputs(driver.run(1))
        for k in range(2):
            expected = evaluation.detect(SMOKE, weights, job.batches["image"][step, k].astype(np.float64))
            assert found["labels"][k].tolist() == expected.labels.tolist()
            assert found["scores"][k] == pytest.approx(expected.scores, abs=1e-12)
            assert found["boxes"][k] == pytest.approx(expected.boxes, abs=1e-10)
            seen |= set(expected.labels.tolist())
    assert len(seen) > 1


def test_examples_show_what_is_there_and_what_is_surely_found() -> None:
    assert SPEC.examples is not None
    examples = SPEC.examples()
    trained = SPEC.presets["cpu-trained"]
    _, boxes, labels = pictures.draw(
        trained.size, trained.objects, trained.classes, len(examples), evaluation.TEST_SEED
    )
    for one, at, label in zip(examples, boxes, labels, strict=True):
        assert one.image.shape == (trained.size, trained.size, 3) and one.image.dtype == np.uint8
        assert [list(box[:4]) for box in one.there] == at[label > 0].tolist()
        assert [box.score for box in one.there] == [None] * len(one.there)
        assert all(box.score is not None and box.score >= 0.5 for box in one.found)
    assert sum(len(one.found) for one in examples) > len(examples) / 2
