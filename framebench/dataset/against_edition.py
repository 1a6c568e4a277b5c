"""A new campaign against an edition: is any contender slower than what was recorded on the same kind of machine?

Only the same work is held against each other: case, contender, work hash, protocol and executor, on machines of one id
(for a case on GPUs: with GPUs of one name). The environments may differ: they are what the question is about.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

import numpy as np

from framebench.dataset import quiet
from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.case_comparisons import comparable, ratio
from framebench.dataset.grouping import results
from framebench.dataset.result import NOT_TIMED, Result
from framebench.dataset.trial_figures import flags_of
from framebench.errors import one_line
from framebench.images import plain_name
from framebench.records.identity import environment
from framebench.statistics.bound import Answer, judge
from framebench.statistics.change import CampaignSpread, Change, campaign_spread, change
from framebench.statistics.comparison import MIN_ROUNDS
from framebench.statistics.holm import holm
from framebench.statistics.interval import CONFIDENCE, Estimate
from framebench.statistics.noise import Noise
from framebench.statistics.verdict import margin, p_value
from harness.flags import DRIFTED, EMULATED, GPU_LIMITED
from harness.record import Record

BROKE = ("not_comparable", "oom", "crashed", "unsupported")
"""How a trial ends that says something of its contender; other ends say something of the machine."""


@dataclass(frozen=True, slots=True)
class Held:
    """One contender in one case, the new result against the recorded one.

    ``times`` is the new time of a step over the recorded one (above 1 is slower), ``n`` rounds of the side with fewer,
    its interval as the times alone have it; null without a new time. ``slack`` (ln) is by how much the machine is
    known to have changed: the answer holds wherever in it the truth lies. ``equal_within`` (ln) counts as equal.
    ``because`` is empty where the interval says it all.
    """

    new: Result
    old: Result
    times: Estimate | None
    by: Literal["rounds", "campaigns"] | None
    slack: float
    equal_within: float
    answer: Answer
    because: str


class Apart(NamedTuple):
    """A new result that the edition has nothing for, and why."""

    new: Result
    because: str


class AgainstEdition(NamedTuple):
    """``held`` and ``apart`` in the order of the new results. ``missing``: timed ones of the edition on machines of
    the same kind that were not measured anew."""

    held: list[Held]
    apart: list[Apart]
    missing: list[Result]

    @property
    def answer(self) -> Answer:
        """``fail`` if one failed, ``pass`` if all passed."""
        answers = {one.answer for one in self.held}
        if "fail" in answers:
            return "fail"
        return "pass" if answers == {"pass"} else "undecided"


def against_edition(new: Iterable[Record], edition: Iterable[Record]) -> AgainstEdition:
    """Every contender of ``new`` that the edition has a time for; all of them are one family (Holm)."""
    sides = results(new), results(edition)
    fresh, recorded = ([one for one in side if _asked_about(one)] for side in sides)
    fresh = [one for one in fresh if not one.superseded]
    by_work: dict[tuple[object, ...], list[Result]] = defaultdict(list)
    for one in recorded:
        by_work[_work(one)] += [one] if comparable(one) else []
    pairs: list[_Pair] = []
    apart: list[Apart] = []
    for one in fresh:
        if alike := by_work.get(_work(one)):
            pairs.append(_Pair(one, max(alike, key=lambda old: _nearness(one, old))))
        else:
            apart.append(Apart(one, _why_apart(one, recorded)))
    measured, machines = {_work(one) for one in fresh}, {_machine(one) for one in fresh}
    missing = [
        one
        for one in recorded
        if comparable(one) and not one.superseded and _machine(one) in machines and _work(one) not in measured
    ]
    return AgainstEdition(_hold(pairs, _Hosts(sides)), apart, missing)


class _Pair(NamedTuple):
    new: Result
    old: Result

    @property
    def unchanged(self) -> bool:
        """Whether both sides have the same packages: then only the machine can have changed."""
        return environment(self.new.image) == environment(self.old.image)


class _Hosts:
    """What both sides together tell of each machine: its A/A noise, and how far its campaigns lie apart."""

    def __init__(self, sides: Sequence[Sequence[Result]]) -> None:
        self._noises = [host_noises(side) for side in sides]
        repeated: dict[str, list[list[Mapping[str, float]]]] = defaultdict(lambda: [[] for _ in sides])
        for number, side in enumerate(sides):
            for result in side:
                repeated[result.host_id][number].append(
                    {campaign: float(rounds.mean()) for campaign, rounds in _campaigns(result).items()}
                )
        self._spreads = {host: campaign_spread(means) for host, means in repeated.items()}

    def noise(self, host: str) -> float | None:
        """The larger of both sides' (ln); null where neither has an A/A pair."""
        known: list[Noise] = [side[host] for side in self._noises if host in side]
        return max((noise.limit for noise in known), default=None)

    def spread(self, host: str) -> CampaignSpread | None:
        return self._spreads[host]


