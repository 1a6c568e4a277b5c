"""Does the statistics keep its promises? Coverage, false winners and power, simulated with the real functions.

``python -m benchmarks.coverage`` prints the tables and writes them between the markers of the method page.
Everything is seeded: the same code gives the same tables. Simulated are ln times: round + contender + error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.bootstrap import MIN_TRIALS, quantile_interval
from framebench.statistics.comparison import Comparison, compare_case, paired, welch
from framebench.statistics.family import judge_case
from framebench.statistics.interval import time_interval
from framebench.statistics.looks import LOOKS, stop
from framebench.statistics.power import power, rounds_needed
from framebench.statistics.verdict import margin

METHOD_PAGE = Path(__file__).resolve().parent.parent / "site" / "templates" / "method.md.j2"
BEGIN, END = "<!-- simulated: begin (python -m benchmarks.coverage) -->", "<!-- simulated: end -->"

ROUNDS = (3, 4, 5, 7, 10, 14, 20)
ROUND_EFFECT = 0.05  # spread of the rounds' common ups and downs
SPREAD = 0.015  # of one trial about its round
TRUTH = math.log(1.05)
STEPS = 100  # per latency pass
RESAMPLES = 2000  # of each bootstrap here; pages use 10,000
EDGE = margin(None)  # ln 1.01

Random = np.random.Generator
Held = Callable[[Random, int], bool]
"""One simulated campaign of so many rounds: did the interval hold the truth?"""


class Row(NamedTuple):
    """A line of the table of coverage: what was asked, with how many simulations, the shares by rounds."""

    name: str
    simulations: int
    shares: list[float | None]


def main() -> None:
    """Simulate, print, and write the tables into the method page."""
    started = time.process_time()
    cases = list(_watched())
    text = "\n\n".join([coverage(), false_winners(cases), stopping(cases), powers()])
    print(text)
    write(METHOD_PAGE, text)
    print(f"written to {METHOD_PAGE.name}; {time.process_time() - started:.0f} s of CPU")


def write(page: Path, text: str) -> None:
    """Replace what stands between the markers of the page; ``ValueError`` if it has none."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page}: the lines {BEGIN} and {END} are missing; put them back")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


# --- coverage ------------------------------------------------------------------------------------


def coverage() -> str:
    """How often nominal 95 % intervals hold the truth, by number of rounds."""
    rows = [
        _covered("one contender: t on ln times", 10_000, _one(_normal)),
        _covered("the same, one trial in ten 5 % slow", 10_000, _one(_skewed)),
        _covered("pair: paired t", 10_000, _pair),
        _covered("pair without shared rounds: Welch's t", 10_000, _welch(1.0)),
        _covered("the same, spreads 1 : 3", 10_000, _welch(3.0)),
        *(_covered(f"case of {k} contenders", 4000, _case([1.0] * k)) for k in (3, 7, 17)),
        _covered("case of 7, the contender 3 times as unsteady", 4000, _case([1, 3, 1, 1, 1, 1, 1])),
        _covered("case of 7, another one 3 times as unsteady", 4000, _case([1, 1, 3, 1, 1, 1, 1])),
        _covered("latency p50: bootstrap", 2000, _quantile(0.5, STEADY), MIN_TRIALS),
        _covered("latency p95: bootstrap", 2000, _quantile(0.95, STEADY), MIN_TRIALS),
        _covered(
            "the same, a step in ten delayed by 20 % on average", 2000, _quantile(0.95, DELAYED), MIN_TRIALS
        ),
        _covered("the same, a step in twelve stalled by half", 2000, _quantile(0.95, STALLED), MIN_TRIALS),
        _covered("not used: steps drawn anew too, steady", 300, _steps_drawn_anew_too(STEADY), MIN_TRIALS),
        _covered("not used: steps drawn anew too, delayed", 300, _steps_drawn_anew_too(DELAYED), MIN_TRIALS),
    ]
    lines = [
        "**Coverage**: how often, in per cent, a nominal 95 % interval holds the truth, by number of rounds. Trials "
        f"spread by {100 * SPREAD:.1f} % about their round (the unsteady one by {300 * SPREAD:.1f} %), rounds by "
        f"{100 * ROUND_EFFECT:.0f} %; latency passes have {STEPS} steps that spread by {100 * STEADY.spread:.0f} %, "
        f"bootstraps {RESAMPLES:,} resamples.",
        "",
        _head(["What", *map(str, ROUNDS), "simulations", "error ±"]),
    ]
    for row in rows:
        cells = [f"{100 * share:.1f}" if share is not None else "–" for share in row.shares]
        lines.append(_line([row.name, *cells, f"{row.simulations:,}", f"{100 * _error(0.95, row):.1f}"]))
    return "\n".join(lines)


