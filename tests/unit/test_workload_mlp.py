"""mlp: its digits, their split and order, its FLOPs, the accuracy it reaches, and the fp64 reference."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

from harness import parity
from harness.workloads import stored_reference
from harness.workloads.mlp import reference
from harness.workloads.mlp.spec import DIGITS, EPOCHS, SPEC, TRAIN, digits, load_digits
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None


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
    steps = SPEC.steps_per_epoch("smoke", 32)
    assert steps == TRAIN // 32 == 44
    images, labels = SPEC.batches("smoke", 32, 5)
    assert images.shape == (EPOCHS * steps, 32, 8, 8) and labels.shape == (EPOCHS * steps, 32)
    known = {image.tobytes(): label for image, label in zip(*digits()[:2], strict=True)}
    shown = {image.tobytes() for image in images[:steps].reshape(-1, 8, 8)}
    doubles = TRAIN - len(known)  # equal images in the data set, if any
    assert steps * 32 - doubles <= len(shown) <= steps * 32
    assert shown <= set(known)
    assert all(known[image.tobytes()] == label for image, label in zip(images[0], labels[0], strict=True))
    assert not np.array_equal(images[0], images[steps])  # the next epoch is shuffled anew


def test_the_seed_decides_weights_and_order_but_not_the_test_set() -> None:
    assert not np.array_equal(SPEC.batches("smoke", 32, 0).x[0], SPEC.batches("smoke", 32, 1).x[0])
    first, second = (SPEC.weights("smoke", seed)["dense1.kernel"] for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(load_digits().test_labels, digits().test_labels)


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(ValueError, match="batch 2000 is larger"):
        SPEC.batches("smoke", 2000, 0)


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_committed_digests_are_what_this_machine_makes(preset: str) -> None:
    assert stored_reference.current_digests("mlp", preset) == stored_reference.digests("mlp")[preset]


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_stored_reference_is_what_the_code_computes(preset: str) -> None:
    fresh = stored_reference.compute(SPEC, preset)
    stored = stored_reference.expected("mlp", preset, "train")
    assert stored.loss == pytest.approx(fresh[f"{preset}/train"].loss, rel=1e-12)
    assert set(stored.updates) == set(SPEC.shapes(preset))
    for name, summary in stored.updates.items():
        again = fresh[f"{preset}/train"].updates[name].projections
        assert summary.projections == pytest.approx(again, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_three_steps_move_the_weights_enough_to_see_a_wrong_learning_rate(preset: str) -> None:
    updates = stored_reference.expected("mlp", preset, "train").updates
    norms = {name: float(np.linalg.norm(array)) for name, array in SPEC.weights(preset, 0).items()}
    moved = math.hypot(*(updates[name].norm for name in norms)) / math.hypot(*norms.values())
    assert moved >= 1e-2
    assert min(updates[name].norm / norms[name] for name in norms) >= 1e-3


def test_gradients_agree_with_finite_differences() -> None:
    weights = {name: array.astype(np.float64) for name, array in SPEC.weights("smoke", 0).items()}
    images, labels = (part[0] for part in SPEC.parity_batches("smoke"))
    _, gradients = reference.gradients(weights, images, labels)
    h = 1e-6
    for name, array in weights.items():
        # the element with the largest gradient: many pixels are always 0, and their weights' gradients too
        index = np.unravel_index(np.argmax(np.abs(gradients[name])), array.shape)
        losses = []
        for sign in (1.0, -1.0):
            moved = {other: value.copy() for other, value in weights.items()}
            moved[name][index] += sign * h
            losses.append(reference.cross_entropy(reference.forward(moved, images).logits, labels))
        assert gradients[name][index] == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-5), name


def test_the_target_accuracy_is_reached_well_before_the_last_epoch() -> None:
    seed = 0
    weights: dict[str, np.ndarray] = dict(SPEC.weights("smoke", seed))
    batches = SPEC.batches("smoke", 32, seed)
    steps = SPEC.steps_per_epoch("smoke", 32)
    velocity = {name: np.zeros(array.shape) for name, array in weights.items()}
    before = SPEC.test_accuracy(weights)
    for step in range(8 * steps):
        _, gradients = reference.gradients(weights, batches.x[step], batches.y[step])
        for name in weights:
            velocity[name] = SPEC.momentum * velocity[name] + gradients[name]
            weights[name] = weights[name] - SPEC.learning_rate * velocity[name]
    assert before < 0.3
    assert SPEC.target_accuracy is not None and SPEC.test_accuracy(weights) >= SPEC.target_accuracy


def test_first_loss_is_the_reference_s() -> None:
    loss = SPEC.first_loss("cpu", SPEC.parity_batch("cpu"), 0)
    assert loss == pytest.approx(stored_reference.expected("mlp", "cpu", "train").loss, rel=1e-12)


def test_config_is_json_and_names_every_preset_apart() -> None:
    texts = {preset: json.dumps(SPEC.config(preset), sort_keys=True) for preset in SPEC.presets}
    assert len(set(texts.values())) == len(texts)


@pytest.mark.frameworks
def test_reference_agrees_with_torch_in_float64() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    from harness.workloads.mlp import torch as torch_file

    weights, batches = SPEC.weights("smoke", 0), SPEC.parity_batches("smoke")
    ours = reference.train(weights, batches, parity.STEPS, SPEC.learning_rate, SPEC.momentum)
    model = torch_file.Mlp(SPEC.presets["smoke"].widths).double()
    with torch.no_grad():
        for array, parameter in zip(weights.values(), model.parameters(), strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(array.T)))
    optimizer = torch.optim.SGD(model.parameters(), lr=SPEC.learning_rate, momentum=SPEC.momentum)
    for step in range(parity.STEPS):
        optimizer.zero_grad()
        logits = model(torch.from_numpy(batches.x[step]).double())
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batches.y[step]))
        loss.backward()
        optimizer.step()
        if step == 0:
            assert ours.loss == pytest.approx(loss.item(), rel=1e-12)
    for (name, array), parameter in zip(weights.items(), model.parameters(), strict=True):
        theirs = parameter.detach().numpy().T - array
        assert np.linalg.norm(ours.updates[name] - theirs) <= 1e-10 * np.linalg.norm(theirs), name


@pytest.mark.frameworks
@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_flops_are_what_torch_counts(preset: str) -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from harness.workloads.mlp import torch as torch_file

    with torch.device("meta"):
        model = torch_file.Mlp(SPEC.presets[preset].widths)
        images, labels = torch.empty(7, 8, 8), torch.empty(7, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        model(images)
    assert counter.get_total_flops() == SPEC.flops(preset, 7, "infer")
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model(images), labels).backward()
    assert counter.get_total_flops() == SPEC.flops(preset, 7, "train")
