"""Home: which one, for my work, and by how much? Answered per scenario, or plainly not answered."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from markupsafe import Markup

from framebench.dataset import Result
from framebench.pages import figures
from framebench.pages.chart import Row, caption, chart
from framebench.pages.evidence import Evidence, Group
from framebench.pages.words import _, framework, result_name

State = Literal["answered", "too few rounds", "no quiet host", "not measured"]
FRAMEWORKS = ("PyTorch", "TensorFlow", "Keras")
PRESETS = ("gpu", "cpu", "smoke")  # the first that was measured answers


class Question(NamedTuple):
    """A kind of work, as a reader would name it, and the case that stands for it."""

    title: str
    workload: str
    task: str


QUESTIONS = (
    Question(_("Train a network on images"), "convstack", "train"),
    Question(_("Classify images"), "convstack", "infer"),
    Question(_("Train a small network on real data"), "mlp", "train"),
    Question(_("Predict with a small network"), "mlp", "infer"),
)


class Scenario(NamedTuple):
    """One card: the question, the answer in a sentence, the best of each framework, and where to look."""

    title: str
    state: State
    sentence: Markup
    rows: list[Row]
    where: str
    href: str | None


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``index.md.j2`` of the home page needs."""
    scenarios = [scenario(question, evidence) for question in QUESTIONS]
    states = {one.state for one in scenarios}
    return {
        "scenarios": scenarios,
        "measured": states != {"not measured"},
        "answered": "answered" in states,
        "busy": "answered" not in states and "no quiet host" in states,
        "results": len(evidence.dataset.results),
        "trials": len(evidence.dataset.records),
        "problems": len(evidence.dataset.broken),
    }


def scenario(question: Question, evidence: Evidence) -> Scenario:
    """The answer to one question from the group that answers it best."""
    group = _group(question, evidence.groups)
    if group is None:
        sentence = Markup(_("Nobody has measured this yet."))
        return Scenario(question.title, "not measured", sentence, [], "", None)
    state, sentence, shown = answer(group)
    rows = {row.href: row for row in chart(group, "").rows}
    return Scenario(
        title=question.title,
        state=state,
        sentence=sentence,
        rows=[rows[f"results/{result.id}/"] for result in shown],
        where=f"{group.case.workload}, {_('preset')} {group.case.preset} · {caption(group)}",
        href=f"compare/#{group.anchor}",
    )


def answer(group: Group) -> tuple[State, Markup, list[Result]]:
    """The state of a group, the sentence that says it, and the best result of each framework."""
    ranked = _champions(group.ranked)
    if not group.timed:
        sentence = _("Nobody has measured this yet: every attempt ended with a reason instead of a figure.")
        return "not measured", Markup(sentence), []
    if not ranked:
        shown = _champions(group.timed)
        return "no quiet host", _unranked(_why(group)), shown
    if len(ranked) < 2:
        shown = _champions(group.timed)
        return "no quiet host", _unranked(_("Only one framework could be ranked.")), shown
    first, *others = ranked
    against = group.against.get(first.label, {})
    pairs = [(other, against.get(other.id)) for other in others]
    if any(pair is None or pair.low is None for _other, pair in pairs):
        sentence = _("Measured in too few rounds for an answer with an uncertainty. So far:")
        return "too few rounds", Markup(sentence), ranked
    runner, pair = pairs[0]
    assert pair is not None
    if pair.verdict == "slower":
        lead = Markup(_("<strong>{name}</strong> is the fastest: {rate} samples/s{interval}."))
    else:
        tied = _(
            "<strong>{name}</strong> and <strong>{other}</strong> are level: {rate} samples/s{interval}."
        )
        close = _(
            "<strong>{name}</strong> and <strong>{other}</strong> are too close to call: "
            "{rate} samples/s{interval} for the former."
        )
        lead = Markup(tied if pair.verdict == "tied" else close)
    rate, interval = _rate(first)
    sentence_text = lead.format(
        name=result_name(first),
        other=result_name(runner),
        rate=rate,
        interval=interval,
    )
    for other, compared in pairs:
        if compared is None or compared.low is None or compared.high is None:
            continue
        times, span = figures.with_interval(1 / compared.ratio, 1 / compared.high, 1 / compared.low)
        sentence_text += Markup(" ") + Markup(
            _("<strong>{times}×</strong> ({span}) the speed of {name} at its best, {mode}.")
        ).format(
            times=times,
            span=span,
            name=framework(other.contender.stack),
            mode=best_form(other),
        )
    missing = [name for name in FRAMEWORKS if name not in {framework(r.contender.stack) for r in ranked}]
    if missing:
        sentence_text += " " + _("Not ranked here: {names}.").format(names=", ".join(missing))
    ahead = [
        result
        for result in _champions(group.timed)
        if not result.ranked and _rate_of(result) > _rate_of(first)
    ]
    if ahead:
        names = ", ".join(f"{result_name(result)} ({_rate(result)[0]})" for result in ahead)
        sentence_text += " " + _("Measured faster, but on a host too busy to rank it: {names}.").format(
            names=names
        )
    return "answered", sentence_text, ranked


def best_form(result: Result) -> str:
    """How a framework was at its best: the backend too where it has one."""
    name = result_name(result)
    return name.removeprefix(f"{framework(result.contender.stack)}, ").removeprefix("Keras ")


def _unranked(why: str) -> Markup:
    return Markup(
        _("<strong>No quiet host has measured this yet.</strong> {why} Measured, not ranked:")
    ).format(why=why)


def _why(group: Group) -> str:
    """Why nothing in a group is ranked, in a few words."""
    reasons = {result.unranked_because or "" for result in group.timed}
    if all(reason.startswith("noisy") for reason in reasons):
        return _("The machine was busy with other work while it measured.")
    return _("Reasons: {reasons}.").format(reasons=", ".join(sorted(reasons)))


def _rate_of(result: Result) -> float:
    return result.throughput.value if result.throughput else 0.0


def _rate(result: Result) -> tuple[str, str]:
    assert result.throughput is not None
    rate, interval = figures.with_interval(*result.throughput[:3])
    return rate, _(" (95 % interval {span})").format(span=interval) if interval else ""


def _champions(results: list[Result]) -> list[Result]:
    """The best result of each framework, best first; ``results`` come best first."""
    found: dict[str, Result] = {}
    for result in results:
        found.setdefault(framework(result.contender.stack), result)
    return list(found.values())


def _group(question: Question, groups: list[Group]) -> Group | None:
    """The group that answers best: with ranks before without, in a container, larger preset, more results."""
    candidates = [g for g in groups if (g.case.workload, g.case.task) == (question.workload, question.task)]

    def merit(group: Group) -> tuple[bool, bool, int, bool, int]:
        preset = group.case.preset
        order = PRESETS.index(preset) if preset in PRESETS else len(PRESETS)
        return (
            len(_champions(group.ranked)) >= 2,
            bool(group.timed),
            -order,
            group.executor == "docker",
            len(group.timed),
        )

    return max(candidates, key=merit, default=None)