def _covered(name: str, simulations: int, held: Held, least: int = 0) -> Row:
    shares: list[float | None] = []
    for rounds in ROUNDS:
        random = np.random.default_rng([rounds, *name.encode()])
        hits = sum(held(random, rounds) for _ in range(simulations)) if rounds >= least else None
        shares.append(None if hits is None else hits / simulations)
    return Row(name, simulations, shares)


def _holds(found: Comparison | None, truth: float) -> bool:
    assert found is not None and found.low is not None and found.high is not None
    return found.low <= truth <= found.high


def _normal(random: Random, rounds: int) -> np.ndarray:
    return random.normal(0.0, SPREAD, rounds)


def _skewed(random: Random, rounds: int) -> np.ndarray:
    """Mean 0: what a trial in ten loses is given to the others."""
    slow = 0.05 * (random.random(rounds) < 0.1)
    return random.normal(0.0, SPREAD, rounds) + slow - 0.005


def _one(errors: Callable[[Random, int], np.ndarray]) -> Held:
    def held(random: Random, rounds: int) -> bool:
        found = time_interval(np.exp(TRUTH + errors(random, rounds)).tolist())
        assert found.low is not None and found.high is not None
        return found.low <= math.exp(TRUTH) <= found.high

    return held


def _pair(random: Random, rounds: int) -> bool:
    return _holds(paired(TRUTH + random.normal(0.0, SPREAD * math.sqrt(2), rounds)), TRUTH)


def _welch(factor: float) -> Held:
    def held(random: Random, rounds: int) -> bool:
        contender = TRUTH + random.normal(0.0, factor * SPREAD, rounds)
        return _holds(welch(contender, random.normal(0.0, SPREAD, rounds)), TRUTH)

    return held


def _case(spreads: Sequence[float]) -> Held:
    """The second column against the first, in a case whose contenders have these spreads (times ``SPREAD``)."""

    def held(random: Random, rounds: int) -> bool:
        table = random.normal(0.0, ROUND_EFFECT, (rounds, 1)) + random.normal(
            0.0, SPREAD * np.array(spreads), (rounds, len(spreads))
        )
        table[:, 1] += TRUTH
        return _holds(compare_case(table, 0)[1], TRUTH)

    return held


class Steps(NamedTuple):
    """ln time of one step about its trial: normal, and a ``share`` of the steps delayed.

    A delay is exponential with mean ``delay``, or all of it where ``stall``.
    """

    spread: float = 0.03
    share: float = 0.0
    delay: float = 0.0
    stall: bool = False

    def draw(self, random: Random, trials: int) -> np.ndarray:
        """(trials, STEPS) of times, each trial with an offset of its own."""
        shape = trials, STEPS
        delays = self.delay if self.stall else random.exponential(self.delay or 1.0, shape)
        delayed = delays * (random.random(shape) < self.share)
        return np.exp(
            random.normal(0.0, SPREAD, (trials, 1)) + random.normal(0.0, self.spread, shape) + delayed
        )

    def quantile(self, level: float) -> float:
        """The true geometric mean over trials of a trial's quantile, from 40,000 trials."""
        random = np.random.default_rng(0)
        return float(np.exp(np.log(np.percentile(self.draw(random, 40_000), 100 * level, axis=1)).mean()))


STEADY, DELAYED, STALLED = Steps(), Steps(share=0.1, delay=0.2), Steps(share=0.08, delay=0.4, stall=True)


def _quantile(level: float, steps: Steps) -> Held:
    truth = steps.quantile(level)

    def held(random: Random, rounds: int) -> bool:
        times = np.percentile(steps.draw(random, rounds), 100 * level, axis=1)
        found = quantile_interval(times.tolist(), int(random.integers(2**32)), resamples=RESAMPLES)
        assert found.low is not None and found.high is not None
        return found.low <= truth <= found.high

    return held


