"""The declared optimizers in float64 NumPy: what every framework's own is held to."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from harness.workloads.specification import SGD, AdamW, Optimizer

FP32_ROUND_OFF = 2.0**-24
Epsilon = Literal["corrected", "uncorrected"]


class Moved(NamedTuple):
    """One tensor after one step: its new value and slots."""

    weight: np.ndarray
    slots: dict[str, np.ndarray]


def slot_names(declared: Optimizer) -> tuple[str, ...]:
    """The names of what it keeps beside each weight."""
    if isinstance(declared, AdamW):
        return ("first", "second")
    return ("velocity",) if declared.momentum else ()


def rate(declared: Optimizer, step: int) -> float:
    """Learning rate of step 0, 1, ..."""
    return declared.lr * (declared.schedule.factor(step) if declared.schedule else 1.0)


def move(
    declared: Optimizer,
    weight: np.ndarray,
    gradient: np.ndarray,
    slots: dict[str, np.ndarray],
    step: int,
    decayed: bool,
    epsilon: Epsilon = "corrected",
    bent: bool = False,
) -> Moved:
    """(W, g, slots) -> (W', slots') of step 0, 1, ...; ``gradient`` is the loss's, without any penalty.

    ``bent``: what Adam makes of 1 - beta is off by as much as betas and powers held in fp32 may bend it. At
    beta2 = 0.999 that is 1e-5 of it; PyTorch when it compiles, TensorFlow, optax and Keras compute some of it so.
    """
    w, g, lr = weight.astype(np.float64), gradient.astype(np.float64), rate(declared, step)
    decay = declared.weight_decay if decayed else 0.0
    if isinstance(declared, SGD):
        v = declared.momentum * slots.get("velocity", 0.0) + g + decay * w
        stepped = declared.momentum * v + g + decay * w if declared.nesterov else v
        return Moved(w - lr * stepped, {"velocity": v} if declared.momentum else {})
    share1, share2 = 1.0 - declared.beta1, 1.0 - declared.beta2
    whole1, whole2 = (1.0 - beta ** (step + 1) for beta in (declared.beta1, declared.beta2))
    if bent:  # all in the direction in which they add up
        share1, whole1 = share1 + _bend(declared.beta1, 0), whole1 - _bend(declared.beta1, step)
        share2, whole2 = share2 - _bend(declared.beta2, 0), whole2 + _bend(declared.beta2, step)
    first = declared.beta1 * slots.get("first", 0.0) + share1 * g
    second = declared.beta2 * slots.get("second", 0.0) + share2 * g * g
    if epsilon == "corrected":
        moved = first / whole1 / (np.sqrt(second / whole2) + declared.epsilon)
    else:
        moved = first * (np.sqrt(whole2) / whole1) / (np.sqrt(second) + declared.epsilon)
    return Moved(w * (1.0 - lr * decay) - lr * moved, {"first": first, "second": second})


def _bend(beta: float, step: int) -> float:
    """How far 1 - beta^(step + 1) may be off where beta and its power are held in fp32."""
    return (step + 1) * abs(float(np.float32(beta)) - beta) + FP32_ROUND_OFF


def gradient_of(
    declared: Optimizer,
    before: np.ndarray,
    after: np.ndarray,
    slots_before: dict[str, np.ndarray],
    slots_after: dict[str, np.ndarray],
    step: int,
    decayed: bool,
) -> np.ndarray:
    """The gradient that made a step, taken back from what the step left: exact but for the slots' own rounding.

    From the slots where there are any, so that neither the rate nor the weights' rounding hides it.
    """
    penalty = declared.weight_decay * before.astype(np.float64) if decayed else 0.0
    if isinstance(declared, AdamW):
        old = slots_before.get("first", np.zeros(1)).astype(np.float64)
        return np.asarray((slots_after["first"] - declared.beta1 * old) / (1.0 - declared.beta1))
    if declared.momentum:
        old = slots_before.get("velocity", np.zeros(1)).astype(np.float64)
        return np.asarray(slots_after["velocity"] - declared.momentum * old - penalty)
    return np.asarray((before.astype(np.float64) - after) / rate(declared, step) - penalty)
