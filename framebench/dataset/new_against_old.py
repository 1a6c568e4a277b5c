"""A new result against an old one of the same work: slower, not slower, or not to be known.

One rule for both who ask it: the gate of ``check --against`` and the history of a contender.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

import numpy as np

from framebench.dataset import quiet
from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.case_comparisons import comparable, ratio
from framebench.dataset.result import NOT_TIMED, Result
from framebench.errors import one_line
from framebench.language import N_, Sentence
from framebench.records.accidents import from_outside
from framebench.records.identity import environment
from framebench.records.trial_figures import flags_of
from framebench.statistics.bound import Answer, judge
from framebench.statistics.change import CampaignSpread, Change, campaign_spread, change
from framebench.statistics.comparison import MIN_ROUNDS
from framebench.statistics.holm import holm
from framebench.statistics.interval import CONFIDENCE, Estimate
from framebench.statistics.noise import Noise
from framebench.statistics.verdict import margin, p_value
from harness.flags import DRIFTED, EMULATED, GPU_LIMITED

BROKE = ("not_comparable", "oom", "crashed", "unsupported")
"""How a trial ends that says something of its contender; other ends say something of the machine."""
MORE = {"rounds": N_("more rounds would decide"), "campaigns": N_("more campaigns would decide")}


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


class Pair(NamedTuple):
    """Two results of one work, which ``work`` tells."""

    new: Result
    old: Result

    @property
    def unchanged(self) -> bool:
        """Whether both sides have the same packages: then only the machine can have changed."""
        return environment(self.new.image) == environment(self.old.image)


class Hosts:
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
        return self._spreads.get(host)


def hold(pairs: Sequence[Pair], hosts: Hosts, controls: Sequence[Sequence[float]]) -> list[Held]:
    """All pairs, which are one family (Holm); each old one has a time. ``controls``: for each pair, what did not change
    between its two sides (ln of new over old, each)."""
    upgraded = {pair.new.host_id for pair in pairs if not pair.unchanged}
    changes = [_change(pair, hosts.spread(pair.new.host_id)) for pair in pairs]
    slacks = [_slack(pair, unchanged) for pair, unchanged in zip(pairs, controls, strict=True)]
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


def _doubtful(pair: Pair) -> tuple[Answer, str] | None:
    """What is known without a look at the times; null where they are to be looked at."""
    new, old = pair
    ended = [*new.failures, *([new.parity_trial] if new.parity_trial else [])]
    broken = [one for one in ended if one.outcome.status in BROKE and not from_outside(one)]
    if not comparable(new):
        why = one_line(f"{new.status}: {new.reason or 'no reason given'}")
        return "fail" if any(one.outcome.status == new.status for one in broken) else "undecided", why
    for side, result in ((N_("new: {doubt}"), new), (N_("recorded: {doubt}"), old)):
        if (doubt := _doubt(result)) is not None:
            return "undecided", Sentence(side, doubt=doubt)
    if broke := Counter(one.outcome.status for one in broken):
        ends = ", ".join(f"{n} {word}" for word, n in sorted(broke.items()))
        return "undecided", Sentence(N_("of the new trials {ends}"), ends=ends)
    return None


def _doubt(result: Result) -> Sentence | None:
    """Why nothing follows from its times."""
    if result.parity is None or not result.parity.passed:
        return Sentence(N_("the gate was not run"))
    flags = [flags_of(record) for record in result.timed]
    if any(EMULATED in each for each in flags):
        return Sentence(N_("measured under an emulator"))
    for words, count in (
        (N_("others took the cores in {n} of {trials} trials"), sum(map(quiet.disturbed, result.timed))),
        (
            N_("the machine's speed changed during trials in {n} of {trials} trials"),
            sum(DRIFTED in each for each in flags),
        ),
        (N_("the GPU was held back in {n} of {trials} trials"), sum(GPU_LIMITED in each for each in flags)),
    ):
        if quiet.too_busy(count, len(flags)):
            return Sentence(words, n=count, trials=len(flags))
    return None


def _decide(one: Change | None, slack: float, equal: float, p: float | None) -> tuple[Answer, str]:
    """From the interval, both of its ends moved by what the machine is known to have changed."""
    if one is None or one.comparison.rounds < MIN_ROUNDS:
        return "undecided", Sentence(N_("fewer than {n} rounds on one side"), n=MIN_ROUNDS)
    low, high = one.comparison.low, one.comparison.high
    if low is None or high is None:
        return "undecided", Sentence(N_("no interval"))
    answer = judge(low - slack, high + slack, at_most=equal)
    if answer == "fail" and p is not None and p > 1 - CONFIDENCE:
        return "undecided", Sentence(N_("among so many comparisons one may come out like this by chance"))
    if answer == "undecided" and judge(low, high, at_most=equal) != "undecided":
        return answer, Sentence(N_("the machine itself changed by {share:.1%}"), share=math.expm1(slack))
    return answer, "" if answer != "undecided" else Sentence(MORE[one.by])


def _may_fail(pair: Pair, one: Change, hosts: Hosts, upgraded: Container[str]) -> tuple[Answer, str]:
    """Slower, but not for a reason that lies in the machine or that nobody can exclude."""
    host = pair.new.host_id
    if one.by == "rounds" and hosts.noise(host) is None:
        return (
            "undecided",
            Sentence(N_("this machine's own spread is unknown: measure a twin, or more campaigns")),
        )
    if pair.unchanged and host in upgraded:
        return "undecided", Sentence(N_("nothing of its environment changed: the machine did"))
    return "fail", ""


def _change(pair: Pair, spread: CampaignSpread | None) -> Change | None:
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


def _slack(pair: Pair, controls: Sequence[float]) -> float:
    """|ln| of what did not change and yet takes another time now: the calibration's kernels, or ``controls``, the
    contenders of the case whose environment is the same on both sides (ln of new over old, each)."""
    changes = [0.0]
    if pair.new.case.device == "cpu":  # the kernels run on the processor
        new, old = map(_kernels, pair)
        changes += [ln_median(mine) - ln_median(theirs) for mine, theirs in zip(new, old, strict=False)]
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


def ln_median(times: Sequence[float]) -> float:
    """ln of the median of times of one step."""
    return math.log(median(times))


def asked_about(result: Result) -> bool:
    """Whether it says something of its contender's time, also that it has none; an A/A twin speaks of the machine."""
    return not result.contender.twin and result.status != NOT_TIMED


def machine(result: Result) -> tuple[str, ...]:
    """Its kind: two machines of one type share an id."""
    hardware = result.latest.hardware
    gpus = hardware.gpus if hardware and result.case.device == "gpu" else []
    return (result.host_id, *sorted(gpu.name or "unknown" for gpu in gpus))


def work(result: Result) -> tuple[object, ...]:
    """Equal for results that may be held against each other: only what they were measured in may differ."""
    return machine(result), result.executor, result.case, result.contender, result.work_hash, result.protocol
