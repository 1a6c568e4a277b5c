"""Long training stays finite, resets are complete, and the caller's arrays are left alone."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tests.integration.test_parity import run
from tests.requirement import require

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_convstack_learns_its_batches_and_stays_finite_for_2000_steps(seed: int) -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    import torch

    from harness.workloads.convstack import torch as torch_file
    from harness.workloads.convstack.spec import SPEC
    from tests.unit.test_workload_convstack import load_weights

    size, channels, classes, *_ = SPEC.presets["smoke"]
    model = torch_file.ConvStack(size, channels, classes)
    load_weights(model, SPEC.weights("smoke", seed))
    optimizer = torch.optim.SGD(model.parameters(), lr=SPEC.learning_rate, momentum=SPEC.momentum)
    images, labels = SPEC.batches("smoke", 8, seed)
    x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 1, 4, 2, 3)))
    y = torch.from_numpy(labels)
    losses = []
    for step in range(2000):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[step % len(x)]), y[step % len(y)])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert max(losses) < 2 * losses[0]
    assert losses[-1] < 0.1 * losses[0]


STACKS = [
    ("torch", "eager", "-"),
    ("tensorflow", "compiled", "graph"),
    ("keras-tensorflow", "compiled", "graph-loop"),
    ("keras-torch", "eager", "loop"),
    ("keras-torch", "eager", "direct"),
    ("keras-jax", "compiled", "loop"),
    ("keras-jax", "compiled", "direct"),
]


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: "-".join(stack))
def test_reset_starts_again_from_the_same_state_and_batches_keep_their_order(
    stack: tuple[str, str, str],
) -> None:
    answer = run(stack[0], "reset_and_order", *stack[1:])[0]
    assert answer["given weights unchanged"]
    assert answer["returned weights unchanged"]
    assert answer["same after reset"]
    assert answer["5 steps are 2 and 3 steps"]
    assert answer["steps go on from batch to batch"]
