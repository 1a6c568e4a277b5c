"""The checks of a self-test: what each asks, how it ends and in which words, from figures that its document holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from framebench.records.selftest_document import OBSERVER_CHECK, Check, FalseWinners, Planted, Ratio
from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.bound import judge
from framebench.statistics.comparison import Comparison
from framebench.statistics.interval import CONFIDENCE, Estimate
from framebench.statistics.verdict import Verdict, margin, verdict

FALSE_WINNERS = 0.05
OBSERVER = (0.99, 1.01)
SAMPLER_SHARE = 0.005  # of one core
SAMPLER_CHECK = "cost of the sampler"
QUIET_SPREAD = 0.01
"""Where trials spread no more than this, 3 % must be found in ten rounds with a probability of 95 %."""
LOOKS = (5, 10)  # rounds after which a planted slow-down is asked for
FAULTS = {"nowait": "sync", "tf32": "precision", "bf16": "precision", "oversubscribed": "threads"}
"""Variant of the NumPy stack -> the canary that has to refuse it."""


def sound_stack(status: str, reason: str | None) -> Check:
    """A trial without a fault, by its outcome."""
    return Check(
        name="canaries pass a sound stack",
        answer="pass" if status == "ok" else "fail",
        bound="the trial ends ok",
        found=reason or status,
    )


def refused_fault(variant: str, status: str, reason: str | None) -> Check:
    """A broken promise is refused by the canary whose business it is."""
    refused = status == "invalid" and FAULTS[variant] in (reason or "")
    return Check(
        name=f"{FAULTS[variant]} canary refuses {variant}",
        answer="pass" if refused else "fail",
        bound="the trial ends invalid",
        found=f"{status}: {reason}" if reason else status,
    )


def equals(rate: FalseWinners) -> Check:
    """Whether a contender and its twin were told apart no more often than chance does it."""
    return Check(
        name="A/A: equals are called equal",
        answer=judge(rate.low, rate.high, at_most=FALSE_WINNERS),
        bound=f"false winners at most {FALSE_WINNERS:.0%}",
        found=f"{rate.false_winners} of {rate.comparisons}, 95 % interval {rate.low:.1%} to {rate.high:.1%}",
    )


def planted_interval(found: int, campaigns: int, rows: int) -> tuple[float, float]:
    """Of the share of campaigns that found it, corrected for the number of rows (Bonferroni). ``ValueError`` as for
    ``clopper_pearson``."""
    return clopper_pearson(found, campaigns, 1 - (1 - CONFIDENCE) / rows)


def planted(rows: Sequence[Planted], deviation: float) -> list[Check]:
    """``deviation``: standard deviation (ln) of this host's A/A trials. ``ValueError`` where a row found more than it
    has campaigns, or 3 % after ten rounds have no row."""
    return [*map(_agreement, rows), _never_faster(rows), _three_percent(rows, deviation)]


def _agreement(row: Planted) -> Check:
    return Check(
        name=f"planted {row.percent} %, {row.rounds} rounds: found as often as predicted",
        answer="pass" if row.low <= row.predicted <= row.high else "fail",
        bound=f"the interval holds the predicted {row.predicted:.0%}",
        found=f"{row.found} of {row.campaigns}, interval {row.low:.0%} to {row.high:.0%}"
        + ("" if row.rounds_needed is None else f"; 95 % would take {row.rounds_needed} rounds"),
    )


def _never_faster(rows: Sequence[Planted]) -> Check:
    wrong = sum(row.called_faster for row in rows)
    return Check(
        name="planted: never called faster",
        answer="fail" if wrong else "pass",
        bound="0",
        found=f"{wrong} of {sum(row.campaigns for row in rows)} verdicts",
    )


def _three_percent(rows: Sequence[Planted], deviation: float) -> Check:
    row = next((row for row in rows if (row.percent, row.rounds) == (3, 10)), None)
    if row is None:
        raise ValueError("there is no row of 3 % after 10 rounds")
    spreads_little = deviation <= QUIET_SPREAD
    noisy = f"; trials spread {deviation:.1%} here, it is asked where they spread at most {QUIET_SPREAD:.0%}"
    return Check(
        name="planted 3 % is found in 10 rounds",
        answer=judge(*clopper_pearson(row.found, row.campaigns), at_least=0.95)
        if spreads_little
        else "undecided",
        bound="95 % of campaigns",
        found=f"{row.found} of {row.campaigns}" + ("" if spreads_little else noisy),
    )


def observer(ratio: Ratio | None) -> Check:
    """Whether watching changes what is watched."""
    bound = f"{OBSERVER[0]} to {OBSERVER[1]}"
    if ratio is None:
        return Check(name=OBSERVER_CHECK, answer="fail", bound=bound, found="no trial measured it")
    interval = f", 95 % interval {ratio.low:.4f} to {ratio.high:.4f}" if ratio.low and ratio.high else ""
    return Check(
        name=OBSERVER_CHECK,
        answer=judge(ratio.low, ratio.high, at_least=OBSERVER[0], at_most=OBSERVER[1]),
        bound=bound,
        found=f"{ratio.value:.4f}{interval}, {ratio.pairs} trials",
    )


def sampler_cost(share: Estimate | None) -> Check:
    """CPU time of the sampler over the wall time that it watched; the document keeps no more of it than the mean."""
    bound = f"at most {SAMPLER_SHARE:.1%} of a core"
    if share is None:
        return Check(name=SAMPLER_CHECK, answer="undecided", bound=bound, found="not measured")
    mean, low, high, n = share
    interval = (
        f", 95 % interval {max(low, 0.0):.2%} to {high:.2%}" if low is not None and high is not None else ""
    )
    return Check(
        name=SAMPLER_CHECK,
        answer=judge(low, high, at_most=SAMPLER_SHARE),
        bound=bound,
        found=f"{mean:.2%}{interval}, {n} trials",
    )


def real_pair(ratio: Ratio | None, refusal: str | None) -> Check:
    """A real stack against itself: one comparison, which can be a false winner one time in twenty."""
    name, bound = "A/A of a real stack", "no winner"
    if ratio is None:
        return Check(name=name, answer="undecided", bound=bound, found=refusal or "no pair was timed")
    word = _verdict(ratio)
    interval = f", 95 % interval {ratio.low:.3f} to {ratio.high:.3f}" if ratio.low and ratio.high else ""
    return Check(
        name=name,
        answer="undecided" if word in ("faster", "slower") else "pass",
        bound=bound,
        found=f"{word}: {ratio.value:.3f}{interval}, {ratio.pairs} rounds",
    )


def _verdict(ratio: Ratio) -> Verdict:
    """As of any result without a host's noise; a twin is no part of Holm's family."""
    low = math.log(ratio.low) if ratio.low else None
    high = math.log(ratio.high) if ratio.high else None
    return verdict(
        Comparison(math.log(ratio.value), None, None, low, high, ratio.pairs, "paired t"), margin(None)
    )
