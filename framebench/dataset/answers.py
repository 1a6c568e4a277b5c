"""Which one, for my work, and by how much? One answer per kind of work, or the plain state that there is none.

"Which one" asks about pairs, and which pair is looked at depends on how they came out. So the family is all pairs of
ranked contenders of the case: the fastest is called so where it is surely faster than the best of every other framework
(``statistics.ranks.surely_faster``). Two whose ratio lies inside what counts as equal are level, unless they are surely
apart: on a host with much noise everything counts as equal. Otherwise they are too close to call where the interval of
their ratio holds 1, else undecided.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from framebench.dataset import declared
from framebench.dataset.all_pairs import surely_faster_pairs
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.drawbacks import Drawbacks, drawbacks
from framebench.dataset.every_baseline import Against, Compared, Group
from framebench.dataset.result import Result
from framebench.records.identity import group_key
from framebench.statistics.verdict import SMALLEST_MEANINGFUL
from harness.frameworks import StackInfo
from harness.record import PHASES, Task

State = Literal["answered", "too few rounds", "no quiet host", "not measured"]
Relation = Literal["fastest", "level", "too close to call", "undecided"]
PRESETS = ("gpu", "cpu", "smoke")  # the first that was measured answers


class Question(NamedTuple):
    """A kind of work: a task of a workload."""

    workload: str
    task: str


def asked(cases: Sequence[CaseComparison]) -> list[Question]:
    """Every task of a workload that was tried, but for phases: timed ones first, larger presets first, in the order of
    tasks."""
    tasks = list(get_args(Task))

    def rank(question: Question) -> tuple[bool, int, str, int]:
        case = _best_case(question, cases, "")
        size = _size(case.case.preset) if case else len(PRESETS)
        return case is None or not timed(case), size, question.workload, tasks.index(question.task)

    tried = {Question(one.case.workload, one.case.task) for one in cases if one.case.task not in PHASES}
    return sorted(tried, key=rank)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question, from the case that answers it best (null when nothing was tried).

    ``best`` is the best result of each framework, best first: ranked ones, or those with a time where the state is
    "no quiet host". ``ratios`` is the first's speed over each other's, by the other's id. ``relation`` is that of the
    first two. ``against`` is what speaks against the first; null where nothing is answered. ``earlier`` has, of
    frameworks without a time here, the best that was measured of the same case and place by an earlier protocol or with
    an earlier form of the workload: never compared with the others.
    ``not_ranked`` are the remaining frameworks of the dataset without a place here; ``faster_unranked`` are results
    with a better figure that may not be ranked. ``reasons`` say why nothing is ranked; empty where one framework alone
    is.
    """

    question: Question
    state: State
    case: CaseComparison | None
    best: list[Result]
    ratios: dict[str, Compared]
    relation: Relation | None
    against: Drawbacks | None
    earlier: list[Result]
    not_ranked: list[str]
    faster_unranked: list[Result]
    reasons: list[str]


def answers(
    cases: Sequence[CaseComparison],
    baselines: Mapping[Group, Against],
    questions: Sequence[Question] | None = None,
) -> list[Answer]:
    """One answer per question (all that were asked); ``baselines`` is what ``every_baseline`` gives for the results.

    An exported model and a library's answer other questions than the framework that they were written in.
    """
    families = _families(result for case in cases for result in [*timed(case), *case.absent])
    usual = _usual_host(cases)
    return [
        _answer(question, cases, usual, baselines, families)
        for question in (asked(cases) if questions is None else questions)
    ]


def _families(results: Iterable[Result]) -> set[str]:
    """The frameworks that models are written in, of these results' stacks."""
    known = declared.stacks()
    names = {result.contender.stack for result in results}
    return {_framework(name, known) for name in names if declared.is_framework(known.get(name))}


def _framework(stack: str, known: Mapping[str, StackInfo]) -> str:
    """The framework that a stack is of: ``keras`` for ``keras-jax``; one that is gone stands for itself."""
    return known[stack].framework if stack in known else stack


def timed(case: CaseComparison) -> list[Result]:
    """The results of frameworks with a time, fastest first; A/A twins and own builds left out."""
    known = declared.stacks()
    results = [row.result for row in case.rows if not row.result.contender.twin]
    return [
        result
        for result in results
        if declared.is_framework(known.get(result.contender.stack)) and not result.image.own_builds
    ]