def _steps_drawn_anew_too(steps: Steps) -> Held:
    """The plain bootstrap of two levels, steps within trials: what the method would be without its corrections."""
    truth = math.log(steps.quantile(0.95))

    def held(random: Random, rounds: int) -> bool:
        trials = steps.draw(random, rounds)
        chosen = random.integers(rounds, size=(300, rounds, 1))
        again = trials[chosen, random.integers(STEPS, size=(300, rounds, STEPS))]
        means = np.log(np.percentile(again, 95, axis=2)).mean(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        return bool(low <= truth <= high)

    return held


# --- verdicts ------------------------------------------------------------------------------------

CONTENDERS = 7
CASES = 3000
FIXED = (5, 10, 20)  # rounds, for comparison


class Watched(NamedTuple):
    """One simulated case over 20 rounds: by look, the wrong verdicts; and where the looks stopped it."""

    wrong: dict[int, int]
    stopped: int
    held: int  # comparisons whose interval held the truth where it stopped


class Scenario(NamedTuple):
    """Simulated cases with one true difference (ln) and one spread of trials (ln)."""

    difference: float
    spread: float
    cases: list[Watched]


def _watch(random: Random, spread: float, difference: float) -> Watched:
    """A case in which every contender is ``difference`` (ln) slower than the baseline, seen at every look."""
    table = random.normal(0.0, spread, (LOOKS[-1], CONTENDERS))
    table[:, 1:] += difference
    wrong: dict[int, int] = {}
    stopped, held = 0, 0
    for look in LOOKS:
        judged = [one for one in judge_case(table[:look], 0, EDGE) if one]
        wrong[look] = sum(one.verdict in ("faster", "slower") for one in judged)
        if not stopped and stop(look, [one.comparison.half_width for one in judged]):
            stopped = look
            held = sum(_holds(one.comparison, difference) for one in judged)
    return Watched(wrong, stopped, held)


def _watched() -> Iterable[Scenario]:
    """Equals, and contenders at the edge of what counts as equal, on ever noisier hosts."""
    for difference in (0.0, EDGE):
        for spread in (0.005, 0.01, 0.015):
            random = np.random.default_rng([int(1e4 * spread), int(1e4 * difference)])
            yield Scenario(difference, spread, [_watch(random, spread, difference) for _ in range(CASES)])


def false_winners(scenarios: Sequence[Scenario]) -> str:
    """How often a case of equals gets a winner or loser, with a fixed number of rounds and with looks."""
    lines = [
        f"**False winners**: of {CASES:,} simulated cases of {CONTENDERS} contenders that do not differ (A/A), or "
        "differ from the baseline by exactly the 1 % that counts as equal, how many, in per cent, had at least one "
        "contender called faster or slower. Exact 95 % intervals of the simulation in brackets.",
        "",
        _head(
            ["True difference", "spread", *(f"{n} rounds" for n in FIXED), "stopped by looks", "at any look"]
        ),
    ]
    for difference, spread, cases in scenarios:
        counts = [sum(case.wrong[rounds] > 0 for case in cases) for rounds in FIXED]
        counts.append(sum(case.wrong[case.stopped] > 0 for case in cases))
        counts.append(sum(any(case.wrong.values()) for case in cases))
        lines.append(_line([_percent(difference), _percent(spread), *(_share(k, CASES) for k in counts)]))
    return "\n".join(lines)


def stopping(scenarios: Sequence[Scenario]) -> str:
    """What stopping by looks does to the intervals, and when it stops."""
    lines = [
        "**Stopping by looks**: after which round the cases of the A/A rows above stopped, in per cent, and how often "
        "their intervals held the truth then (nominal 95 %).",
        "",
        _head(["Spread", *map(str, LOOKS), "coverage where it stopped"]),
    ]
    for difference, spread, cases in scenarios:
        if difference == 0.0:
            stops = [sum(case.stopped == look for case in cases) / CASES for look in LOOKS]
            held = sum(case.held for case in cases) / (CASES * (CONTENDERS - 1))
            lines.append(_line([_percent(spread), *(f"{100 * s:.1f}" for s in stops), f"{100 * held:.1f}"]))
    return "\n".join(lines)


def powers() -> str:
    """How often true differences are found, and how many rounds 95 % takes."""
    simulations = 2000
    lines = [
        "**Power**: how often, in per cent, a true difference is called what it is (one contender against the "
        f"baseline; {simulations:,} simulations each, exact 95 % interval of the simulation in brackets), and how "
        "many rounds find it 95 times in 100.",
        "",
        _head(["True difference", "spread", "5 rounds", "10 rounds", "rounds for 95 %"]),
    ]
    for percent in (1, 2, 3, 5):
        for spread in (0.005, 0.01, 0.015):
            delta, seed = math.log1p(percent / 100), percent * 1000 + int(1e4 * spread)
            found = [
                power(delta, spread, rounds, equal_within=EDGE, seed=seed, simulations=simulations).found
                for rounds in (5, 10)
            ]
            needed = rounds_needed(delta, spread, equal_within=EDGE, seed=seed)
            shares = [_share(round(one.value * one.n), one.n) for one in found]
            lines.append(_line([f"{percent} %", _percent(spread), *shares, str(needed or "never")]))
    return "\n".join(lines)


# --- words ---------------------------------------------------------------------------------------


def _error(share: float, row: Row) -> float:
    low, high = clopper_pearson(round(share * row.simulations), row.simulations)
    return (high - low) / 2


def _share(k: int, n: int) -> str:
    low, high = clopper_pearson(k, n)
    return f"{100 * k / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _percent(ln: float) -> str:
    return f"{100 * math.expm1(ln):.1f} %" if ln else "none"


def _head(names: list[str]) -> str:
    return _line(names) + "\n" + "|---" * len(names) + "|"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
