"""Names and shapes: what a framework calls its tensors against the specification, and the screen where they differ."""

from __future__ import annotations

import pytest

from harness.workloads.naming import NamesDiffer, ShapesDiffer, canonical_names, refuse_other_shapes
from harness.workloads.specification import Tensor

SPECIFIED = {"stages.0.conv1.kernel": Tensor(shape=(3, 3, 2, 4)), "classifier.bias": Tensor(shape=(4,))}


@pytest.mark.parametrize("own", ["stages.0.conv1.kernel", "stages_0_conv1/kernel", "stages/0/conv1/kernel"])
def test_separators_are_alike_and_the_order_is_the_specifications(own: str) -> None:
    assert list(canonical_names({"classifier/bias": 1, own: 2}, SPECIFIED, {}).items()) == [
        ("stages.0.conv1.kernel", 2),
        ("classifier.bias", 1),
    ]


def test_exceptions_are_listed() -> None:
    named = canonical_names(
        {"head.b": 1, "stages.0.conv1.kernel": 2}, SPECIFIED, {"head.b": "classifier.bias"}
    )
    assert named["classifier.bias"] == 1


def test_other_names_show_both_lists_and_the_nearest() -> None:
    with pytest.raises(NamesDiffer) as differ:
        canonical_names({"stages.0.conv_1.kernel": 1, "classifier.bias": 2, "extra.gamma": 3}, SPECIFIED, {})
    said = str(differ.value)
    assert "stages.0.conv1.kernel   nearest: stages.0.conv_1.kernel" in said
    assert "in the model, not specified (2):" in said and "extra.gamma" in said


def test_other_shapes_are_listed_in_one_screen() -> None:
    refuse_other_shapes({"classifier.bias": (4,)}, SPECIFIED)
    with pytest.raises(ShapesDiffer) as differ:
        refuse_other_shapes({"stages.0.conv1.kernel": (3, 3, 4, 2), "classifier.bias": (4,)}, SPECIFIED)
    assert "stages.0.conv1.kernel: (3, 3, 4, 2) in the model, (3, 3, 2, 4) specified" in str(differ.value)
    assert "classifier.bias" not in str(differ.value)
    many = {f"dense.{n}.bias": Tensor(shape=(1,)) for n in range(50)}
    with pytest.raises(ShapesDiffer, match="and 38 more"):
        refuse_other_shapes(dict.fromkeys(many, (2,)), many)
