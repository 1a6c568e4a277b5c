"""When does the warm-up rule stop, and how wrong is what follows? Simulated on series whose end level is known.

``python -m benchmarks.warmup_rule`` prints the table of the method page; ``--write`` puts it there. The rule is the
harness's own, run against a clock that only the simulated blocks move. A block takes 25 ms times its series' level,
with 2 % noise (5 % in the last series), and 3 % of the blocks take 30 % longer; 200 seeded runs per series. The
residual bias is the median of the 60 blocks after the warm-up over the level that the series ends at, minus 1,
averaged over the runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness import protocol
from harness.record import Protocol

RUNS = 200
AFTER = 60
NOISE, SPIKES, SPIKE = 0.02, 0.03, 1.3
BLOCK_NS = 25e6

Level = Callable[[int], float]


class Series(NamedTuple):
    """Level of block i, which ends at 1, and the standard deviation of the noise around it."""

    level: Level
    noise: float = NOISE


SERIES = {
    "flat": Series(lambda i: 1.0),
    "decay, τ = 12": Series(lambda i: 1.0 + 0.6 * math.exp(-i / 12)),
    "compiled at 25": Series(lambda i: 1.5 if i < 25 else 1.0),
    "heats up 4 %, τ = 40": Series(lambda i: 1.0 - 0.04 / 1.04 * math.exp(-i / 40)),
    "10 % faster at 45": Series(lambda i: 1.0 / 0.9 if i < 45 else 1.0),
    "decay, τ = 12, noisy": Series(lambda i: 1.0 + 0.6 * math.exp(-i / 12), noise=0.05),
}


class Fixed(NamedTuple):
    """Not a rule of ours: discard so many blocks, whatever they do."""

    blocks: int


def two_windows(window: int, tolerance: float, agreements: int) -> Protocol:
    """The rule without its minimum time, which would hide its own behaviour in blocks of 25 ms."""
    return Protocol(
        name="simulated",
        warmup_window=window,
        warmup_tolerance=tolerance,
        warmup_agreements=agreements,
        warmup_min_s=0.0,
    )


DEFAULT = two_windows(20, 0.01, 2)
RULES: dict[str, Fixed | Protocol] = {
    "discard 3": Fixed(3),
    "discard 10": Fixed(10),
    "K = 20, 1 %, twice (default)": DEFAULT,
    "K = 20, 1 %, once": two_windows(20, 0.01, 1),
    "K = 10, 2 %, once (smoke)": two_windows(10, 0.02, 1),
}


class Machine:
    """Steps that last as the series says, and the clock that they move."""

    def __init__(self, series: Series, seed: int) -> None:
        self.series, self.random = series, np.random.default_rng(seed)
        self.now, self.steps = 0.0, 0

    def run(self, n: int) -> int:
        for _ in range(n):
            noise = 1.0 + self.series.noise * self.random.normal()
            spike = SPIKE if self.random.random() < SPIKES else 1.0
            self.now += BLOCK_NS * self.series.level(self.steps) * noise * spike
            self.steps += 1
        return self.steps

    def barrier(self, output: int) -> int:
        return output

    def clock(self) -> int:
        return int(self.now)


class Outcome(NamedTuple):
    """Means over the runs: blocks discarded, residual bias; and the share of runs that ended at the cap."""

    discarded: float
    bias: float
    capped: float


def simulate(rule: Fixed | Protocol, series: Series, runs: int = RUNS) -> Outcome:
    """The rule on ``runs`` seeded runs of one series."""
    discarded, biases, capped = [], [], 0
    for seed in range(runs):
        machine = Machine(series, seed)
        if isinstance(rule, Fixed):
            machine.run(rule.blocks)
        else:
            warm = protocol.warm_up(machine.run, machine.barrier, rule, lambda: 0, machine.clock)
            capped += not warm.steady
        discarded.append(machine.steps)
        after = [protocol.timed(machine.run, machine.barrier, 1, machine.clock) for _ in range(AFTER)]
        biases.append(float(np.median(after)) / BLOCK_NS - 1.0)
    return Outcome(float(np.mean(discarded)), float(np.mean(biases)), capped / runs)


def table() -> str:
    """Markdown: one row per rule, one column per series, ``blocks / bias in %``."""
    rows = ["| Rule | " + " | ".join(SERIES) + " |", "|---" * (len(SERIES) + 1) + "|"]
    for name, rule in RULES.items():
        found = [simulate(rule, series) for series in SERIES.values()]
        cells = [f"{one.discarded:.0f} / {100 * one.bias:+.1f}".replace("-", "−") for one in found]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


BEGIN, END = "<!-- benchmarks.warmup_rule -->", "<!-- end -->"


def write(page: Path, rows: str) -> None:
    """Replace what stands between the two marks on the page."""
    head, mark, rest = page.read_text().partition(BEGIN)
    if not mark:
        raise SystemExit(f"{page}: the mark {BEGIN} is missing; put it back where the table belongs")
    page.write_text(f"{head}{BEGIN}\n\n{rows}\n\n{END}{rest.partition(END)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table on site/templates/method.md.j2")
    arguments = parser.parse_args()
    rows = table()
    print(rows)
    if arguments.write:
        write(Path(__file__).resolve().parent.parent / "site" / "templates" / "method.md.j2", rows)


if __name__ == "__main__":
    main()