def _answer(
    question: Question,
    cases: Sequence[CaseComparison],
    usual: str,
    baselines: Mapping[Group, Against],
    families: set[str],
) -> Answer:
    case = _best_case(question, cases, usual)
    measured = timed(case) if case else []
    ranked = [result for result in measured if result.ranked]
    best = _best_of_each(ranked)
    answer = Answer(question, "not measured", case, [], {}, None, None, [], [], [], [])
    if case is None or not measured:
        return answer
    answer = replace(answer, earlier=_earlier(case, cases))
    if len(best) < 2:
        reasons = [] if best else sorted({result.unranked_because or "" for result in measured})
        return replace(answer, state="no quiet host", best=_best_of_each(measured), reasons=reasons)
    first, *others = best
    over_first = baselines[group_key(first)].get(first.label, {})
    pairs = {other.id: _reversed(over_first[other.id]) for other in others if other.id in over_first}
    if len(pairs) < len(others) or any(pair.low is None for pair in pairs.values()):
        return replace(answer, state="too few rounds", best=best)
    placed = _families([*best, *answer.earlier])
    rate = _rate(first)
    slower = {slow for quick, slow in surely_faster_pairs(case, ranked) if quick == first.id}
    return replace(
        answer,
        state="answered",
        best=best,
        ratios=pairs,
        relation=_relation(others, slower, pairs[others[0].id], case.equal_within),
        against=drawbacks(first, others, slower, cases),
        not_ranked=sorted(families - placed),
        faster_unranked=[r for r in _best_of_each(measured) if not r.ranked and _rate(r) > rate],
    )


def _relation(others: Sequence[Result], slower: Set[str], pair: Compared, equal_within: float) -> Relation:
    """What follows for the first, which ``slower`` (ids) are surely slower than, and the first of the ``others``, the
    two being ``pair`` apart."""
    if all(other.id in slower for other in others):
        return "fastest"
    assert pair.low is not None and pair.high is not None
    equal = math.exp(equal_within)
    # where the host's own noise makes everything equal, what is surely apart is not level
    if 1 / equal < pair.low <= 1 + SMALLEST_MEANINGFUL and pair.high < equal:
        return "level"
    return "too close to call" if pair.low <= 1 else "undecided"


def _earlier(case: CaseComparison, cases: Sequence[CaseComparison]) -> list[Result]:
    """The best of each framework without a time in ``case`` that an older edition of it has, the newest edition's."""
    known = declared.stacks()
    here = _families(timed(case))
    older = [one for one in cases if _but_for_edition(one) == _but_for_edition(case)]
    older = [one for one in older if one is not case and one.measured_utc < case.measured_utc]
    older.sort(key=lambda one: one.measured_utc, reverse=True)
    best = _best_of_each(result for one in older for result in timed(one))
    return [result for result in best if _framework(result.contender.stack, known) not in here]


def _but_for_edition(case: CaseComparison) -> tuple[str, ...]:
    return group_key(case)[:-1]


def _usual_host(cases: Sequence[CaseComparison]) -> str:
    """The host that ranks several frameworks in the most kinds of work, of equals the one that measured last: so that
    what stands side by side is of one machine wherever it can be."""
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    last: dict[str, str] = defaultdict(str)
    for case in cases:
        if case.case.task not in PHASES and _ranks_several(timed(case)):
            kinds[case.host_id].add((case.case.workload, case.case.task))
        last[case.host_id] = max(last[case.host_id], case.measured_utc)
    return max(last, key=lambda host_id: (len(kinds[host_id]), last[host_id]), default="")


def _ranks_several(results: Iterable[Result]) -> bool:
    return len(_best_of_each(result for result in results if result.ranked)) >= 2


def _best_case(question: Question, cases: Sequence[CaseComparison], usual: str) -> CaseComparison | None:
    """The case that answers best: with ranks before without, larger preset, the newest edition, in a container, fp32,
    on the ``usual`` host, more results, measured last."""
    candidates = [one for one in cases if (one.case.workload, one.case.task) == question]

    def merit(case: CaseComparison) -> tuple[bool, bool, int, bool, bool, bool, bool, int, str]:
        results, order = timed(case), _size(case.case.preset)
        return (
            _ranks_several(results),
            bool(results),
            -order,
            not case.edition,
            case.executor == "docker",
            case.case.precision == "fp32",
            case.host_id == usual,
            len(results),
            case.measured_utc,
        )

    return max(candidates, key=merit, default=None)


def _size(preset: str) -> int:
    """0 for the largest preset."""
    return PRESETS.index(preset) if preset in PRESETS else len(PRESETS)


def _best_of_each(results: Iterable[Result]) -> list[Result]:
    """The first result of each framework over its backends, modes and variants; they come best first."""
    known = declared.stacks()
    best: dict[str, Result] = {}
    for result in results:
        best.setdefault(_framework(result.contender.stack, known), result)
    return [*best.values()]


def _reversed(compared: Compared) -> Compared:
    """Speed of the baseline over the contender's."""
    low, high = compared.low, compared.high
    return Compared(
        1 / compared.ratio, 1 / high if high else None, 1 / low if low else None, compared.verdict
    )


def _rate(result: Result) -> float:
    return result.throughput.value if result.throughput else 0.0
