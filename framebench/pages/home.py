"""Home: which one, for my work, and by how much? Answered for each task of each workload that has results."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from framebench.dataset.answers import Answer, Question, State, answers
from framebench.pages import ladder, news
from framebench.pages.answer_words import paragraphs, title
from framebench.pages.chart import Row, caption, chart
from framebench.pages.evidence import Evidence
from framebench.pages.words import _, all_of, common_unit, families, rate_unit
from framebench.pages.workload import summary
from harness import workloads
from harness.record import PHASES

__all__ = ["Question", "Scenario", "scenario", "view"]


class Scenario(NamedTuple):
    """One card: the question, the workload in a line, the answer, the best of each framework, and where to look."""

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
        "frameworks": all_of(list(families().values()), _("or")),
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


def _card(answer: Answer, evidence: Evidence) -> Scenario:
    head, said = title(answer.question), paragraphs(answer)
    about = summary(evidence.root, answer.question.workload)
    group = next((group for group in evidence.groups if group.comparison is answer.case), None)
    if group is None:
        return Scenario(head, about, answer.state, said, [], "", None)
    rows = {row.href: row for row in chart(group, "").rows}
    unit = rate_unit(common_unit(group.timed))
    return Scenario(
        title=head,
        about=about,
        state=answer.state,
        paragraphs=said,
        rows=[rows[f"results/{result.id}/"] for result in answer.best],
        where=f"{_('in')} {unit} · {_('preset')} {group.case.preset} · {caption(group)}",
        href=f"compare/#{group.anchor}",
    )
