"""JAX: trees from canonical names, the optimizer's schedule, precision inside one process, sums in mixed precision."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from harness import frameworks, workloads
from harness.frameworks.jax.trees import named, nested
from harness.record import Case, Contender
from harness.workloads import Job
from harness.workloads.specification import AdamW, WarmupCosine
from tests.requirement import require

HAS_JAX = importlib.util.find_spec("jax") is not None and importlib.util.find_spec("optax") is not None


def test_numbered_parts_become_lists_and_all_else_dictionaries() -> None:
    flat = {"stem.kernel": 1, "stages.0.0.conv": 2, "stages.0.1.conv": 3, "stages.1.0.conv": 4, "bias": 5}
    tree = {"stem": {"kernel": 1}, "stages": [[{"conv": 2}, {"conv": 3}], [{"conv": 4}]], "bias": 5}
    assert nested(flat) == tree
    assert named(tree) == flat


def test_more_than_ten_layers_keep_their_order() -> None:
    flat = {f"blocks.{layer}.kernel": layer for layer in range(12)}
    assert nested(flat)["blocks"][10] == {"kernel": 10}
    assert list(named(nested(flat))) == list(flat)


def test_numbers_with_a_gap_stay_names() -> None:
    flat = {"blocks.1.mean": 1, "blocks.3.mean": 3}
    assert nested(flat) == {"blocks": {"1": {"mean": 1}, "3": {"mean": 3}}}
    assert named(nested(flat)) == flat


def test_no_tensors_are_an_empty_tree() -> None:
    assert nested({}) == {} and named({}) == {}


def stack_and_job(precision: Any, mode: Any = "compiled") -> tuple[Any, Job]:
    """JAX's stack, configured, and mlp's smoke preset in training with a batch of 4."""
    require("frameworks", HAS_JAX, "jax and optax are not installed")
    contender = Contender(stack="jax", mode=mode)
    case = Case(workload="mlp", preset="smoke", task="train", batch=4, cores=1)
    spec = workloads.get("mlp")
    preset = spec.presets["smoke"]
    stack = frameworks.load("jax")
    stack.configure(case, contender, 0)
    file = workloads.file("mlp", "jax")
    weights, batches = spec.weights(preset, 0), spec.batches(preset, 4, 0)
    return stack, Job(spec, file, preset, 4, precision, case, contender, weights, batches)


@pytest.mark.frameworks
def test_the_schedule_is_the_declared_one_to_float64() -> None:
    require("frameworks", HAS_JAX, "jax and optax are not installed")
    import jax
    import jax.numpy as jnp

    from harness.frameworks.jax.driver import schedule

    jax.config.update("jax_enable_x64", True)
    for warmup in (0, 1, 5):
        shape = WarmupCosine(warmup=warmup, total=40, floor=0.1)
        rate = schedule(AdamW(lr=0.01, schedule=shape))
        for step in range(60):
            declared = 0.01 * shape.factor(step)
            assert abs(float(rate(jnp.asarray(step, jnp.int32))) - declared) <= 1e-15


@pytest.mark.frameworks
def test_float64_and_float32_follow_each_other_in_one_process() -> None:
    losses = []
    for precision, dtype in (("fp64", np.float64), ("fp32", np.float32), ("fp64", np.float64)):
        stack, job = stack_and_job(precision)
        driver = frameworks.build(job, stack)
        output = driver.outputs(stack.barrier(driver.run(3)))["loss"]
        state = driver.state()
        assert output.dtype == dtype
        assert {array.dtype for array in state.tensors.values()} == {np.dtype(dtype)}
        assert {array.dtype for array in state.slots["velocity"].values()} == {np.dtype(dtype)}
        losses.append(float(output))
    assert losses[0] == losses[2]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6) and losses[0] != losses[1]


@pytest.mark.frameworks
@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_steps_change_no_array_that_was_handed_over_and_reset_undoes_them(mode: str) -> None:
    stack, job = stack_and_job("fp32", mode)
    kept = {name: array.copy() for name, array in job.weights.items()}
    driver = frameworks.build(job, stack)
    first = driver.outputs(stack.barrier(driver.run(3)))["loss"]
    after = driver.state()
    stack.barrier(driver.run(2))
    assert all(np.array_equal(kept[name], job.weights[name]) for name in kept)
    driver.reset(job.weights)
    fresh = driver.state()
    assert all(np.array_equal(kept[name], fresh.tensors[name]) for name in kept)
    assert not any(array.any() for array in fresh.slots["velocity"].values())
    assert driver.outputs(stack.barrier(driver.run(3)))["loss"] == first
    again = driver.state()
    assert all(np.array_equal(again.tensors[name], after.tensors[name]) for name in kept)


@pytest.mark.frameworks
def test_mixed_precision_sums_the_gradient_of_a_bias_in_fp32() -> None:
    require("frameworks", HAS_JAX, "jax and optax are not installed")
    import jax
    import jax.numpy as jnp

    from harness.frameworks.jax.driver import mixed

    jax.config.update("jax_enable_x64", False)
    factors = np.random.default_rng(0).uniform(0.9, 1.1, (2, 64, 64, 8)).astype(np.float32)

    def apply(params: Any, image: Any) -> Any:
        return (image + params["bias"]).astype(image.dtype)

    def loss(params: Any) -> Any:
        return (mixed(apply, buffered=False)(params, jnp.zeros(factors.shape)) * factors).sum()

    gradient = np.asarray(jax.jit(jax.grad(loss))({"bias": jnp.zeros(8)})["bias"])
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, factors.sum((0, 1, 2), dtype=np.float64), rtol=1e-3)
