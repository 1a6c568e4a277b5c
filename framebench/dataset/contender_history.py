"""The history of a contender in a case on a machine: its results over versions and time, and what changed between them.

Neighbours are judged by the rule of ``check --against`` (``new_against_old``), in both directions: what fails it is
slower, what fails it with the sides exchanged is faster. Where the work or the protocol is another, nothing is claimed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from packaging.version import InvalidVersion, Version

from framebench.dataset.case_comparisons import comparable
from framebench.dataset.new_against_old import Held, Hosts, Pair, asked_about, hold, ln_median, machine, work
from framebench.dataset.result import Result
from framebench.language import N_, Sentence
from framebench.records.identity import protocol_hash
from framebench.statistics.interval import Estimate
from harness.record import Case, Contender

Changed = Literal["slower", "faster", "broke", "mended"]
"""``broke``: it had a time and now fails, for a reason that lies in the contender; ``mended``: the other way round."""


class Step(NamedTuple):
    """From one result of a contender to the next.

    ``times`` is the new time of a step over the old one (above 1 is slower), null where one side has none or where
    nothing is claimed (``apart``). ``because`` is empty where the interval says it all.
    """

    old: Result
    new: Result
    kind: Changed | Literal["unchanged", "undecided", "apart"]
    times: Estimate | None
    because: str

    @property
    def is_change(self) -> bool:
        return self.kind in get_args(Changed)

    @property
    def known_utc(self) -> str:
        """Since when it can be known: earlier versions may have been measured later."""
        return max(self.old.started_utc, self.new.started_utc)


class History(NamedTuple):
    """Results of one contender in one case on one kind of machine, by one executor and suite, at least one.

    Those that did the same work by the same protocol stand together, by version, then by time; the others before or
    after them, by time. ``steps`` lead from each to the next.
    """

    case: Case
    contender: Contender
    host_id: str
    executor: str
    suite: str
    results: list[Result]
    steps: list[Step]


def histories(results: Sequence[Result]) -> list[History]:
    """By case, contender and place. Twins, what was never timed, and somebody's own builds are in none."""
    series: dict[tuple[object, ...], list[Result]] = defaultdict(list)
    for result in results:
        if asked_about(result) and not result.image.own_builds:
            place = result.case.path, result.contender.slug, machine(result), result.executor
            series[*place, result.protocol.name].append(result)
    ordered = {key: _in_order(members) for key, members in series.items()}
    neighbours = [Pair(new, old) for members in ordered.values() for old, new in _neighbours(members)]
    steps = _steps(neighbours, results)
    told = []
    for key in sorted(ordered, key=str):
        members = ordered[key]
        one = members[0]
        taken = [steps[old.id, new.id] for old, new in _neighbours(members)]
        told.append(
            History(one.case, one.contender, one.host_id, one.executor, one.protocol.name, members, taken)
        )
    return told


def changes(told: Iterable[History]) -> list[Step]:
    """The change points of all of them, the newest first."""
    found = [step for history in told for step in history.steps if step.is_change]
    return sorted(found, key=lambda step: (step.known_utc, step.new.id, step.old.id), reverse=True)


def version(result: Result) -> str:
    """Of its framework, as read at run time; else as the image's name has it; empty where neither tells."""
    software = next((one.software for one in reversed(result.records) if one.software), None)
    if software is not None and software.framework:
        return software.framework
    return (result.image.name or "").removeprefix(f"{result.contender.stack}-").partition("-")[0]


Locked = Mapping[str, Mapping[str, str]]
"""Version by package, by the SHA-256 of a lock."""


def versions(result: Result, locked: Locked | None = None) -> dict[str, str]:
    """Everything that has a version, by name: what its lock holds where that is at hand, and what was read at run time,
    which wins."""
    software = next((one.software for one in reversed(result.records) if one.software), None)
    known = dict((locked or {}).get(result.image.lock_sha256 or "", {}))
    if software is None:
        return known
    read = {
        "Python": software.python,
        "numpy": software.numpy,
        "CUDA": software.cuda,
        "cuDNN": software.cudnn,
        "driver": software.driver,
        "compiler": software.compiler,
    }
    return known | software.packages | {name: text for name, text in read.items() if text}


def differing(step: Step, locked: Locked | None = None) -> dict[str, tuple[str | None, str | None]]:
    """Old and new version by package, those alone that differ; null on a side that does not have it.

    A side whose lock is not at hand, as the other's is, is compared in what was read at run time.
    """
    whole = locked is not None and all(one.image.lock_sha256 in locked for one in (step.old, step.new))
    old, new = (versions(one, locked if whole else None) for one in (step.old, step.new))
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _in_order(members: Sequence[Result]) -> list[Result]:
    """The stretches of one work by time, in each of them by version, then by time."""
    stretches: dict[object, list[Result]] = defaultdict(list)
    for result in members:
        stretches[work(result)].append(result)
    by_time = sorted(stretches.values(), key=lambda some: max((one.started_utc, one.id) for one in some))
    return [one for some in by_time for one in sorted(some, key=_place)]


