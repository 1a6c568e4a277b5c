"""The score against training time: epochs are timed, evaluations are not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from harness.frameworks import Driver, Stack
from harness.record import Learning, LearningPoint
from harness.trials.prepare import Prepared
from harness.workloads import Job, specification

NEXT_DRAW = 1000  # between the seeds of two draws of batches


def learn(prepared: Prepared, epochs: int, seed: int) -> Learning:
    """Train from the initial weights and batches of ``seed``; the score after each epoch, by NumPy."""
    job = prepared.job
    rule = _rule(job)
    curve: list[LearningPoint] = []
    for epoch, wall_ns in trained(prepared.driver, prepared.stack, job, epochs, seed):
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


def trained(driver: Driver, stack: Stack, job: Job, epochs: int, seed: int) -> Iterator[tuple[int, int]]:
    """After each epoch of training from the weights and batches of ``seed`` its number and wall time (ns)."""
    rule = _rule(job)
    drawn = [
        job.workload.batches(job.preset, job.batch, seed + NEXT_DRAW * draw) for draw in range(rule.draws)
    ]
    driver.feed({name: np.concatenate([batches[name] for batches in drawn]) for name in drawn[0]})
    driver.reset(job.workload.weights(job.preset, seed))
    for epoch in range(1, epochs + 1):
        start = time.perf_counter_ns()
        stack.barrier(driver.run(rule.steps(job.preset, job.batch)))
        yield epoch, time.perf_counter_ns() - start


def _rule(job: Job) -> specification.Learning:
    assert job.workload.learning is not None
    return job.workload.learning


def _reached(rule: specification.Learning, score: float) -> bool:
    return score >= rule.target if rule.higher else score <= rule.target
