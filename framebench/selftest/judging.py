"""What the self-test's trials say: rates, ratios and checks, each by the functions that judge any result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from framebench.dataset import quiet
from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.case_comparisons import CaseComparison, comparisons
from framebench.dataset.grouping import results
from framebench.dataset.observer_effect import observer_ratio
from framebench.dataset.result import Result, log_times
from framebench.records.selftest_document import OBSERVER_CHECK, Check, FalseWinners, Planted, Ratio
from framebench.selftest.campaigns import FAULTS, Trials
from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.bound import judge, judge_share
from framebench.statistics.family import judge_case
from framebench.statistics.interval import CONFIDENCE, mean_interval
from framebench.statistics.noise import Noise
from framebench.statistics.power import rounds_needed
from harness.record import Contender, Record

FALSE_WINNERS = 0.05
OBSERVER = (0.99, 1.01)
SAMPLER_SHARE = 0.005  # of one core
SEED = 20261124  # of the predictions; any fixed number does
LOOKS = (5, 10)  # rounds after which a planted slow-down is asked for
QUIET_SPREAD = 0.01
"""Where trials spread no more than this, 3 % must be found in ten rounds with a probability of 95 %."""


def disturbed(records: Iterable[Record]) -> int:
    """Trials during which others took the cores, by the rule that keeps such trials out of rankings."""
    return sum(map(quiet.disturbed, records))


def canaries(trials: Trials) -> list[Check]:
    """A sound stack passes; each broken promise is refused by the canary whose business it is."""
    status = trials.sound.outcome
    checks = [
        Check(
            name="canaries pass a sound stack",
            answer="pass" if status.status == "ok" else "fail",
            bound="the trial ends ok",
            found=status.reason or status.status,
        )
    ]
    for variant, canary in FAULTS.items():
        outcome = trials.faulty[variant].outcome
        refused = outcome.status == "invalid" and canary in (outcome.reason or "")
        checks.append(
            Check(
                name=f"{canary} canary refuses {variant}",
                answer="pass" if refused else "fail",
                bound="the trial ends invalid",
                found=f"{outcome.status}: {outcome.reason}" if outcome.reason else outcome.status,
            )
        )
    return checks


def false_winners(campaigns: Sequence[Sequence[Record]]) -> tuple[FalseWinners, Check]:
    """Each campaign is one comparison of a contender with itself; no trial serves two."""
    noise = _noise(campaigns)
    judged = [case for records in campaigns for case in _judged(records, noise)]
    verdicts = [row.verdict for case in judged for row in case.rows if row.result.contender.twin]
    wrong = sum(verdict in ("faster", "slower") for verdict in verdicts)
    low, high = clopper_pearson(wrong, len(verdicts))
    rate = FalseWinners(
        comparisons=len(verdicts),
        rounds=max(record.round for records in campaigns for record in records),
        false_winners=wrong,
        low=low,
        high=high,
        noise_ln=noise.limit if noise else math.nan,
        spread_ln=float(np.std(residuals(campaigns), ddof=1)),
    )
    check = Check(
        name="A/A: equals are called equal",
        answer=judge_share(wrong, len(verdicts), at_most=FALSE_WINNERS).answer,
        bound=f"false winners at most {FALSE_WINNERS:.0%}",
        found=f"{wrong} of {len(verdicts)}, 95 % interval {low:.1%} to {high:.1%}",
    )
    return rate, check


def residuals(campaigns: Sequence[Sequence[Record]]) -> np.ndarray:
    """ln times of A/A trials without their round's mean, scaled to a single trial's spread. (trials,)."""
    residuals = []
    for records in campaigns:
        one, other = (log_times(result) for result in _timed(records))
        for key in one.keys() & other.keys():
            half = (one[key] - other[key]) / 2  # each of two lies half their difference from the mean
            residuals += [half * math.sqrt(2), -half * math.sqrt(2)]
    return np.array(residuals)


def planted(campaigns: Sequence[Sequence[Record]], spread: np.ndarray) -> tuple[list[Planted], list[Check]]:
    """Was each planted slow-down found as often as the spread of this host's A/A trials lets expect?

    ``spread``: what ``residuals`` gives, (trials,).
    """
    percents = sorted({_percent(record.contender) for record in campaigns[0]} - {0})
    deltas = [math.log1p(percent / 100) for percent in percents]
    deviation = float(np.std(spread, ddof=1))
    confidence = 1 - (1 - CONFIDENCE) / (len(percents) * len(LOOKS))
    rows: list[Planted] = []
    for rounds in LOOKS:
        seen = [[record for record in records if record.round <= rounds] for records in campaigns]
        noise = _noise(seen)
        cases = [case for records in seen for case in _judged(records, noise)]
        equal_within = cases[0].equal_within
        expected = predicted(deltas, spread, rounds, equal_within)
        for percent, delta, share in zip(percents, deltas, expected, strict=True):
            verdicts = [
                row.verdict
                for case in cases
                for row in case.rows
                if _percent(row.result.contender) == percent
            ]
            slower = verdicts.count("slower")
            low, high = clopper_pearson(slower, len(verdicts), confidence)
            rows.append(
                Planted(
                    percent=percent,
                    rounds=rounds,
                    campaigns=len(verdicts),
                    found=slower,
                    called_faster=verdicts.count("faster"),
                    low=low,
                    high=high,
                    predicted=share,
                    equal_within_ln=equal_within,
                    rounds_needed=rounds_needed(
                        delta, deviation, len(percents) + 1, equal_within=equal_within, seed=SEED
                    ),
                )
            )
    return rows, [*_agreement(rows), _never_faster(rows), _three_percent(rows, deviation)]


def predicted(
    deltas: Sequence[float], spread: np.ndarray, rounds: int, equal_within: float, simulations: int = 2000
) -> list[float]:
    """The share of campaigns that find each slow-down (ln), drawn from the trials' own spread.

    Drawn and not assumed normal: on a shared machine a few trials are far off. The table has the columns of a real
    campaign, baseline and twin first.
    """
    random = np.random.default_rng(SEED)
    truth = np.array([0.0, 0.0, *deltas])
    shares = np.zeros(len(deltas))
    for _ in range(simulations):
        table = truth + random.choice(spread, (rounds, truth.size))
        judged = judge_case(table, 0, equal_within, apart=(1,))[2:]
        shares += [one is not None and one.verdict == "slower" for one in judged]
    return [float(share) for share in shares / simulations]


def _percent(contender: Contender) -> int:
    """Extra work of ``plus3``: 3; of every other variant 0."""
    return int(contender.variant.removeprefix("plus")) if contender.variant.startswith("plus") else 0


def _agreement(rows: Sequence[Planted]) -> list[Check]:
    return [
        Check(
            name=f"planted {row.percent} %, {row.rounds} rounds: found as often as predicted",
            answer="pass" if row.low <= row.predicted <= row.high else "fail",
            bound=f"the interval holds the predicted {row.predicted:.0%}",
            found=f"{row.found} of {row.campaigns}, interval {row.low:.0%} to {row.high:.0%}"
            + ("" if row.rounds_needed is None else f"; 95 % would take {row.rounds_needed} rounds"),
        )
        for row in rows
    ]


def _never_faster(rows: Sequence[Planted]) -> Check:
    wrong = sum(row.called_faster for row in rows)
    return Check(
        name="planted: never called faster",
        answer="fail" if wrong else "pass",
        bound="0",
        found=f"{wrong} of {sum(row.campaigns for row in rows)} verdicts",
    )


def _three_percent(rows: Sequence[Planted], deviation: float) -> Check:
    row = next(row for row in rows if (row.percent, row.rounds) == (3, 10))
    spreads_little = deviation <= QUIET_SPREAD
    noisy = f"; trials spread {deviation:.1%} here, it is asked where they spread at most {QUIET_SPREAD:.0%}"
    return Check(
        name="planted 3 % is found in 10 rounds",
        answer=judge_share(row.found, row.campaigns, at_least=0.95).answer if spreads_little else "undecided",
        bound="95 % of campaigns",
        found=f"{row.found} of {row.campaigns}" + ("" if spreads_little else noisy),
    )


def observer(records: Iterable[Record]) -> tuple[Ratio | None, Check]:
    """Whether watching changes what is watched."""
    bound = f"{OBSERVER[0]} to {OBSERVER[1]}"
    ratio = observer_ratio(records)
    if ratio is None:
        return None, Check(name=OBSERVER_CHECK, answer="fail", bound=bound, found="no trial measured it")
    value, low, high, n = ratio
    interval = f", 95 % interval {low:.4f} to {high:.4f}" if low and high else ""
    return Ratio(value=value, low=low, high=high, pairs=n), Check(
        name=OBSERVER_CHECK,
        answer=judge(low, high, at_least=OBSERVER[0], at_most=OBSERVER[1]),
        bound=bound,
        found=f"{value:.4f}{interval}, {n} trials",
    )


def sampler_cost(records: Iterable[Record]) -> tuple[float | None, Check]:
    """CPU time of the sampler over the wall time of each window that it watched: mean, t interval over trials."""
    shares = [
        record.telemetry.sampler_cpu_ns / record.telemetry.window_ns
        for record in records
        if record.telemetry and record.telemetry.window_ns and record.telemetry.sampler_cpu_ns is not None
    ]
    name, bound = "cost of the sampler", f"at most {SAMPLER_SHARE:.1%} of a core"
    if not shares:
        return None, Check(name=name, answer="undecided", bound=bound, found="not measured")
    mean, low, high, n = mean_interval(shares)
    return mean, Check(
        name=name,
        answer=judge(low, high, at_most=SAMPLER_SHARE),
        bound=bound,
        found=f"{mean:.2%}"
        + (
            f", 95 % interval {max(low, 0.0):.2%} to {high:.2%}"
            if low is not None and high is not None
            else ""
        )
        + f", {n} trials",
    )


def real_pair(records: Sequence[Record], refusal: str | None) -> tuple[Ratio | None, Check]:
    """The A/A ratio of a real stack: one comparison, which can be a false winner one time in twenty."""
    timed = [record for record in records if record.kind == "timing"]
    name, bound = "A/A of a real stack", "no winner"
    cases = _judged(records, None) if timed else []
    row = next((row for case in cases for row in case.rows if row.result.contender.twin), None)
    if row is None or row.time_ratio is None:
        return None, Check(name=name, answer="undecided", bound=bound, found=refusal or "no pair was timed")
    value, low, high, n = row.time_ratio
    interval = f", 95 % interval {low:.3f} to {high:.3f}" if low and high else ""
    return Ratio(value=value, low=low, high=high, pairs=n), Check(
        name=name,
        answer="undecided" if row.verdict in ("faster", "slower") else "pass",
        bound=bound,
        found=f"{row.verdict}: {value:.3f}{interval}, {n} rounds",
    )


def _timed(records: Iterable[Record]) -> list[Result]:
    return [result for result in results(records) if result.timed]


def _noise(campaigns: Iterable[Iterable[Record]]) -> Noise | None:
    """A/A noise over all campaigns, as for the host of any result."""
    noises = host_noises(results(record for records in campaigns for record in records))
    return next(iter(noises.values()), None)


def _judged(records: Sequence[Record], noise: Noise | None) -> list[CaseComparison]:
    """The comparison that one campaign's records give by themselves."""
    host_id = records[0].provenance.host_id
    baseline = next(r.contender.slug for r in records if not r.contender.twin and not r.contender.variant)
    return comparisons(results(records), baseline, {host_id: noise} if noise else {})
