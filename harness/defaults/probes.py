"""Tiny computations that show what a framework does; each is given the framework's part as a function."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def rounded(value: float, digits: int = 3) -> float:
    """To so many significant digits: what float32 leaves of a measured number."""
    return float(f"{value:.{digits}g}")


# Normalization


def running_statistics(mean: float, variance: float) -> tuple[float, str]:
    """The share of the old that BatchNorm keeps, and what it divides by for the new variance.

    ``mean`` and ``variance`` are its running statistics after one training step on the values 0 and 2; before, they
    were 0 and 1.
    """
    kept = 1 - mean
    of_batch = (variance - kept) / (1 - kept)
    return rounded(kept), divisor(of_batch)


def divisor(variance: float) -> str:
    """What a variance of the values 0 and 2 was divided by."""
    return {1: "n", 2: "n − 1"}[round(variance)]


def epsilon_under_root(normalize: Callable[[np.ndarray], ArrayLike]) -> float:
    """What a root mean square gets added: found with values so small that it shows."""
    small = 1e-4
    given = float(np.ravel(normalize(np.full((1, 8), small, np.float32)))[0])
    return rounded(small**2 * (1 / given**2 - 1))


# Optimizers: ``moved(gradient)`` is how far the first step of rate 1 goes down from 0


def first_step_epsilon(moved: Callable[[float], float]) -> float:
    """The epsilon of Adam's first step, as if it stood beside the gradient: moved = g / (g + epsilon)."""
    gradient = 1e-6
    return rounded(gradient / moved(gradient) - gradient)


def smallest_divisor(moved: Callable[[float], float]) -> float:
    """What a vanishing gradient is divided by."""
    gradient = 1e-12
    return rounded(gradient / moved(gradient))


DECAY, RATE, MOMENTUM = 0.5, 0.25, 0.5  # powers of two: every product is exact


def adam_decay(weight: float) -> str:
    """How Adam decays: ``weight`` was 1 before one step without a gradient, with RATE and DECAY."""
    return "apart from the gradient" if math.isclose(weight, 1 - RATE * DECAY) else "added to the gradient"


def sgd_decay(weight: float) -> str:
    """How SGD decays: the same after two steps with MOMENTUM, which only a decay in the gradient enters."""
    apart = (1 - RATE * DECAY) ** 2
    return "apart from the gradient" if math.isclose(weight, apart) else "added to the gradient"


def velocity(moved: float) -> str:
    """What SGD's velocity adds up; ``moved`` is a second step of rate 0, after one of rate 1, without a gradient."""
    return "gradients" if moved == 0 else "steps, with the rate of their time"


# Initial values


def distribution(values: ArrayLike) -> str:
    """The form and the size of values drawn at random."""
    drawn = np.asarray(values, np.float64)
    if np.ptp(drawn) == 0:
        return f"all {drawn.flat[0]:g}"
    if drawn.ndim == 2:
        short = drawn if drawn.shape[0] <= drawn.shape[1] else drawn.T
        if np.allclose(short @ short.T, np.eye(len(short)), atol=1e-3):
            return "orthogonal"
    deviation, largest = drawn.std(), abs(drawn).max()
    fourth = ((drawn - drawn.mean()) ** 4).mean() / deviation**4
    if math.isclose(fourth, 1.8, rel_tol=0.05):
        return f"uniform, ± {rounded(largest, 2):g}"
    if math.isclose(fourth, 3.0, rel_tol=0.05):
        return f"normal, standard deviation {rounded(deviation, 2):g}"
    return f"standard deviation {rounded(deviation, 2):g}, at most {rounded(largest, 2):g}"


# LSTM: ``cell(block, bias, memory)`` is the memory and the output of one step of one unit; all weights are 0 and all
# biases but that of gate ``block``


def gate_order(cell: Callable[[int, float, float], tuple[float, float]]) -> str:
    """The four gates as they lie in the weights."""
    return ", ".join(_gate(cell, block) for block in range(4))


def _gate(cell: Callable[[int, float, float], tuple[float, float]], block: int) -> str:
    if cell(block, 20.0, 0.0)[0] > 0.4:  # something enters an empty memory
        return "candidate"
    memory, output = cell(block, 20.0, 1.0)
    if memory > 0.9:
        return "forget"
    return "output" if output > 0.4 else "input"


def gate_activation(cell: Callable[[int, float, float], tuple[float, float]]) -> str:
    """The function of the forget gate, by its value at 1."""
    block = gate_order(cell).split(", ").index("forget")
    given = cell(block, 1.0, 1.0)[0]
    return "sigmoid" if math.isclose(given, 1 / (1 + math.exp(-1)), rel_tol=1e-5) else f"{given:.3g} at 1"


# Functions and losses


def gelu_form(value_at_one: float) -> str:
    exact = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    by_tanh = 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (1 + 0.044715)))
    return "exact (erf)" if abs(value_at_one - exact) < abs(value_at_one - by_tanh) else "approximate (tanh)"


UNEQUAL = np.ones((2, 3, 4), np.float32)
"""Its softmax is 1/2, 1/3 or 1/4 everywhere, by the axis that was taken."""


def softmax_axis(softmax_of_unequal: ArrayLike) -> str:
    size = round(1 / float(np.ravel(softmax_of_unequal)[0]))
    return {2: "the first", 3: "the middle", 4: "the last"}[size]


CLASSES = 4


def reduction(losses: ArrayLike) -> str:
    """What becomes of the losses of two samples that are ln 4 each."""
    given = np.asarray(losses)
    if given.shape == (2,):
        return "none"
    return "mean" if math.isclose(float(given), math.log(CLASSES), rel_tol=1e-5) else "sum"


def expects(loss: float) -> str:
    """What a loss takes 0.8 and 0.2 for, where the first is right."""
    return "probabilities" if math.isclose(loss, -math.log(0.8), rel_tol=1e-4) else "logits"


# Convolution and pooling, along one axis


COUNTED = (1.0, 10.0, 100.0, 1000.0)


def padding(length: int) -> str:
    """Of a convolution with three weights, by how many values it makes of eight."""
    return {6: "none", 8: "as long as the input"}[length]


def padded(sums: ArrayLike) -> str:
    """Where ``same`` puts the zero that it needs, by the two sums of three of COUNTED at stride 2."""
    first, last = np.ravel(sums)
    return {(111, 1100): "at the end", (11, 1110): "at the start"}[round(first), round(last)]


def pooling(length: int) -> str:
    """How far a window of two goes on, by how many values it makes of four."""
    return {2: "the window", 3: "1"}[length]


def at_the_edge(average: float) -> str:
    """What half a window of ones, the rest of it padding, is averaged to."""
    return {1.0: "left out", 0.5: "counted as 0"}[average]


def channels(shape: tuple[int, ...]) -> str:
    """Of an image of five channels."""
    return "channels first" if shape[1] == 5 else "channels last"


# Numbers and resizing


SMALL = np.full(1024, 1.5e-38, np.float32)
"""Half of it is below the smallest normal number of float32."""


def subnormals(half_of_small: ArrayLike) -> str:
    return "are kept" if np.asarray(half_of_small).any() else "become 0"


def corners(doubled: ArrayLike) -> str:
    """How 0 and 1 become four values, linearly."""
    return {0.25: "on the outer edges", 0.333: "on the outer values"}[round(float(np.ravel(doubled)[1]), 3)]


def picks(nearest: ArrayLike) -> str:
    """Which of the five values 0 to 4 three nearest neighbours are."""
    return ", ".join(f"{value:g}" for value in np.ravel(nearest))
