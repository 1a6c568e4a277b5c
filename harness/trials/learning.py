"""Accuracy against training time: epochs are timed, evaluations are not."""

from __future__ import annotations

import time
from typing import Any

from harness.record import Case, Learning, LearningPoint
from harness.trials.stage import Stage


def learn(stage: Stage, case: Case, epochs: int) -> Learning:
    """Train from the initial weights again; accuracy on the test set after each epoch, by NumPy."""
    workload: Any = stage.workload
    steps = int(workload.steps_per_epoch(case.preset, case.batch))
    target = float(workload.target_accuracy)
    stage.work.reset(stage.weights)
    curve: list[LearningPoint] = []
    for epoch in range(1, epochs + 1):
        start = time.perf_counter_ns()
        stage.stack.barrier(stage.work.run(steps))
        wall_ns = time.perf_counter_ns() - start
        accuracy = float(workload.test_accuracy(stage.work.weights()))
        curve.append(LearningPoint(epoch=epoch, train_wall_ns=wall_ns, test_accuracy=accuracy))
    reached = next((point.epoch for point in curve if point.test_accuracy >= target), None)
    return Learning(
        target_accuracy=target,
        curve=curve,
        epochs_to_target=reached,
        wall_ns_to_target=sum(point.train_wall_ns for point in curve[:reached]) if reached else None,
        final_accuracy=curve[-1].test_accuracy,
    )
