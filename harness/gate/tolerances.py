"""How far a right implementation may be off: a multiple of what disturbed runs of the reference spread by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from harness.gate.noise import MULTIPLE
from harness.gate.reference import STEPS
from harness.record import Precision

# No tolerance is tighter: sums in another order. Inductor's moving mean of 8 x 16 x 16 values is off by 1.3e-6.
LEAST = {"fp32": 2e-6, "tf32": 1e-4, "bf16": 1e-3}
OF_A_SUM = 4  # roundings of what a moving statistic takes in
# Of a loss: what a tipped tie moves (a gradient of ResNet-50 by 2.5e-2) is not what a shape is looked at for.
TIE = 1e-3
TOO_WIDE = {"fp32": 1e-2, "tf32": 0.1, "bf16": 0.5}  # a tolerance above it checks nothing and is left out


class Trajectory(NamedTuple):
    """One float64 run from the initial state."""

    losses: list[float]
    outputs: dict[str, list[np.ndarray]]
    gradients: dict[str, np.ndarray]
    updates: dict[str, np.ndarray]


def measured(
    precision: Precision, exact: Trajectory, runs: list[Trajectory], weights: Any, bent: Trajectory,
    alike: bool = False,
) -> dict[str, float]:  # fmt: skip
    """``{what: tolerance}``: a multiple of the largest spread; what would be too wide to check anything is
    left out.

    ``alike``: updates of tensors of one kind (all biases, all gammas) share their spread. Adam moves an element
    whose gradient is next to nothing as far as any other, up or down; whether one goes the other way in six runs is
    luck: of five gammas alike four were off by 0.06, one by 0.008.
    """
    found: dict[str, float] = {}
    multiple, least = MULTIPLE[precision], LEAST[precision]
    spread = 0.0
    for step, loss in enumerate(exact.losses):
        # Errors add up: that a few runs happened to meet again at a later loss makes nobody surer of it. Without it
        # gpt's eleventh loss in bf16 was held five times closer than the first, and PyTorch was refused.
        spread = max(spread, *(abs(run.losses[step] - loss) for run in runs))
        allowed = max(multiple * spread, least * max(1.0, abs(loss)))
        found[f"loss {step + 1}"] = allowed + abs(bent.losses[step] - loss)
    for name, arrays in exact.outputs.items():
        whole = np.concatenate([array.ravel() for array in arrays])
        spreads = [
            _rel(np.concatenate([array.ravel() for array in run.outputs[name]]), whole) for run in runs
        ]
        found[f"outputs {name}"] = max(multiple * max(spreads), least)
    for name, array in exact.gradients.items():
        found[f"gradients {name}"] = max(
            multiple * max(_rel(run.gradients[name], array) for run in runs), least
        )
    apart = {
        name: max(_rel(run.updates[name], array) for run in runs) for name, array in exact.updates.items()
    }
    if alike:
        kinds: dict[str, float] = {}
        for name, spread in apart.items():
            kinds[_kind(name)] = max(kinds.get(_kind(name), 0.0), spread)
        apart = {name: kinds[_kind(name)] for name in apart}
    for name, array in exact.updates.items():
        # The framework's fp32 variable is rounded at each of the three steps. A buffer takes in a sum over the batch
        # as well, which a float64 run has exact: Inductor's moving means were off by 7.4 roundings after the three.
        rounding = (
            STEPS
            * (1 if name in exact.gradients else OF_A_SUM)
            * 2.0**-24
            * float(np.linalg.norm(weights[name]))
            / max(float(np.linalg.norm(array)), 1e-300)
        )
        found[f"updates {name}"] = (
            max(multiple * apart[name], least) + rounding + _rel(bent.updates[name], array)
        )
    return {
        what: float(f"{value:.3g}")
        for what, value in found.items()
        if value <= TOO_WIDE[precision] or what.startswith("loss")
    }


def _kind(name: str) -> str:
    """``gamma`` of ``blocks.0.ln2.gamma``."""
    return name.rpartition(".")[2]


def _rel(observed: np.ndarray, expected: np.ndarray) -> float:
    norm = float(np.linalg.norm(expected))
    apart = float(np.linalg.norm(observed - expected))
    return apart / norm if norm else (0.0 if apart == 0.0 else float("inf"))


def before_it_tips(exact: list[float], runs: list[list[float]], width: float) -> int:
    """How many losses, at least the first, every run has to ``width`` of the loss; of a loss below 1, to ``width``.

    A detector chooses among its own predictions. One proposal that falls otherwise moved a loss by 3 to 5 %, and what
    follows goes another way: right implementations were 38 % apart seven steps later.
    """
    wrong = (
        step
        for step, loss in enumerate(exact[1:], start=1)
        if any(abs(losses[step] - loss) > width * max(1.0, abs(loss)) for losses in runs)
    )
    return next(wrong, len(exact))