def _hold(pairs: Sequence[_Pair], hosts: _Hosts) -> list[Held]:
    controls: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for pair in pairs:
        if pair.unchanged and comparable(pair.new):
            controls[_machine(pair.new), pair.new.case].append(_ln(pair.new.step_ns) - _ln(pair.old.step_ns))
    upgraded = {pair.new.host_id for pair in pairs if not pair.unchanged}
    changes = [_change(pair, hosts.spread(pair.new.host_id)) for pair in pairs]
    slacks = [_slack(pair, controls[_machine(pair.new), pair.new.case]) for pair in pairs]
    margins = [margin(hosts.noise(pair.new.host_id)) for pair in pairs]
    adjusted = holm(
        [
            p_value(one.comparison, equal + slack) if one else None
            for one, equal, slack in zip(changes, margins, slacks, strict=True)
        ]
    )
    held = []
    for pair, one, slack, equal, p in zip(pairs, changes, slacks, margins, adjusted, strict=True):
        answer, because = _doubtful(pair) or _decide(one, slack, equal, p)
        if answer == "fail" and one is not None:
            answer, because = _may_fail(pair, one, hosts, upgraded)
        times = ratio(one.comparison) if one else None
        held.append(Held(*pair, times, one.by if one else None, slack, equal, answer, because))
    return held


def _doubtful(pair: _Pair) -> tuple[Answer, str] | None:
    """What is known without a look at the times; null where they are to be looked at."""
    new, old = pair
    if not comparable(new):
        why = one_line(f"{new.status}: {new.reason or 'no reason given'}")
        return "fail" if new.status in BROKE else "undecided", why
    for side, result in (("new", new), ("recorded", old)):
        if (doubt := _doubt(result)) is not None:
            return "undecided", f"{side}: {doubt}"
    broke = Counter(one.outcome.status for one in new.failures if one.outcome.status in BROKE)
    if broke:
        return "undecided", "of the new trials " + ", ".join(
            f"{n} {word}" for word, n in sorted(broke.items())
        )
    return None


def _doubt(result: Result) -> str | None:
    """Why nothing follows from its times."""
    if result.parity is None or not result.parity.passed:
        return "the gate was not run"
    flags = [flags_of(record) for record in result.timed]
    if any(EMULATED in each for each in flags):
        return "measured under an emulator"
    for words, count in (
        ("others took the cores", sum(map(quiet.disturbed, result.timed))),
        ("the machine's speed changed during trials", sum(DRIFTED in each for each in flags)),
        ("the GPU was held back", sum(GPU_LIMITED in each for each in flags)),
    ):
        if quiet.too_busy(count, len(flags)):
            return f"{words} in {count} of {len(flags)} trials"
    return None


def _decide(one: Change | None, slack: float, equal: float, p: float | None) -> tuple[Answer, str]:
    """From the interval, both of its ends moved by what the machine is known to have changed."""
    if one is None or one.comparison.rounds < MIN_ROUNDS:
        return "undecided", f"fewer than {MIN_ROUNDS} rounds on one side"
    low, high = one.comparison.low, one.comparison.high
    if low is None or high is None:
        return "undecided", "no interval"
    answer = judge(low - slack, high + slack, at_most=equal)
    if answer == "fail" and p is not None and p > 1 - CONFIDENCE:
        return "undecided", "among so many comparisons one may come out like this by chance"
    if answer == "undecided" and judge(low, high, at_most=equal) != "undecided":
        return answer, f"the machine itself changed by {math.expm1(slack):.1%}"
    return answer, "" if answer != "undecided" else f"more {one.by} would decide"


