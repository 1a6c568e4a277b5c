"""What is learned from: as many draws of batches as the workload declares, from the seed's own weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness import workloads
from harness.trials.learning import NEXT_DRAW, trained
from harness.workloads.specification import Learning


class Followed:
    """A driver that only notes what it is told."""

    def __init__(self) -> None:
        self.fed: Mapping[str, np.ndarray] = {}
        self.steps: list[int] = []

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self.fed = batches

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.started = tensors

    def run(self, n: int) -> int:
        self.steps.append(n)
        return n


def followed(draws: int, seed: int) -> tuple[Followed, Any, list[int]]:
    workload = workloads.get("convstack")
    rule = Learning(
        measure="test accuracy", target=1.0, steps=lambda preset, batch: 7, score=lambda *_: 0.0, draws=draws
    )
    job: Any = SimpleNamespace(
        workload=replace(workload, learning=rule), preset=workload.presets["smoke"], batch=2
    )
    driver: Any = Followed()
    stack: Any = SimpleNamespace(barrier=lambda output: output)
    return driver, job, [epoch for epoch, wall_ns in trained(driver, stack, job, 3, seed) if wall_ns > 0]


def test_it_goes_through_every_draw_in_turn() -> None:
    driver, job, epochs = followed(draws=3, seed=5)
    assert epochs == [1, 2, 3] and driver.steps == [7, 7, 7]
    alone = [job.workload.batches(job.preset, 2, seed) for seed in (5, 5 + NEXT_DRAW, 5 + 2 * NEXT_DRAW)]
    for name, fed in driver.fed.items():
        assert (fed == np.concatenate([batches[name] for batches in alone])).all()
        assert not (alone[0][name] == alone[1][name]).all()
    for name, array in job.workload.weights(job.preset, 5).items():
        assert (driver.started[name] == array).all()


def test_one_draw_is_what_is_timed() -> None:
    driver, job, _ = followed(draws=1, seed=0)
    timed = job.workload.batches(job.preset, 2, 0)
    assert all((driver.fed[name] == timed[name]).all() for name in timed)
