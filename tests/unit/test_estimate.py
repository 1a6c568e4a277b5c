"""Estimates: from the most alike trials known, and without any from the protocol."""

from __future__ import annotations

import msgspec

from framebench.campaign.estimate import Estimator
from harness.record import Contender, Protocol, Record
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
    timing = slow.seconds("timing", record_factory.CASE, contender, smoke)
    assert timing - slow.seconds("memory", record_factory.CASE, contender, smoke) == 4.0


def test_an_unknown_keras_contender_takes_its_backends_time() -> None:
    """Keras on PyTorch, compiled, waits for the same compiler as PyTorch does; eager stacks say nothing of it."""
    compiled = Contender(stack="torch", mode="compiled")
    unknown = Contender(stack="keras-torch", mode="compiled", variant="loop")
    eager = [lasting(3.0, kind="parity", contender=record_factory.CONTENDERS[0]) for _ in range(9)]
    estimator = Estimator([lasting(30.0, kind="parity", contender=compiled), *eager])
    assert 30.0 < estimator.seconds("parity", record_factory.CASE, unknown, PROTOCOL) < 32.0
