"""convstack: its stages, its data, its FLOPs by hand, and the order in which PyTorch's file flattens."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from harness import workloads
from harness.workloads.convstack.spec import ARTICLE, SPEC, Preset
from tests.requirement import require

SMOKE: Preset = SPEC.presets["smoke"]


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_stages_follow_the_article_until_one_pixel_is_left(preset: str) -> None:
    size, channels, *_ = SPEC.presets[preset]
    assert len(channels) == min(7, int(math.log2(size)))
    assert size >> len(channels) == 1
    assert SPEC.tensors(SPEC.presets[preset])["classifier.kernel"].shape[0] == channels[-1]


def test_cpu_and_gpu_have_the_article_s_channels() -> None:
    assert SPEC.presets["gpu"].channels == ARTICLE == (64, 64, 128, 128, 256, 256, 512)
    assert SPEC.presets["cpu"].channels == ARTICLE[:6]


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_kernels_have_the_declared_variance(preset: str) -> None:
    size: Preset = SPEC.presets[preset]
    for name, array in SPEC.weights(size, 0).items():
        if name.endswith("kernel") and array.size > 1000:
            fan_in = math.prod(array.shape[:-1])
            assert np.abs(array).max() <= np.float32(math.sqrt(3.0 * size.gain / fan_in))
            assert float(array.var()) * fan_in == pytest.approx(size.gain, rel=0.1), name


def test_batches_have_unit_variance_and_labels_in_range() -> None:
    batches = SPEC.batches(SMOKE, 8, 0)
    images, labels = batches["image"], batches["label"]
    assert images.shape == (4, 8, 64, 64, 3) and images.dtype == np.float32
    assert labels.shape == (4, 8) and labels.dtype == np.int64
    assert float(images.var()) == pytest.approx(1.0, rel=0.02)
    assert labels.min() >= 0 and labels.max() < 10
    assert not np.array_equal(images[0], images[1])


def test_flops_by_hand() -> None:
    tiny = Preset(size=8, channels=(4, 6), classes=5, gain=1.0)
    first, second, last = 2 * 8 * 8 * 9 * 3 * 4, 2 * 4 * 4 * 9 * 4 * 6, 2 * 2 * 2 * 6 * 5
    assert SPEC.flops(tiny, 3, "infer") == 3 * (first + second + last)
    assert SPEC.flops(tiny, 3, "train") == 3 * (2 * first + 3 * second + 3 * last)  # images need no gradient


@pytest.mark.frameworks
def test_an_image_is_flattened_by_height_width_and_channel() -> None:
    """A stack that ends at 2 x 2, with an odd size on the way (10, 5, 2); at the presets' 1 x 1 all orders are one."""
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    import torch

    tiny = Preset(size=10, channels=(4, 3), classes=12, gain=1.0)
    model = workloads.file("convstack", "torch").model(tiny)
    with torch.no_grad():
        model.classifier.weight.copy_(torch.eye(12))
        model.classifier.bias.zero_()
        x = torch.rand(2, 3, 10, 10)
        features = model(x).numpy()
        y = x
        for conv in model.convs:
            y = torch.nn.functional.max_pool2d(conv(y), 2)  # (B, C, S, S)
    assert features.shape == (2, 12)
    assert np.array_equal(features.reshape(2, 2, 2, 3), y.permute(0, 2, 3, 1).numpy())
