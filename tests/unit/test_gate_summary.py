"""Norm and projections: what is kept of a tensor estimates a distance, and is the same on every machine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from harness.gate import optimizers
from harness.gate.parts import bfloat16
from harness.gate.summary import combine, distance, rounded, summarise
from harness.workloads.specification import SGD, AdamW, WarmupCosine


def test_the_estimate_is_near_the_true_distance() -> None:
    draw = np.random.Generator(np.random.Philox(1))
    x = draw.standard_normal(70_001)
    ratios = []
    for k in range(200):
        other = x + 1e-3 * draw.standard_normal(x.size)
        true = float(np.linalg.norm(other - x) / np.linalg.norm(x))
        ratios.append(distance(summarise(other, f"t{k}"), summarise(x, f"t{k}")) / true)
    assert min(ratios) > 0.2 and max(ratios) < 2.2
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1.0, abs=0.06)


def test_signs_depend_on_the_name_and_nothing_else() -> None:
    ones = np.ones(1000)
    assert summarise(ones, "a") == summarise(ones.reshape(10, 100), "a") != summarise(ones, "b")
    assert [round(value) for value in summarise(ones, "a")] == [32, *map(round, summarise(ones, "a")[1:])]
    assert rounded(summarise(np.arange(5.0), "frozen"))[0] == pytest.approx(math.sqrt(30))


def test_what_is_not_finite_is_infinitely_far() -> None:
    x = np.ones(10)
    assert distance(summarise(np.full(10, np.nan), "x"), summarise(x, "x")) == math.inf
    assert distance(summarise(np.zeros(10), "x"), summarise(np.zeros(10), "x")) == 0.0
    assert distance(summarise(x, "x"), summarise(np.zeros(10), "x")) == math.inf


def test_several_arrays_as_one() -> None:
    a, b = np.ones(4), np.full(9, 2.0)
    both = combine([summarise(a, "a"), summarise(b, "b")])
    assert both.norm == pytest.approx(math.sqrt(4 + 36))
    assert distance(combine([summarise(a, "a"), summarise(b + 1, "b")]), both) > 0.1


def test_rounding_to_bf16_is_to_nearest_even() -> None:
    values = np.array([1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, 1.0 + 2**-8 + 2**-12, -3.14159], np.float32)
    assert bfloat16(values).tolist() == [1.0, 1.0, 1.015625, 1.0078125, -3.140625]


def test_sgd_by_hand() -> None:
    declared = SGD(lr=0.5, momentum=0.9, weight_decay=0.1)
    w, g = np.array([1.0]), np.array([2.0])
    first = optimizers.move(declared, w, g, {}, 0, decayed=True)
    assert first.slots["velocity"] == pytest.approx(2.1) and first.weight == pytest.approx(1 - 0.5 * 2.1)
    second = optimizers.move(declared, first.weight, g, first.slots, 1, decayed=False)
    assert second.slots["velocity"] == pytest.approx(0.9 * 2.1 + 2.0)
    nesterov = optimizers.move(SGD(lr=0.5, momentum=0.9, nesterov=True), w, g, {}, 0, decayed=False)
    assert nesterov.weight == pytest.approx(1 - 0.5 * (2.0 + 0.9 * 2.0))


def test_adamw_by_hand_and_where_epsilon_stands() -> None:
    declared = AdamW(lr=0.1, beta1=0.9, beta2=0.99, epsilon=1.0, weight_decay=0.5)
    w, g = np.array([2.0]), np.array([3.0])
    made = optimizers.move(declared, w, g, {}, 0, decayed=True)
    # m' = 3, v' = 9: 3 / (3 + 1)
    assert made.weight == pytest.approx(2.0 * (1 - 0.05) - 0.1 * 0.75)
    other = optimizers.move(declared, w, g, {}, 0, decayed=True, epsilon="uncorrected")
    # 0.3 sqrt(0.01) / 0.1 / (0.3 + 1)
    assert other.weight == pytest.approx(2.0 * (1 - 0.05) - 0.1 * (0.3 / 1.3))


@pytest.mark.parametrize(
    "declared",
    [SGD(lr=0.1), SGD(lr=0.1, momentum=0.9, weight_decay=0.01), AdamW(lr=0.1, weight_decay=0.1)],
    ids=["plain", "momentum", "adamw"],
)
def test_the_gradient_comes_back_from_what_a_step_left(declared: object) -> None:
    draw = np.random.Generator(np.random.Philox(2))
    w, slots = draw.standard_normal(50), {}
    for step in range(3):
        g = draw.standard_normal(50)
        moved = optimizers.move(declared, w, g, slots, step, decayed=True)  # type: ignore[arg-type]
        again = optimizers.gradient_of(declared, w, moved.weight, slots, moved.slots, step, decayed=True)  # type: ignore[arg-type]
        assert again == pytest.approx(g, rel=1e-9, abs=1e-12)
        w, slots = moved.weight, moved.slots


@pytest.mark.parametrize("beta2", [0.95, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("epsilon", ["corrected", "uncorrected"])
def test_corrections_in_fp32_are_allowed_for_and_hardly_more(beta2: float, epsilon: Any) -> None:
    """What frameworks do, 1 - beta^t in fp32, stays within the bend; ten times as much would not."""
    declared = AdamW(lr=0.1, beta2=beta2)
    held1, held2 = np.float32(declared.beta1), np.float32(beta2)
    w, g = np.array([0.0]), np.array([1.0])
    slots: dict[str, np.ndarray] = {}
    for step in range(5):
        exact = optimizers.move(declared, w, g, slots, step, False, epsilon)
        bent = optimizers.move(declared, w, g, slots, step, False, epsilon, bent=True)
        bend = abs(bent.weight - exact.weight)
        whole1, whole2 = (float(np.float32(1) - held ** np.float32(step + 1)) for held in (held1, held2))
        first, second = exact.slots["first"], np.sqrt(exact.slots["second"])
        if epsilon == "corrected":
            moved = first / whole1 / (second / np.sqrt(whole2) + declared.epsilon)
        else:
            moved = first * (np.sqrt(whole2) / whole1) / (second + declared.epsilon)
        apart = abs(w - declared.lr * moved - exact.weight)
        assert apart <= bend < 20.0 * declared.lr * 2.0**-24 / (1.0 - beta2)
        second = held2 * np.float32(slots.get("second", np.zeros(1))) + (np.float32(1) - held2) * np.float32(
            1
        )
        allowed = abs(bent.slots["second"] - exact.slots["second"]) + 2.0**-23 * exact.slots["second"]
        assert abs(second - exact.slots["second"]) <= allowed
        w, slots = exact.weight, exact.slots


def test_warm_up_and_cosine() -> None:
    schedule = WarmupCosine(warmup=4, total=10, floor=0.1)
    assert [schedule.factor(step) for step in (0, 3, 4)] == [0.25, 1.0, 1.0]
    assert schedule.factor(7) == pytest.approx(0.55)
    assert schedule.factor(10) == schedule.factor(99) == pytest.approx(0.1)