def _place(result: Result) -> tuple[object, ...]:
    software = next((one.software for one in reversed(result.records) if one.software), None)
    backend = software.backend if software else None
    return (
        _number(version(result)),
        _number((backend or "").rpartition(" ")[2]),
        result.started_utc,
        result.id,
    )


def _number(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def _neighbours(members: Sequence[Result]) -> list[tuple[Result, Result]]:
    return [*pairwise(members)]


def _steps(neighbours: Sequence[Pair], results: Sequence[Result]) -> dict[tuple[str, str], Step]:
    """By the ids of old and new. What one campaign brought on a host is one family, as where it is held against an
    edition."""
    steps: dict[tuple[str, str], Step] = {}
    families: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in neighbours:
        if because := _why_apart(pair):
            steps[pair.old.id, pair.new.id] = Step(pair.old, pair.new, "apart", None, because)
        else:
            families[pair.new.host_id, pair.new.latest.campaign_id].append(pair)
    of_host: dict[str, list[Result]] = defaultdict(list)
    beside: dict[tuple[object, ...], list[Result]] = defaultdict(list)
    for result in results:
        of_host[result.host_id].append(result)
        if comparable(result) and not result.contender.twin:
            beside[_beside(result)].append(result)
    for (host_id, _campaign), family in families.items():
        hosts = Hosts(_sides(of_host[host_id], {name for pair in family for name in _campaigns(pair.new)}))
        forward = _held([pair for pair in family if comparable(pair.old)], hosts, beside)
        backward = _held([Pair(*reversed(pair)) for pair in family if comparable(pair.new)], hosts, beside)
        for new, old in family:
            steps[old.id, new.id] = _step(
                old, new, forward.get((new.id, old.id)), backward.get((old.id, new.id))
            )
    return steps


def _sides(results: Iterable[Result], campaigns: Collection[str]) -> list[list[Result]]:
    """What these campaigns measured of the results, and what all others did."""
    sides: list[list[Result]] = [[], []]
    for result in results:
        inside = [record.campaign_id in campaigns for record in result.timed]
        for side, wanted in zip(sides, (True, False), strict=True):
            pairs = zip(result.timed, result.step_ns, inside, strict=True)
            kept = [(record, step) for record, step, one in pairs if one is wanted]
            if kept:
                timed, step_ns = zip(*kept, strict=True)
                side.append(replace(result, timed=timed, step_ns=step_ns))
    return sides


def _campaigns(result: Result) -> set[str]:
    return {record.campaign_id for record in result.timed or result.records}


def _why_apart(pair: Pair) -> str:
    """Why nothing can be said of the pair; empty where it can."""
    if protocol_hash(pair.new.protocol) != protocol_hash(pair.old.protocol):
        return Sentence(N_("measured by another protocol"))
    if work(pair.new) != work(pair.old):
        return Sentence(N_("the work is another: the harness has changed since"))
    return ""


def _held(
    pairs: Sequence[Pair], hosts: Hosts, beside: Mapping[tuple[object, ...], Sequence[Result]]
) -> dict[tuple[str, str], Held]:
    controls = [_controls(pair, beside[_beside(pair.new)]) for pair in pairs]
    return {(one.new.id, one.old.id): one for one in hold(pairs, hosts, controls)}


def _beside(result: Result) -> tuple[object, ...]:
    """What may stand in one round with it."""
    return machine(result), result.executor, result.case, result.protocol


def _controls(pair: Pair, beside: Sequence[Result]) -> list[float]:
    """How much longer the others of the case took in the campaigns that measured the new one than in those that
    measured the old one: one environment, so one result each. Nothing where a campaign measured both."""
    if not (comparable(pair.new) and comparable(pair.old)):
        return []
    new, old = map(_campaigns, pair)
    if new & old:
        return []
    found = []
    for other in beside:
        steps = [
            [
                step
                for step, record in zip(other.step_ns, other.timed, strict=True)
                if record.campaign_id in side
            ]
            for side in (new, old)
        ]
        if all(steps):
            found.append(ln_median(steps[0]) - ln_median(steps[1]))
    return found


def _step(old: Result, new: Result, forward: Held | None, backward: Held | None) -> Step:
    """``forward`` asks whether the new one is slower, ``backward`` whether the old one is; null without a time to ask
    against."""
    known = [one for one in (forward, backward) if one is not None]
    times = forward.times if forward else None
    for held, slower, lost in ((forward, "slower", "broke"), (backward, "faster", "mended")):
        if held is not None and held.answer == "fail":
            return Step(old, new, slower if held.times else lost, times, held.because)  # type: ignore[arg-type]
    if len(known) == 2 and all(one.answer == "pass" for one in known):
        return Step(old, new, "unchanged", times, "")
    neither = Sentence(N_("neither has a time"))
    because = next((one.because for one in known if one.answer == "undecided"), neither)
    return Step(old, new, "undecided", times, because)
