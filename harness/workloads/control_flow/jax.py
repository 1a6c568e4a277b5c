"""control_flow in JAX: ``lax``'s operations, op by op too; a traced value cannot decide Python's own ``if``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from harness.workloads.control_flow.spec import Preset


def dense(x: Array, layer: Any) -> Array:  # (B, n_in) -> (B, n_out)
    return x @ layer["kernel"] + layer["bias"]


def early_exit(
    params: Any, x: Array, enough: float
) -> tuple[Array, Array]:  # (B, width) -> (B, classes), (B,)
    state = (x, jnp.zeros(x.shape[0], int))
    for block in params["blocks"]:

        def deeper(state: tuple[Array, Array], block: Any = block) -> tuple[Array, Array]:
            x, taken = state
            return x + jnp.tanh(dense(x, block)), taken + 1

        state = lax.cond(jnp.square(state[0]).mean() < enough, deeper, lambda state: state, state)
    return dense(state[0], params["classifier"]), state[1]


def converge(
    params: Any, x: Array, enough: float, passes: int
) -> tuple[Array, Array]:  # (B, width) -> (B, classes), (B,)
    def once(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        z, _, taken = state
        new = jnp.tanh(dense(z, params["layer"]) + x)
        return new, jnp.abs(new - z).max(), taken + 1

    def going(state: tuple[Array, Array, Array]) -> Array:
        _, change, taken = state
        return (change >= enough) & (taken[0] < passes)

    start = (jnp.zeros_like(x), jnp.array(jnp.inf, x.dtype), jnp.zeros(x.shape[0], int))
    z, _, taken = lax.while_loop(going, once, start)
    return dense(z, params["classifier"]), taken


def tree(params: Any, most: int, tokens: Array, left: Array, right: Array, joints: Array) -> Array:
    every = jnp.arange(tokens.shape[0])[:, None]
    nodes = params["embedding"]["embeddings"][tokens]  # (B, leaves, width)
    nodes = jnp.pad(nodes, ((0, 0), (0, most - 1), (0, 0)))  # room for the joints

    def join(joint: Array, nodes: Array) -> Array:
        pair = nodes[every, jnp.stack((left[:, joint], right[:, joint]), 1)]  # (B, 2, width)
        new = jnp.tanh(dense(pair.reshape(tokens.shape[0], -1), params["join"]))  # (B, width)
        return nodes.at[:, most + joint].set(new)

    nodes = lax.fori_loop(0, joints, join, nodes)
    return dense(nodes[:, most + joints - 1], params["classifier"])  # (B, classes)


def model(preset: Preset) -> Callable[..., Any]:
    match preset.form:
        case "early_exit":
            return lambda params, x: early_exit(params, x, preset.enough)
        case "converge":
            return lambda params, x: converge(params, x, preset.enough, preset.passes)
        case "tree":
            return lambda params, *inputs: tree(params, preset.leaves, *inputs)
