"""convstack: its stages, its data, its FLOPs, and the fp64 reference against two other sources of truth."""

from __future__ import annotations

import importlib.util
import json
import math
from typing import Any

import numpy as np
import pytest

from harness import parity
from harness.workloads import Batches, Weights, stored_reference
from harness.workloads.convstack import reference
from harness.workloads.convstack.spec import ARTICLE, SPEC, ConvStack, Preset
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None


class Tiny(ConvStack):
    """Ends at 2 x 2, where the order of flattening matters, and pools an odd size on the way (10, 5, 2)."""

    presets = {"tiny": Preset(size=10, channels=(4, 3), classes=5, gain=1.0, parity_batch=3)}


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_stages_follow_the_article_until_one_pixel_is_left(preset: str) -> None:
    size, channels, *_ = SPEC.presets[preset]
    assert len(channels) == min(7, int(math.log2(size)))
    assert size >> len(channels) == 1
    assert SPEC.shapes(preset)["classifier.kernel"][0] == channels[-1]


def test_cpu_and_gpu_have_the_article_s_channels() -> None:
    assert SPEC.presets["gpu"].channels == ARTICLE == (64, 64, 128, 128, 256, 256, 512)
    assert SPEC.presets["cpu"].channels == ARTICLE[:6]


def test_weights_have_the_declared_shapes_bounds_and_variance() -> None:
    weights = SPEC.weights("cpu", 0)
    assert {name: array.shape for name, array in weights.items()} == SPEC.shapes("cpu")
    for name, array in weights.items():
        assert array.dtype == np.float32
        if name.endswith("kernel"):
            fan_in = math.prod(array.shape[:-1])
            assert np.abs(array).max() <= np.float32(math.sqrt(3.0 / fan_in))
            assert float(array.var()) * fan_in == pytest.approx(1.0, rel=0.1)


def test_batches_have_unit_variance_and_labels_in_range() -> None:
    images, labels = SPEC.batches("smoke", 8, 0)
    assert images.shape == (4, 8, 64, 64, 3) and images.dtype == np.float32
    assert labels.shape == (4, 8) and labels.dtype == np.int64
    assert float(images.var()) == pytest.approx(1.0, rel=0.02)
    assert labels.min() >= 0 and labels.max() < 10
    assert not np.array_equal(images[0], images[1])


@pytest.mark.parametrize("preset", ["smoke", "cpu"])
def test_committed_digests_are_what_this_machine_makes(preset: str) -> None:
    assert (
        stored_reference.current_digests("convstack", preset) == stored_reference.digests("convstack")[preset]
    )


