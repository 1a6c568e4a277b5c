"""Home: which one, for my work, and by how much? Answered for each task of each workload that has results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from framebench.dataset.answers import Answer, Question, State, answers
from framebench.language import N_, _
from framebench.pages import figures, ladder, news
from framebench.pages.answer_words import long_title, paragraphs, title
from framebench.pages.chart import Row, caption, chart
from framebench.pages.evidence import Evidence
from framebench.pages.publisher import PROJECT
from framebench.pages.views import Cell, Table
from framebench.pages.words import all_of, common_unit, families, framework, rate_unit, result_name
from framebench.pages.workload import summary
from harness import workloads
from harness.record import PHASES

__all__ = ["Question", "Scenario", "scenario", "view"]


class Scenario(NamedTuple):
    """One card: its anchor, the question, the workload in a line, the answer, the best of each framework, and where to
    look."""

    anchor: str
    title: str
    about: str
    state: State
    paragraphs: list[Markup]
    rows: list[Row]
    where: str
    href: str | None

    @property
    def sentence(self) -> Markup:
        """The whole answer in one."""
        return Markup(" ").join(self.paragraphs)


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``index.md.j2`` of the home page needs."""
    asked = evidence.dataset.answers
    scenarios = [_card(answer, evidence) for answer in asked]
    states = {one.state for one in scenarios}
    there = {answer.question for answer in asked}
    titles = [title(question) for question in declared() if question not in there]
    return {
        "publisher": None if evidence.publisher == PROJECT else evidence.publisher,
        "frameworks": all_of(list(families().values()), _("or")),
        "glance": _glance(asked) if "answered" in states else None,
        "scenarios": scenarios,
        "unmeasured": [text[:1].lower() + text[1:] for text in titles],
        "measured": bool(states - {"not measured"}),
        "answered": "answered" in states,
        "busy": "answered" not in states and "no quiet host" in states,
        "ladder": ladder.view(evidence.dataset.ladders),
        "news": news.items(evidence.dataset.news),
        "results": len(evidence.dataset.results),
        "trials": len(evidence.dataset.records),
        "problems": len(evidence.dataset.broken),
    }


def declared() -> list[Question]:
    """Every task of every workload that is a model in several sizes, but for phases."""
    return [
        Question(name, task)
        for name in workloads.names()
        if name not in workloads.broken() and "smoke" in workloads.get(name).presets
        for task in workloads.get(name).tasks
        if task not in PHASES
    ]


def scenario(question: Question, evidence: Evidence) -> Scenario:
    """The card of one question, whether anybody has measured it or not."""
    data = evidence.dataset
    (answer,) = answers(data.comparisons, data.baselines, [question])
    return _card(answer, evidence)


SURE = {
    "fastest": N_("the fastest"),
    "level": N_("level"),
    "too close to call": N_("too close to call"),
    "undecided": N_("undecided"),
}
OPEN = {
    "no quiet host": N_("no quiet host yet"),
    "too few rounds": N_("too few rounds yet"),
    "not measured": N_("not measured yet"),
}


def _glance(asked: Sequence[Answer]) -> Table:
    """A line for each question: the best figure, what follows, and how far ahead of the next framework's."""
    rows = []
    for answer in asked:
        work = Cell(long_title(answer.question), "fb-reason", href=f"#{_anchor(answer)}")
        if answer.relation is None:
            rows.append([work, Cell("–"), Cell(_(OPEN[answer.state])), Cell("–")])
            continue
        first, second = answer.best[:2]
        ratio = answer.ratios[second.id]
        times, span = figures.with_interval(ratio.ratio, ratio.low, ratio.high)
        ahead = _("{times}× ({span}) {name}").format(
            times=times, span=span, name=framework(second.contender.stack)
        )
        best = Cell(result_name(first), stack=first.contender.stack)
        rows.append([work, best, Cell(_(SURE[answer.relation])), Cell(ahead)])
    return Table([_("Work"), _("Best figure"), _("What follows"), _("Speed ÷ the next framework's")], rows)


def _anchor(answer: Answer) -> str:
    return f"{answer.question.task}-{answer.question.workload}"


def _card(answer: Answer, evidence: Evidence) -> Scenario:
    head, said = long_title(answer.question), paragraphs(answer)
    about = summary(evidence.root, answer.question.workload)
    group = next((group for group in evidence.groups if group.comparison is answer.case), None)
    if group is None:
        return Scenario(_anchor(answer), head, about, answer.state, said, [], "", None)
    rows = {row.href: row for row in chart(group, "").rows}
    unit = rate_unit(common_unit(group.timed))
    return Scenario(
        anchor=_anchor(answer),
        title=head,
        about=about,
        state=answer.state,
        paragraphs=said,
        rows=[rows[f"results/{result.id}/"] for result in answer.best],
        where=f"{_('in')} {unit} · {_('preset')} {group.case.preset} · {caption(group)}",
        href=f"compare/#{group.anchor}",
    )
