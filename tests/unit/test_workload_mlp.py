"""mlp: its digits, their split and order, its FLOPs by hand, and the accuracy that it reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.record import Case, Contender
from harness.workloads import Job
from harness.workloads.mlp.spec import DIGITS, EPOCHS, SPEC, TRAIN, digits, load_digits, test_accuracy
from tests.unit.numpy_mlp import NumpyMlp

test_accuracy.__test__ = False  # type: ignore[attr-defined]  # it scores, it is no test
SMOKE = SPEC.presets["smoke"]


def test_the_digits_are_all_there() -> None:
    train_images, train_labels, test_images, test_labels = digits()
    assert train_images.shape == (1437, 8, 8) and test_images.shape == (360, 8, 8)
    assert train_images.dtype == np.float32 and train_labels.dtype == np.int64
    pixels = np.concatenate([train_images, test_images])
    assert pixels.min() == 0.0 and pixels.max() == 1.0
    assert np.array_equal(pixels * 16, np.round(pixels * 16))
    labels = np.concatenate([train_labels, test_labels])
    # counts of load_digits() in scikit-learn's documentation
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert set(test_labels.tolist()) == set(range(10))


def test_a_changed_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    data = bytearray(DIGITS.read_bytes())
    data[1000] ^= 1
    changed = tmp_path / "digits.npz"
    changed.write_bytes(data)
    with pytest.raises(ValueError, match=r"digits\.npz: SHA-256 is .*, expected .*; restore the file"):
        load_digits(changed)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.npz: cannot read the digits .*restore it"):
        load_digits(tmp_path / "none.npz")


def test_an_epoch_shows_each_training_image_at_most_once_and_drops_the_remainder() -> None:
    assert SPEC.learning is not None
    steps = SPEC.learning.steps(SMOKE, 32)
    assert steps == TRAIN // 32 == 44
    batches = SPEC.batches(SMOKE, 32, 5)
    images, labels = batches["image"], batches["label"]
    assert images.shape == (EPOCHS * steps, 32, 8, 8) and labels.shape == (EPOCHS * steps, 32)
    known = {image.tobytes(): label for image, label in zip(*digits()[:2], strict=True)}
    shown = {image.tobytes() for image in images[:steps].reshape(-1, 8, 8)}
    doubles = TRAIN - len(known)  # equal images in the data set, if any
    assert steps * 32 - doubles <= len(shown) <= steps * 32
    assert shown <= set(known)
    assert all(known[image.tobytes()] == label for image, label in zip(images[0], labels[0], strict=True))
    assert not np.array_equal(images[0], images[steps])  # the next epoch is shuffled anew


def test_the_seed_decides_weights_and_order_but_not_the_test_set() -> None:
    assert not np.array_equal(SPEC.batches(SMOKE, 32, 0)["image"][0], SPEC.batches(SMOKE, 32, 1)["image"][0])
    first, second = (SPEC.weights(SMOKE, seed)["dense.1.kernel"] for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(load_digits().test_labels, digits().test_labels)


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(ValueError, match="batch 2000 is larger"):
        SPEC.batches(SMOKE, 2000, 0)


def test_flops_by_hand() -> None:
    forward = 2 * 7 * (64 * 128 + 128 * 128 + 128 * 10)
    assert SPEC.flops(SMOKE, 7, "infer") == forward
    assert SPEC.flops(SMOKE, 7, "train") == 3 * forward - 2 * 7 * 64 * 128  # images need no gradient


def test_the_score_flattens_row_by_row() -> None:
    """Each class looks at one pixel: row 1, column 2 is number 10 of 64."""
    preset = SMOKE._replace(widths=(64, 10))
    kernel = np.zeros((64, 10), np.float32)
    kernel[10, 3] = 1.0
    weights: dict[str, Any] = {"dense.0.kernel": kernel, "dense.0.bias": np.zeros(10, np.float32)}
    images, labels = digits().test_images, digits().test_labels
    expected = np.mean(np.where(images[:, 1, 2] > 0, 3, 0) == labels)
    assert test_accuracy(preset, weights) == expected


def test_the_target_accuracy_is_reached_well_before_the_last_epoch() -> None:
    batch = 32
    weights, batches = SPEC.weights(SMOKE, 0), SPEC.batches(SMOKE, batch, 0)
    case = Case(workload="mlp", preset="smoke", task="train", batch=batch, cores=1)
    contender = Contender(stack="numpy", mode="eager")
    driver = NumpyMlp(Job(SPEC, None, SMOKE, batch, "fp32", case, contender, weights, batches))
    assert SPEC.learning is not None
    before = SPEC.learning.score(SMOKE, weights)
    driver.run(8 * SPEC.learning.steps(SMOKE, batch))
    assert before < 0.3
    assert SPEC.learning.score(SMOKE, driver.state().tensors) >= SPEC.learning.target
