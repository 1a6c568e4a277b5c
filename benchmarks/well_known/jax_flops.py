"""FLOPs of the products and convolutions of a function that JAX traces, a multiply-add counted as two."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr


def flops(function: Callable[..., Any], *arguments: Any) -> int:
    """Nothing is computed. What runs inside a loop counts as often as the loop runs; ``lax.while_loop`` counts once."""
    return _of(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of(jaxpr: Jaxpr) -> int:
    return sum(_one(equation) for equation in jaxpr.eqns)


def _one(equation: Any) -> int:
    name, parameters = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, order = equation.invars[1].aval.shape, parameters["dimension_numbers"].rhs_spec
        taps = math.prod(kernel) // kernel[order[0]]  # of one output value
        return 2 * math.prod(equation.outvars[0].aval.shape) * taps
    inner = (
        one for value in parameters.values() for one in (value if isinstance(value, tuple) else (value,))
    )
    bodies = [one.jaxpr if isinstance(one, ClosedJaxpr) else one for one in inner]
    once = sum(_of(one) for one in bodies if isinstance(one, Jaxpr))
    return once * parameters["length"] if name == "scan" else once
