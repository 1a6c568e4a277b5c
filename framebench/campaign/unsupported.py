"""Which contenders cannot take part in which cases, and why: found out before anything is fetched or built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from framebench.campaign.card_fit import misfit
from framebench.campaign.suite_form import Suite, known
from framebench.executors import Executor, StackOn, Unavailable
from framebench.executors.cards import facts
from harness import frameworks, workloads
from harness.frameworks import exported, library
from harness.record import Case, Contender

Pair = tuple[Case, Contender]


class Unsupported(NamedTuple):
    """One cause, and all that it keeps from taking part; ``here``: only on this machine."""

    cause: Unavailable
    pairs: list[Pair]
    here: bool

    def sentence(self) -> str:
        """For the terminal: who, in what, and why."""
        cases = list(dict.fromkeys(case.path for case, _ in self.pairs))
        slugs = list(dict.fromkeys(contender.slug for _, contender in self.pairs))
        mend = f"; {self.cause.mend}" if self.cause.mend else ""
        return (
            f"unsupported: {_first(cases, 'case')}, {_first(slugs, 'contender')}: {self.cause.reason}{mend}"
        )


def unsupported(pairs: Iterable[Pair], executor: Executor) -> list[Unsupported]:
    """By cause: what no machine could run, and what this executor cannot run here."""
    here = cache(lambda wanted, count: executor.refusal(wanted, count))
    chosen = cache(lambda count: facts(count))
    on_card = cache(lambda case: misfit(case, chosen(case.device_count)) if case.device == "gpu" else None)
    found: dict[tuple[Unavailable, bool], list[Pair]] = {}
    for case, contender in pairs:
        anywhere = cause_anywhere(case, contender)
        cause = anywhere or here(StackOn(contender.stack, case.device), case.device_count) or on_card(case)
        if cause is not None:
            found.setdefault((cause, anywhere is None), []).append((case, contender))
    return [Unsupported(cause, kept, only_here) for (cause, only_here), kept in found.items()]


def cause_anywhere(case: Case, contender: Contender) -> Unavailable | None:
    """Why the harness has nothing to run for this pair, on whatever machine; null if it has."""
    if error := workloads.broken().get(case.workload):
        return Unavailable(
            f"the workload {case.workload} cannot be imported: {error}",
            f"mend harness/workloads/{case.workload}",
        )
    info = frameworks.info(contender.stack)
    if reason := exported.refusal(info, case.task) or library.refusal(info, case.task):
        return Unavailable(reason, "leave it out of the contenders of this case")
    framework = exported.source_of(info).framework
    if not workloads.has_file(case.workload, framework):
        return Unavailable(
            f"{case.workload} has no file for {framework}",
            f"write harness/workloads/{case.workload}/{framework}.py",
        )
    return None


def broken_folders(suite: Suite) -> Iterator[str]:
    """A line for each folder of the harness that cannot be imported and that no pair of the suite names, and one for
    the contenders that this leaves out."""
    named = {row.workload for row in suite.cases}
    for name, error in workloads.broken().items():
        if name not in named:
            yield f"unsupported: workload {name}: its folder cannot be imported: {error}"
    for name, error in frameworks.broken().items():
        yield f"unsupported: framework {name}: its folder cannot be imported: {error}"
    if lost := [slug for slug in suite.contenders if known(slug) is None]:
        yield f"unsupported: {_first(lost, 'contender')}: no framework that can be imported declares their stack"


def supported(pairs: Sequence[Pair], refused: Iterable[Unsupported]) -> Callable[[Case, Contender], bool]:
    """Whether a pair is one of these and no cause speaks against it."""
    out = {(case.path, entrant.slug) for cause in refused for case, entrant in cause.pairs}
    left = {(case.path, entrant.slug) for case, entrant in pairs} - out
    return lambda case, entrant: (case.path, entrant.slug) in left


def _first(names: list[str], what: str) -> str:
    """``a``, ``a and b``, ``a and 3 more cases``."""
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]} and {len(names) - 1} more {what}s"
