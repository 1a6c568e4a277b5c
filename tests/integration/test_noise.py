"""Planted round-off is what the format does: to nearest, the same value everywhere alike, statistics left in fp32."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from tests.requirement import require

pytestmark = pytest.mark.frameworks


@pytest.fixture
def round_off() -> Any:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    from harness.gate.noise import RoundOff

    return RoundOff


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bfloat16"), ("fp32", "float32")])
def test_the_unstretched_grid_is_the_formats_own(round_off: Any, precision: str, dtype: str) -> None:
    import torch

    mode = round_off(precision, 0)
    mode.grid = 1.0
    values = torch.cat(
        [
            # the same each time: PyTorch goes to bf16 by way of fp32, which one value in 65,000 shows
            torch.randn(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
            torch.tensor([0.0, 1.0, -3e-20, float("inf")]),
        ]
    )
    assert torch.equal(mode.rounded(values), values.to(getattr(torch, dtype)).double())


def test_runs_differ_and_repeat(round_off: Any) -> None:
    import torch

    value = torch.randn(100, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    first, again, other = (round_off("bf16", seed).rounded(value) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    for rounded in (first, other):
        off = ((rounded - value) / value).abs()
        assert 2.0**-11 < off.max() <= 2.0**-8  # half a step of 8 bits
        assert round_off("bf16", 0).rounded(first).equal(first)


def test_what_the_precision_holds_exactly_stays(round_off: Any) -> None:
    """So do ties of it; the next value that it does not hold is rounded."""
    import torch

    whole = torch.tensor([0.0, -3.0, 17.5, 2.0**-40, 255.0], dtype=torch.float64)
    beyond = torch.tensor([257.0, 1.0 + 2.0**-8], dtype=torch.float64)  # nine bits
    for seed in range(4):
        assert torch.equal(round_off("bf16", seed).rounded(whole), whole)
        assert not (round_off("bf16", seed).rounded(beyond) == beyond).any()
        assert torch.equal(round_off("fp32", seed).rounded(beyond), beyond)
    images = torch.arange(16.0, dtype=torch.float64).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last)
    assert torch.equal(round_off("fp32", 1).rounded(images), images)


@pytest.mark.parametrize("name", ["embedding", "gather", "relu", "max_pool", "where"])
def test_what_picks_values_gives_those_that_the_precision_holds(round_off: Any, name: str) -> None:
    """A view stays a view of what was given; fp32, in which operands are given, picks them as they are."""
    import torch
    import torch.nn.functional as F

    table = torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = torch.tensor([4, 0, 4])
    pick = {
        "embedding": lambda one: F.embedding(rows, one),
        "gather": lambda one: torch.gather(one, 1, rows[None].expand(6, 3)),
        "relu": torch.relu,
        "max_pool": lambda one: F.max_pool1d(one, 2),
        "where": lambda one: torch.where(one > 0, one, torch.zeros_like(one)),
    }[name]
    mode = round_off("bf16", 0)
    with mode:
        made, view = pick(table), table[:2]
    assert torch.equal(made, pick(mode.rounded(table))) and not torch.equal(made, pick(table))
    assert view.data_ptr() == table.data_ptr()
    with round_off("fp32", 0):
        assert torch.equal(pick(table), pick(table.clone()))


def test_the_coarsest_run_rounds_as_wide_as_a_tolerance_is(round_off: Any) -> None:
    import torch

    value = torch.randn(4000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def off(**coarsest: bool) -> float:
        return float((round_off("bf16", 0, **coarsest).rounded(value) - value).norm())

    assert 3.5 < off(coarsest=True) / off() < 4.5  # MULTIPLE of bf16 is 4


def test_a_sum_in_bf16_is_added_up_by_pairs_and_what_cancels_leaves_roundings(round_off: Any) -> None:
    import torch

    value = torch.randn(6, 33, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for dim, keep in (((0, 1), False), ((1,), True), ((0, 1, 2), False)):
        exact = value.sum(dim, keepdim=keep)
        with round_off("bf16", 1):
            found = value.sum(dim, keepdim=keep)
        with round_off("fp32", 1):
            fine = value.sum(dim, keepdim=keep)
        assert found.shape == exact.shape
        added = 2.0**-9 * value.abs().sum(dim, keepdim=keep)  # each pair is off by half a step at most
        assert ((found - exact).abs() <= 9 * added).all() and (found - exact).abs().max() > 2.0**-9
        assert ((fine - exact).abs() <= 2.0**-23 * exact.abs()).all()
    with round_off("bf16", 1):
        assert torch.arange(6).reshape(2, 3).sum((0,)).tolist() == [3, 5, 7]
        assert torch.zeros(3, 0, dtype=torch.float64).sum((1,)).tolist() == [0, 0, 0]


def test_updates_of_one_kind_share_their_spread() -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    import numpy as np

    from harness.gate.tolerances import Trajectory, measured

    ones = {name: np.ones(4) for name in ("a.gamma", "b.gamma", "a.beta")}
    exact = Trajectory([1.0], {}, {}, ones)
    off = {"a.gamma": 1.02, "b.gamma": 1.0, "a.beta": 1.01}
    runs = [Trajectory([1.0], {}, {}, {name: array * off[name] for name, array in ones.items()})]
    apart = measured("bf16", exact, runs, ones, exact)
    alike = measured("bf16", exact, runs, ones, exact, alike=True)
    assert apart["updates b.gamma"] < 0.01 < apart["updates a.gamma"] == alike["updates a.gamma"]
    assert (
        alike["updates b.gamma"] == alike["updates a.gamma"]
        and alike["updates a.beta"] == apart["updates a.beta"]
    )


def test_no_loss_is_held_closer_than_one_before_it() -> None:
    """Three runs that happened to meet again at the third loss."""
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    from harness.gate.tolerances import Trajectory, measured

    exact = Trajectory([4.0, 3.0, 2.0], {}, {}, {})
    runs = [Trajectory([4.001, 3.01, 2.0001], {}, {}, {})]
    found = measured("bf16", exact, runs, {}, exact)
    assert found["loss 1"] < found["loss 2"] == found["loss 3"] == pytest.approx(0.04)


def test_losses_are_sure_until_a_run_has_another(round_off: Any) -> None:
    from harness.gate.tolerances import before_it_tips

    exact = [4.0, 2.0, 0.5, 0.25]
    near = [4.0, 2.001, 0.5009, 0.25]  # within 0.1 % of a loss, or of 1
    assert before_it_tips(exact, [near, exact], 1e-3) == 4
    assert before_it_tips(exact, [near, [4.0, 2.0, 0.502, 0.25]], 1e-3) == 2
    assert before_it_tips(exact, [[4.0, 2.003, 0.5, 0.25], near], 1e-3) == 1
    assert before_it_tips(exact, [[5.0, 2.0, 0.5, 0.25]], 1e-3) == 4  # the first has its own tolerance


def test_weights_are_rounded_alike_wherever_they_enter(round_off: Any) -> None:
    """One product of ones per place: every place is off by the weight's own rounding."""
    import torch

    weight = torch.full((1, 1), 1.0 + 2.0**-10, dtype=torch.float64)
    with round_off("bf16", 3) as mode:
        product = torch.ones(5, 1, dtype=torch.float64) @ weight
    assert product.unique().numel() == 1
    with round_off("fp32", 3):  # weights are given in fp32: only the result is rounded
        assert (torch.ones(5, 1, dtype=torch.float64) @ weight - weight).abs().max() <= 2.0**-22
    assert mode.operands


def test_training_under_it_keeps_statistics_and_gradients(round_off: Any) -> None:
    import torch

    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(2, dtype=torch.float64)
    images = torch.randn(4, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    with round_off("bf16", 0):
        out = norm(images)
        out.square().sum().backward()
    assert norm.running_mean is not None and norm.running_mean.abs().min() > 0  # updated, not a copy of it
    exact = torch.nn.functional.batch_norm(images, None, None, training=True)
    assert 0 < (out - exact).abs().max() < 0.1
    assert images.grad is not None and norm.weight.grad is not None and norm.weight.grad.isfinite().all()


def test_masked_attention_stays_finite(round_off: Any) -> None:
    import torch

    query = torch.randn(1, 1, 6, 4, dtype=torch.float64, requires_grad=True)
    exact = torch.nn.functional.scaled_dot_product_attention(query, query, query, is_causal=True)
    with round_off("bf16", 0):
        near = torch.nn.functional.scaled_dot_product_attention(query, query, query, is_causal=True)
        near.sum().backward()
    assert 0 < (near - exact).abs().max() < 0.05
    assert query.grad is not None and query.grad.isfinite().all()
