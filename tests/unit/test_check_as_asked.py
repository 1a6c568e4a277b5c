"""What the protocol does with any contender on any machine, ``check`` believes."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from framebench.checking import History, as_asked
from framebench.checking.known import Known
from harness import protocol
from harness.record import Block, ObserverEffect, Phase, Protocol, Record, Timing
from tests.record_factory import make_trials

ROOT = Path(__file__).resolve().parents[2]


class Machine:
    """A clock that the work itself turns: steps of some length, that drift, stumble, and cost a call each."""

    def __init__(self, chance: random.Random) -> None:
        self.now, self.chance = 0, chance
        self.step_ns = 10 ** chance.uniform(4.0, 9.5)
        self.trend, self.spread = chance.choice((1.0, 0.999, 1.001)), chance.choice((0.0, 0.02, 0.3))
        self.call_ns = 10 ** chance.uniform(3.0, 7.0)
        self.stumbles = chance.choice((0.0, 0.01))

    def run(self, steps: int) -> None:
        self.step_ns *= self.trend
        factor = max(0.05, self.chance.gauss(1.0, self.spread))
        stall = 5e9 if self.chance.random() < self.stumbles else 0.0
        self.now += max(1, int(steps * self.step_ns * factor + self.call_ns + stall))

    def barrier(self, output: object) -> object:
        self.now += 500
        return output

    def clock(self) -> int:
        self.now += 40
        return self.now


def measured(chance: random.Random) -> Record:
    """A trial by the protocol's own code."""
    machine = Machine(chance)
    window = chance.choice((2, 5, 20))
    agreements = chance.choice((1, 2, 3))
    least_s = chance.choice((0.0, 0.5, 3.0))
    rules = Protocol(
        name="made-up",
        warmup_block_ms=chance.choice((5.0, 25.0)),
        warmup_window=window,
        warmup_agreements=agreements,
        warmup_min_s=least_s,
        warmup_max_blocks=2 * window + agreements * window + chance.choice((0, 10, 200)),
        warmup_max_s=least_s + chance.choice((0.1, 2.0, 30.0)),
        block_ms=chance.choice((20.0, 100.0)),
        measure_blocks=chance.choice((1, 10, 30)),
        measure_s=chance.choice((0.0, 1.0, 3.0)),
        measure_max_s=chance.choice((3.0, 20.0)),
        observer_blocks=chance.choice((0, 1, 4)),
    )
    run, barrier, clock = machine.run, machine.barrier, machine.clock
    warmup = protocol.warm_up(run, barrier, rules, lambda: 0, clock)
    size = protocol.block_size(run, barrier, rules, warmup.steps_per_block, clock)

    def blocks(rules: Protocol) -> tuple[list[Block], int]:
        start = machine.now
        found, _ = protocol.measure(run, barrier, rules, size.steps, clock, cpu_clock=lambda: 0)
        return found, machine.now - start

    few = msgspec.structs.replace(rules, measure_blocks=max(1, rules.observer_blocks), measure_s=0.0)
    observer = (
        ObserverEffect(first="on", on=blocks(few)[0], off=blocks(few)[0]) if rules.observer_blocks else None
    )
    timed, wall_ns = blocks(rules)
    record = next(one for one in make_trials(kinds=("timing",), rounds=1) if one.timing)
    assert record.timing is not None
    timing: Timing = msgspec.structs.replace(
        record.timing,
        warmup=warmup,
        blocks=timed,
        barrier_ns=size.barrier_ns,
        observer=observer,
        latency=None,
    )
    return msgspec.structs.replace(
        record,
        protocol=rules,
        timing=timing,
        phases=[Phase(name="blocks", wall_ns=wall_ns, cpu_ns=0)],
        calibration=None,
        learning=None,
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_trial_of_the_protocol_is_refused(seed: int) -> None:
    record = measured(random.Random(seed))
    known = Known(History(ROOT), {}, {}, ROOT / "results")
    refused = [str(doubt) for doubt in as_asked.doubts(record, known) if doubt.refused]
    assert refused == [], record.timing
