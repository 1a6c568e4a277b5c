"""The score against training time: epochs are timed, evaluations are not."""

from __future__ import annotations

import time

from harness.record import Learning, LearningPoint
from harness.trials.prepare import Prepared
from harness.workloads import specification


def learn(prepared: Prepared, epochs: int, seed: int) -> Learning:
    """Train from the initial weights and batches of ``seed``; the score after each epoch, by NumPy."""
    job = prepared.job
    rule = job.workload.learning
    assert rule is not None
    steps = rule.steps(job.preset, job.batch)
    prepared.driver.feed(job.workload.batches(job.preset, job.batch, seed))
    prepared.driver.reset(job.workload.weights(job.preset, seed))
    curve: list[LearningPoint] = []
    for epoch in range(1, epochs + 1):
        start = time.perf_counter_ns()
        prepared.stack.barrier(prepared.driver.run(steps))
        wall_ns = time.perf_counter_ns() - start
        score = float(rule.score(job.preset, prepared.driver.state().tensors))
        curve.append(LearningPoint(epoch=epoch, train_wall_ns=wall_ns, score=score))
    reached = next((point.epoch for point in curve if _reached(rule, point.score)), None)
    return Learning(
        measure=rule.measure,
        target=rule.target,
        higher=rule.higher,
        curve=curve,
        epochs_to_target=reached,
        wall_ns_to_target=sum(point.train_wall_ns for point in curve[:reached]) if reached else None,
        final_score=curve[-1].score,
    )


def _reached(rule: specification.Learning, score: float) -> bool:
    return score >= rule.target if rule.higher else score <= rule.target
