"""What the self-test's trials say: rates, ratios and checks, each by the functions that judge any result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from framebench.dataset import quiet, selftest_checks
from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.case_comparisons import CaseComparison, comparisons
from framebench.dataset.grouping import results
from framebench.dataset.observer_effect import observer_ratio
from framebench.dataset.result import Result, log_times
from framebench.dataset.selftest_checks import LOOKS, planted_interval
from framebench.records.selftest_document import Check, FalseWinners, Planted, Ratio
from framebench.selftest.campaigns import Trials
from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.family import judge_case
from framebench.statistics.interval import Estimate, mean_interval
from framebench.statistics.noise import Noise
from framebench.statistics.power import rounds_needed
from harness.record import Contender, Record

SEED = 20261124  # of the predictions; any fixed number does


def disturbed(records: Iterable[Record]) -> int:
    """Trials during which others took the cores, by the rule that keeps such trials out of rankings."""
    return sum(map(quiet.disturbed, records))


def canaries(trials: Trials) -> list[Check]:
    """A sound stack passes; each broken promise is refused by the canary whose business it is."""
    sound = trials.sound.outcome
    faulty = {variant: trials.faulty[variant].outcome for variant in selftest_checks.FAULTS}
    return [
        selftest_checks.sound_stack(sound.status, sound.reason),
        *(selftest_checks.refused_fault(variant, one.status, one.reason) for variant, one in faulty.items()),
    ]


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
    return rate, selftest_checks.equals(rate)


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
    expected_rows = len(percents) * len(LOOKS)
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
            low, high = planted_interval(slower, len(verdicts), expected_rows)
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
    return rows, selftest_checks.planted(rows, deviation)


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


def observer(records: Iterable[Record]) -> tuple[Ratio | None, Check]:
    """Whether watching changes what is watched."""
    found = observer_ratio(records)
    ratio = None if found is None else _ratio(found)
    return ratio, selftest_checks.observer(ratio)


def sampler_cost(records: Iterable[Record]) -> tuple[float | None, Check]:
    """CPU time of the sampler over the wall time of each window that it watched: mean, t interval over trials."""
    shares = [
        record.telemetry.sampler_cpu_ns / record.telemetry.window_ns
        for record in records
        if record.telemetry and record.telemetry.window_ns and record.telemetry.sampler_cpu_ns is not None
    ]
    share = mean_interval(shares) if shares else None
    return share.value if share else None, selftest_checks.sampler_cost(share)


def real_pair(records: Sequence[Record], refusal: str | None) -> tuple[Ratio | None, Check]:
    """The A/A ratio of a real stack: one comparison, which can be a false winner one time in twenty."""
    timed = [record for record in records if record.kind == "timing"]
    cases = _judged(records, None) if timed else []
    row = next((row for case in cases for row in case.rows if row.result.contender.twin), None)
    ratio = _ratio(row.time_ratio) if row and row.time_ratio else None
    return ratio, selftest_checks.real_pair(ratio, refusal)


def _ratio(found: Estimate) -> Ratio:
    return Ratio(value=found.value, low=found.low, high=found.high, pairs=found.n)


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