def _may_fail(pair: _Pair, one: Change, hosts: _Hosts, upgraded: Container[str]) -> tuple[Answer, str]:
    """Slower, but not for a reason that lies in the machine or that nobody can exclude."""
    host = pair.new.host_id
    if one.by == "rounds" and hosts.noise(host) is None:
        return (
            "undecided",
            "slower, but this machine's own spread is unknown: measure a twin, or more campaigns",
        )
    if pair.unchanged and host in upgraded:
        return "undecided", "slower, but nothing of its environment changed: the machine did"
    return "fail", ""


def _change(pair: _Pair, spread: CampaignSpread | None) -> Change | None:
    if not comparable(pair.new):
        return None
    new, old = (list(_campaigns(side).values()) for side in pair)
    return change(new, old, spread)


def _campaigns(result: Result) -> dict[str, np.ndarray]:
    """ln times of its rounds by campaign.

    The same command on the same kind of machine and harness has the same campaign id, on another day too: a round
    that is there again is another campaign's.
    """
    campaigns: dict[str, list[float]] = defaultdict(list)
    times: Counter[tuple[str, int]] = Counter()
    for record, step in zip(result.timed, result.step_ns, strict=True):
        cell = record.campaign_id, record.round
        times[cell] += 1
        campaigns[f"{record.campaign_id} {times[cell]}"].append(math.log(step))
    return {campaign: np.array(rounds) for campaign, rounds in campaigns.items()}


def _slack(pair: _Pair, controls: Sequence[float]) -> float:
    """|ln| of what did not change and yet takes another time now: the calibration's kernels, or ``controls``, the
    contenders of the case whose environment is the same on both sides (ln of new over old, each)."""
    changes = [0.0]
    if pair.new.case.device == "cpu":  # the kernels run on the processor
        new, old = map(_kernels, pair)
        changes += [_ln(mine) - _ln(theirs) for mine, theirs in zip(new, old, strict=False)]
    if not pair.unchanged and controls:
        changes.append(median(controls))
    return max(map(abs, changes))


def _kernels(result: Result) -> list[list[float]]:
    """Times in ns of the calibration's two kernels, before and after each trial; empty where they did not run."""
    known = [record.calibration for record in result.timed if record.calibration]
    return [
        [float(time) for one in known for time in (one.matmul_before_ns, one.matmul_after_ns)],
        [float(time) for one in known for time in (one.copy_before_ns, one.copy_after_ns)],
    ] * bool(known)


def _ln(times: Sequence[float]) -> float:
    return math.log(median(times))


def _asked_about(result: Result) -> bool:
    return not result.contender.twin and result.status != NOT_TIMED


def _machine(result: Result) -> tuple[str, ...]:
    """Its kind: two machines of one type share an id."""
    hardware = result.latest.hardware
    gpus = hardware.gpus if hardware and result.case.device == "gpu" else []
    return (result.host_id, *sorted(gpu.name or "unknown" for gpu in gpus))


def _work(result: Result) -> tuple[object, ...]:
    return _machine(result), result.executor, result.case, result.contender, result.work_hash, result.protocol


def _nearness(new: Result, old: Result) -> tuple[object, ...]:
    """Of several recorded ones the one in the same row of the matrix, with own builds or without, and the newest."""
    names = [plain_name(one.image.name or "") for one in (new, old)]
    return names[0] == names[1], old.started_utc, old.id


def _why_apart(new: Result, recorded: Iterable[Result]) -> str:
    """The first thing in which every recorded result of the contender in the case differs."""
    rest = [one for one in recorded if (one.case, one.contender) == (new.case, new.contender)]
    for words, same in (
        ("recorded on other machines only", lambda one: _machine(one) == _machine(new)),
        ("recorded by another executor", lambda one: one.executor == new.executor),
        ("recorded with another protocol", lambda one: one.protocol == new.protocol),
        ("the work is another: the harness has changed since", lambda one: one.work_hash == new.work_hash),
        ("the recorded trials have no time", comparable),
    ):
        if not rest:
            break
        rest, before = [one for one in rest if same(one)], rest
        if not rest and before:
            return words
    return "not in the edition"
