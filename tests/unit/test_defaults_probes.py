"""The tiny computations that show a default, each with the forms that it has to tell apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.defaults import probes


def test_batch_norm_tells_both_conventions_and_both_divisors() -> None:
    for kept in (0.9, 0.99):
        for variance, divisor in ((1.0, "n"), (2.0, "n − 1")):
            seen = probes.running_statistics((1 - kept) * 1.0, kept + (1 - kept) * variance)
            assert seen == (kept, divisor)


def test_epsilon_under_a_root_is_found() -> None:
    for epsilon in (1e-5, 1e-6, 1.19e-7):
        found = probes.epsilon_under_root(lambda x, e=epsilon: x / np.sqrt((x**2).mean() + np.float32(e)))
        assert found == epsilon


def test_adams_epsilon_is_told_from_one_before_the_correction() -> None:
    assert probes.first_step_epsilon(lambda g: g / (abs(g) + 1e-8)) == 1e-8
    assert probes.first_step_epsilon(lambda g: g / (abs(g) + 1e-7 / math.sqrt(1e-3))) == 3.16e-6


def test_an_epsilon_below_the_root_is_told_from_one_beside_it() -> None:
    share = 0.01
    assert probes.smallest_divisor(lambda g: g / (math.sqrt(share * g * g) + 1e-8)) == pytest.approx(
        1e-8, 1e-3
    )
    assert probes.smallest_divisor(lambda g: g / math.sqrt(share * g * g + 1e-8)) == 1e-4


def decayed(in_gradient: bool, steps: int) -> float:
    weight, velocity = 1.0, 0.0
    for _ in range(steps):
        velocity = probes.MOMENTUM * velocity + (probes.DECAY * weight if in_gradient else 0)
        weight -= probes.RATE * (velocity if in_gradient else probes.DECAY * weight)
    return weight


def test_a_decay_in_the_gradient_is_told_from_one_apart() -> None:
    assert probes.sgd_decay(decayed(True, 2)) == "added to the gradient"
    assert probes.sgd_decay(decayed(False, 2)) == "apart from the gradient"
    assert probes.adam_decay(1 - probes.RATE) == "added to the gradient"  # Adam makes 1 of any gradient
    assert probes.adam_decay(decayed(False, 1)) == "apart from the gradient"


def test_velocities_are_told_apart() -> None:
    assert probes.velocity(0.0) == "gradients"
    assert probes.velocity(-0.5) == "steps, with the rate of their time"


def test_forms_of_drawn_values() -> None:
    rng = np.random.default_rng(1)
    assert probes.distribution(np.zeros(8)) == "all 0"
    assert probes.distribution(np.ones(8)) == "all 1"
    assert probes.distribution(rng.uniform(-0.05, 0.05, (256, 512))) == "uniform, ± 0.05"
    assert probes.distribution(rng.normal(0, 1, (256, 512))) == "normal, standard deviation 1"
    assert probes.distribution(np.linalg.qr(rng.normal(size=(256, 64)))[0].T) == "orthogonal"
    sums = rng.uniform(-1, 1, 100_000) + rng.uniform(-1, 1, 100_000)
    assert probes.distribution(sums).startswith("standard deviation 0.82, at most ")


def lstm(order: list[str], gate: str = "sigmoid"):  # type: ignore[no-untyped-def]
    def activation(x: float) -> float:
        return 1 / (1 + math.exp(-x)) if gate == "sigmoid" else min(max((x + 3) / 6, 0), 1)

    def cell(block: int, bias: float, memory: float) -> tuple[float, float]:
        at = {name: bias if number == block else 0.0 for number, name in enumerate(order)}
        after = activation(at["forget"]) * memory + activation(at["input"]) * math.tanh(at["candidate"])
        return after, activation(at["output"]) * math.tanh(after)

    return cell


@pytest.mark.parametrize(
    "order", [["input", "forget", "candidate", "output"], ["output", "candidate", "input", "forget"]]
)
def test_the_order_of_the_gates_is_found_by_what_they_do(order: list[str]) -> None:
    assert probes.gate_order(lstm(order)) == ", ".join(order)
    assert probes.gate_activation(lstm(order)) == "sigmoid"
    assert probes.gate_activation(lstm(order, "hard")) == "0.667 at 1"


def test_functions_and_losses() -> None:
    assert probes.gelu_form(0.8413447) == "exact (erf)"
    assert probes.gelu_form(0.8411920) == "approximate (tanh)"
    for axis, name in enumerate(("the first", "the middle", "the last")):
        softmax = probes.UNEQUAL / probes.UNEQUAL.sum(axis, keepdims=True)
        assert probes.softmax_axis(softmax) == name
    each = math.log(probes.CLASSES)
    assert [probes.reduction(x) for x in ([each, each], each, 2 * each)] == ["none", "mean", "sum"]
    assert probes.expects(-math.log(0.8)) == "probabilities"
    assert probes.expects(math.log(1 + math.exp(-0.6))) == "logits"


def test_padding_at_the_start_is_told_from_padding_at_the_end() -> None:
    values = np.array(probes.COUNTED)
    for padding, where in (((0, 1), "at the end"), ((1, 0), "at the start")):
        row = np.pad(values, padding)
        sums = [row[start : start + 3].sum() for start in range(0, len(row) - 2, 2)]
        assert probes.padded(sums) == where


def test_numbers_and_resizing() -> None:
    half = probes.SMALL * np.float32(0.5)
    assert probes.subnormals(half) == "are kept"
    assert probes.subnormals(np.zeros_like(half)) == "become 0"
    assert probes.corners([0, 0.25, 0.75, 1]) == "on the outer edges"
    assert probes.corners([0, 1 / 3, 2 / 3, 1]) == "on the outer values"
    assert probes.picks(np.array([0.0, 2.0, 4.0])) == "0, 2, 4"
    assert probes.channels((1, 5, 8, 8)) == "channels first"
    assert probes.channels((1, 8, 8, 5)) == "channels last"
