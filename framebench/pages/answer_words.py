"""An answer in words: the same sentence on the home page, in the download and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape

from framebench.dataset import Result
from framebench.dataset.answers import Answer, Question
from framebench.dataset.drawbacks import Drawbacks, LaterStart, MoreMemory
from framebench.language import N_, _
from framebench.pages import figures, flags
from framebench.pages.source import docstring
from framebench.pages.words import (
    cores_or_device,
    families,
    framework,
    precision_name,
    rate_unit,
    result_name,
    stack_name,
    status_name,
)
from harness import workloads
from harness.flags import UNRANKED

TITLES = {
    "train": N_("Train {name}"),
    "infer": N_("Predict with {name}"),
    "prefill": N_("Read a prompt with {name}"),
    "decode": N_("Generate with {name}"),
    "load": N_("Load data for {name}"),
    "call": N_("Call {name}"),
}


WEIGHED = {"first step": N_("first step"), "memory": N_("memory")}
MOST_NAMED = 3


def title(question: Question) -> str:
    """The kind of work as a reader would name it."""
    return _(TITLES.get(question.task, "{name}")).format(name=question.workload)


def kind(workload: str) -> str:
    """What a workload is, in two or three words: the docstring of its folder's ``__init__.py``; empty without one."""
    file = workloads.FOLDER / workload / "__init__.py"
    return _(docstring(file.read_text())) if workload in workloads.names() else ""


def long_title(question: Question) -> str:
    """The kind of work for somebody who does not know the workload: ``Train a language model (gpt)``."""
    what = kind(question.workload)
    if not what:
        return title(question)
    return _("{title} ({workload})").format(
        title=title(question._replace(workload=what)), workload=question.workload
    )


def plain(answer: Answer) -> str:
    """The whole answer without markup."""
    return str(marked(answer).striptags())


def marked(answer: Answer) -> Markup:
    """The whole answer in one, its names and ratios in <strong>."""
    return Markup(" ").join(paragraphs(answer))


def paragraphs(answer: Answer) -> list[Markup]:
    """The answer, what speaks against it, and what it leaves out; each with its names in <strong>."""
    answered = answer.state == "answered"
    parts = [
        [*_said(answer), *(_speeds(answer) if answered else ())],
        [*_against(answer)],
        [*_outdated(answer), *(_left_out(answer) if answered else ())],
    ]
    if not answered:  # its sentence leads over to the figures
        parts.reverse()
    return [Markup(" ").join(sentences) for sentences in parts if sentences]


def _said(answer: Answer) -> Iterator[Markup]:
    if answer.state == "not measured" and answer.case is None:
        yield Markup(_("Nobody has measured this yet."))
    elif answer.state == "not measured":
        yield Markup(
            _("Nobody has measured this yet: every attempt ended with a reason instead of a figure.")
        )
    elif answer.state == "no quiet host":
        yield Markup(
            _("<strong>No quiet host has measured this yet.</strong> {why} Measured, not ranked:")
        ).format(why=_why(answer.reasons))
    elif answer.state == "too few rounds":
        yield Markup(_("Measured in too few rounds for an answer with an uncertainty. So far:"))
    else:
        yield _lead(answer)


def _lead(answer: Answer) -> Markup:
    first, second = answer.best[:2]
    forms = {
        "fastest": _("<strong>{name}</strong> is the fastest: {rate}{interval}."),
        "level": _("<strong>{name}</strong> and <strong>{other}</strong> are level: {rate}{interval}."),
        "too close to call": _(
            "<strong>{name}</strong> and <strong>{other}</strong> are too close to call: "
            "{rate}{interval} for the former."
        ),
        "undecided": _(
            "<strong>{name}</strong> has the best figure: {rate}{interval}. Whether it is faster is undecided: between "
            "so many contenders chance, or this machine's own noise, makes such differences too."
        ),
    }
    assert answer.relation is not None
    rate, interval = _rate(first)
    return Markup(forms[answer.relation]).format(
        name=result_name(first),
        other=result_name(second),
        rate=rate,
        interval=interval,
    )


def _speeds(answer: Answer) -> Iterator[Markup]:
    """How many times the others' speed the first one has."""
    for other in answer.best[1:]:
        compared = answer.ratios[other.id]
        times, span = figures.with_interval(compared.ratio, compared.low, compared.high)
        yield Markup(_("<strong>{times}×</strong> ({span}) the speed of {name} at its best, {form}.")).format(
            times=times, span=span, name=framework(other.contender.stack), form=best_form(other)
        )


