"""Estimates: from the most alike trials known, and without any from the protocol."""

from __future__ import annotations

import msgspec
import pytest

from framebench.campaign.estimate import ASSUMED_PER_CORE, ASSUMED_PER_GPU, Estimator, step_seconds
from harness.record import Case, Contender, Protocol, Record
from tests import record_factory

PROTOCOL = Protocol(name="cpu")


def lasting(seconds: float, **changes: object) -> Record:
    return msgspec.structs.replace(record_factory.make_record(**changes), duration_ns=int(seconds * 1e9))


def test_the_same_trial_counts_most() -> None:
    mine, other = record_factory.CONTENDERS[0], record_factory.CONTENDERS[2]
    estimator = Estimator([lasting(20.0, contender=mine), lasting(60.0, contender=other)])
    assert 20.0 < estimator.seconds("timing", record_factory.CASE, mine, PROTOCOL) < 22.0
    assert 60.0 < estimator.seconds("timing", record_factory.CASE, other, PROTOCOL) < 62.0


def test_a_trial_that_failed_teaches_nothing() -> None:
    crashed = msgspec.structs.replace(record_factory.make_failed("crashed", "no"), duration_ns=10**12)
    blank, taught = Estimator([]), Estimator([crashed])
    contender = record_factory.CONTENDERS[0]
    arguments = ("timing", record_factory.CASE, contender, PROTOCOL)
    assert taught.seconds(*arguments) == blank.seconds(*arguments)


def test_a_new_protocol_starts_from_what_a_start_costs() -> None:
    contender = record_factory.CONTENDERS[1]
    slow = Estimator([lasting(40.0, kind="memory", contender=contender)])
    smoke = Protocol(name="smoke", warmup_min_s=0.5, warmup_max_s=4.0, measure_s=1.0)
    assert 40.0 < slow.seconds("memory", record_factory.CASE, contender, smoke) < 42.0
    small = msgspec.structs.replace(record_factory.MLP_CASE, preset="smoke")
    timing = slow.seconds("timing", small, contender, smoke)
    on_the_clock = timing - slow.seconds("memory", small, contender, smoke)
    assert on_the_clock == pytest.approx(0.5 + 1.5 + 1.0 + 1.0, abs=0.1)  # warm-up, block size, blocks


def test_without_any_record_the_flops_decide() -> None:
    blank, contender = Estimator([]), record_factory.CONTENDERS[0]
    small = msgspec.structs.replace(record_factory.MLP_CASE, preset="smoke")
    large = Case(workload="resnet50", preset="gpu", task="train", batch=32, cores=2)
    on_gpu = msgspec.structs.replace(large, device="gpu")
    times = [blank.seconds("timing", case, contender, PROTOCOL) for case in (small, on_gpu, large)]
    assert times == sorted(times) and times[2] > times[0] + 15.0
    assert step_seconds(large) == pytest.approx(
        step_seconds(on_gpu) * ASSUMED_PER_GPU / (2 * ASSUMED_PER_CORE)
    )


def test_learning_counts_where_a_workload_learns() -> None:
    blank, contender = Estimator([]), record_factory.CONTENDERS[0]
    followed = msgspec.structs.replace(PROTOCOL, learning_epochs=1000)
    train = record_factory.MLP_CASE
    infer = msgspec.structs.replace(train, task="infer")
    longer = [
        blank.seconds("timing", case, contender, followed)
        - blank.seconds("timing", case, contender, PROTOCOL)
        for case in (train, infer)
    ]
    assert longer[0] == pytest.approx(1000 * 44 * step_seconds(train)) and longer[1] == 0.0


def test_other_parameters_under_an_old_name_are_another_protocol() -> None:
    contender = record_factory.CONTENDERS[0]
    estimator = Estimator([lasting(300.0, contender=contender)])
    shorter = msgspec.structs.replace(PROTOCOL, measure_s=1.0)
    assert estimator.seconds("timing", record_factory.CASE, contender, shorter) < 60.0


def test_an_unknown_keras_contender_takes_its_backends_time() -> None:
    """Keras on PyTorch, compiled, waits for the same compiler as PyTorch does; eager stacks say nothing of it."""
    compiled = Contender(stack="torch", mode="compiled")
    unknown = Contender(stack="keras-torch", mode="compiled", variant="loop")
    eager = [lasting(3.0, kind="parity", contender=record_factory.CONTENDERS[0]) for _ in range(9)]
    estimator = Estimator([lasting(30.0, kind="parity", contender=compiled), *eager])
    assert 30.0 < estimator.seconds("parity", record_factory.CASE, unknown, PROTOCOL) < 32.0