def test_stored_reference_is_what_the_code_computes() -> None:
    fresh = stored_reference.compute(SPEC, "smoke")
    stored = stored_reference.expected("convstack", "smoke", "train")
    assert stored.loss == pytest.approx(fresh["smoke/train"].loss, rel=1e-12)
    assert set(stored.gradients) == set(stored.updates) == set(SPEC.shapes("smoke"))
    for name in stored.updates:
        # BLAS libraries sum in different orders
        for kind in ("gradients", "updates"):
            again = getattr(fresh["smoke/train"], kind)[name].projections
            assert getattr(stored, kind)[name].projections == pytest.approx(again, rel=1e-9, abs=1e-9)
    logits = stored_reference.expected("convstack", "smoke", "infer").logits
    assert logits.projections == pytest.approx(fresh["smoke/infer"].logits.projections, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_three_steps_move_the_weights_enough_to_see_a_wrong_learning_rate(preset: str) -> None:
    updates = stored_reference.expected("convstack", preset, "train").updates
    weights = SPEC.weights(preset, 0)
    norms = {name: float(np.linalg.norm(array)) for name, array in weights.items()}
    moved = math.hypot(*(updates[name].norm for name in norms)) / math.hypot(*norms.values())
    assert moved >= 1e-2
    assert min(updates[name].norm / norms[name] for name in norms) >= 1e-3


def test_every_preset_and_task_has_a_reference_and_the_files_are_small() -> None:
    for preset in SPEC.presets:
        for task in ("train", "infer"):
            stored = stored_reference.expected("convstack", preset, task)
            assert stored.batch == SPEC.parity_batch(preset) >= 2  # with one sample mean and sum are the same
    folder = stored_reference.FOLDER / "convstack"
    assert (folder / "reference.json").stat().st_size < 150_000
    with pytest.raises(ValueError, match=r"python -m harness\.workloads\.convstack\.reference"):
        stored_reference.expected("convstack", "huge", "train")


def test_gradients_agree_with_finite_differences() -> None:
    spec = Tiny()
    weights = {name: array.astype(np.float64) for name, array in spec.weights("tiny", 0).items()}
    images, labels = (part[0] for part in spec.parity_batches("tiny"))
    _, gradients = reference.gradients(weights, images, labels)
    h = 1e-6
    for name, array in weights.items():
        for index in [(0,) * array.ndim, tuple(size - 1 for size in array.shape)]:
            losses = []
            for sign in (1.0, -1.0):
                moved = {other: value.copy() for other, value in weights.items()}
                moved[name][index] += sign * h
                losses.append(reference.cross_entropy(reference.forward(moved, images).logits, labels))
            numeric = (losses[0] - losses[1]) / (2 * h)
            assert gradients[name][index] == pytest.approx(numeric, rel=1e-5, abs=1e-8), (name, index)


def test_flatten_is_height_width_channel() -> None:
    spec = Tiny()
    found = reference.forward(spec.weights("tiny", 0), spec.parity_batches("tiny").x[0])
    image = found.features.reshape(3, 2, 2, 3)
    assert np.array_equal(found.features[0, 3:6], image[0, 0, 1])  # second pixel of the first row


def test_first_loss_is_the_reference_s_and_null_where_it_would_take_too_long() -> None:
    loss = SPEC.first_loss("smoke", SPEC.parity_batch("smoke"), 0)
    assert loss == pytest.approx(stored_reference.expected("convstack", "smoke", "train").loss, rel=1e-12)
    assert SPEC.first_loss("gpu", 256, 0) is None


def test_config_is_json_and_names_every_preset_apart() -> None:
    texts = {preset: json.dumps(SPEC.config(preset), sort_keys=True) for preset in SPEC.presets}
    assert len(set(texts.values())) == len(texts)


def load_weights(model: Any, weights: Weights) -> None:
    """Canonical weights into the PyTorch file's module: HWIO -> OIHW, (in, out) -> (out, in)."""
    import torch

    with torch.no_grad():
        for array, parameter in zip(weights.values(), model.parameters(), strict=True):
            layout = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(layout)))


def assert_close(ours: np.ndarray, theirs: np.ndarray, name: str) -> None:
    """Equal up to the rounding of float64, after OIHW -> HWIO or (out, in) -> (in, out)."""
    theirs = theirs.transpose(2, 3, 1, 0) if theirs.ndim == 4 else theirs.T
    assert np.linalg.norm(ours - theirs) <= 1e-10 * np.linalg.norm(theirs), name


@pytest.mark.frameworks
@pytest.mark.parametrize(("spec", "preset"), [(Tiny(), "tiny"), (SPEC, "smoke")])
def test_reference_agrees_with_torch_in_float64(spec: ConvStack, preset: str) -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    from harness.workloads.convstack import torch as torch_file

    batches: Batches = spec.parity_batches(preset)
    ours = reference.train(spec.weights(preset, 0), batches, parity.STEPS, spec.learning_rate, spec.momentum)
    size, channels, classes, *_ = spec.presets[preset]
    model = torch_file.ConvStack(size, channels, classes).double()
    load_weights(model, spec.weights(preset, 0))
    names = list(spec.weights(preset, 0))
    start = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=spec.learning_rate, momentum=spec.momentum)
    for step in range(parity.STEPS):
        images = torch.from_numpy(batches.x[step]).permute(0, 3, 1, 2).double()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), torch.from_numpy(batches.y[step]))
        loss.backward()
        if step == 0:
            assert ours.loss == pytest.approx(loss.item(), rel=1e-12)
            for name, parameter in zip(names, model.parameters(), strict=True):
                assert_close(ours.gradients[name], parameter.grad.numpy(), name)
        optimizer.step()
    for name, before, parameter in zip(names, start, model.parameters(), strict=True):
        assert_close(ours.updates[name], (parameter.detach() - before).numpy(), name)


@pytest.mark.frameworks
@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_flops_are_what_torch_counts(preset: str) -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from harness.workloads.convstack import torch as torch_file

    size, channels, classes, *_ = SPEC.presets[preset]
    with torch.device("meta"):
        model = torch_file.ConvStack(size, channels, classes)
        images = torch.empty(3, 3, size, size)
        labels = torch.empty(3, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        logits = model(images)
    assert counter.get_total_flops() == SPEC.flops(preset, 3, "infer")
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model(images), labels).backward()
    assert counter.get_total_flops() == SPEC.flops(preset, 3, "train")
    assert tuple(logits.shape) == (3, classes)