def _against(answer: Answer) -> Iterator[Markup]:
    """What speaks against the first, each with the least of the others beside it."""
    against = answer.against
    if against is None:
        return
    parts = [
        *([_later_start(against.later_start)] if against.later_start else []),
        *([_more_memory(against.more_memory)] if against.more_memory else []),
        *_failures(against),
    ]
    if parts:
        sentence = Markup(_("Against <strong>{name}</strong>: {parts}."))
        yield sentence.format(name=result_name(answer.best[0]), parts="; ".join(parts))
    elif len(against.compared) == len(WEIGHED):
        sentence = Markup(
            _("Neither the first step nor the memory of <strong>{name}</strong> speaks against it.")
        )
        yield sentence.format(name=result_name(answer.best[0]))
    missing = [_(word) for name, word in WEIGHED.items() if name not in against.compared]
    if missing:
        yield escape(_("Not measured beside the others: {what}.").format(what=", ".join(missing)))


def _left_out(answer: Answer) -> Iterator[Markup]:
    """Who has no place here, and where it was measured."""
    if answer.not_ranked:
        names = ", ".join(families().get(name, name) for name in answer.not_ranked)
        yield escape(_("Not ranked here: {names}.").format(names=names))
    if answer.faster_unranked:
        names = ", ".join(f"{result_name(one)} ({_rate(one)[0]})" for one in answer.faster_unranked)
        yield escape(_("Measured faster, but on a host too busy to rank it: {names}.").format(names=names))
    yield escape(_where(answer.best[0]))


def _later_start(start: LaterStart) -> str:
    caches = {
        "cold": _("its first step takes {own} with an empty compile cache, that of {other} {least}"),
        "warm": _("its first step takes {own}, that of {other} {least}"),
    }
    text = caches[start.cache].format(
        own=figures.duration(start.own_ns),
        other=stack_name(start.other.contender.stack),
        least=figures.duration(start.least_ns),
    )
    if start.repaid_steps is None:
        return text
    return _("{text} (caught up after {n} steps)").format(
        text=text, n=figures.significant(start.repaid_steps, 2)
    )


def _more_memory(memory: MoreMemory) -> str:
    return _("it needs {own} of memory for the work, {other} {least}").format(
        own=figures.size(memory.own),
        other=stack_name(memory.other.contender.stack),
        least=figures.size(memory.least),
    )


def _failures(against: Drawbacks) -> Iterator[str]:
    if against.failed_trials:
        yield _("{n} of its {all} timing trials here failed").format(
            n=against.failed_trials, all=against.timing_trials
        )
    named = [
        f"{title(Question(one.case.workload, one.case.task))} ({status_name(one.status)})"
        for one in against.failed_elsewhere[:MOST_NAMED]
    ]
    if named:
        more = len(against.failed_elsewhere) - len(named)
        named += [_("{n} more").format(n=more)] if more else []
        yield _("it has no figure for: {names}").format(names=", ".join(named))


def _where(result: Result) -> str:
    """On which hardware, and in which precision."""
    case, machine = result.case, result.latest.hardware
    gpus = sorted({gpu.name for gpu in machine.gpus if gpu.name}) if machine else []
    if case.device == "cpu":
        model = machine.cpu_model if machine else None
        text = _("Measured on {cores} of {machine}, {precision}.")
    else:
        model = ", ".join(gpus) or None
        text = _("Measured on {machine}, {precision}.")
    return text.format(
        cores=cores_or_device(case), machine=model or result.host_id, precision=precision_name(case)
    )


def _outdated(answer: Answer) -> Iterator[Markup]:
    """What is of an earlier edition: the whole answer, or the only figures of a framework."""
    if answer.case is not None and answer.case.edition:
        yield escape(
            _("All of this was measured by {date}, before the protocol or the workload changed.").format(
                date=answer.case.measured_utc[:10]
            )
        )
    for result in answer.earlier:
        yield escape(
            _(
                "{name} was last measured on {date}, before the protocol or the workload changed: not compared."
            ).format(name=framework(result.contender.stack), date=result.started_utc[:10])
        )


def best_form(result: Result) -> str:
    """How a framework was at its best: the backend too where it has one."""
    own = framework(result.contender.stack)
    return result_name(result).removeprefix(f"{own}, ").removeprefix(f"{own} ")


def _why(reasons: list[str]) -> str:
    """Why nothing is ranked, or one framework alone, in a few words."""
    if not reasons:
        return _("Only one framework could be ranked.")
    if set(reasons) <= {UNRANKED}:
        return _("The machine was busy with other work while it measured.")
    return _("Reasons: {reasons}.").format(reasons=", ".join(map(flags.unranked_word, reasons)))


def _rate(result: Result) -> tuple[str, str]:
    assert result.throughput is not None
    rate, interval = figures.with_interval(*result.throughput[:3])
    rate = f"{rate} {rate_unit(result.unit)}"
    return rate, _(" (95 % interval {span})").format(span=interval) if interval else ""
