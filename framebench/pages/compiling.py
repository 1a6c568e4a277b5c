"""What compiling costs and buys, and what a framework's loop costs: pairs of contenders side by side."""

from __future__ import annotations

import msgspec

from framebench.dataset import Result
from framebench.dataset.compiled_pairs import CompiledPair, FirstStep, beside
from framebench.dataset.every_baseline import Compared
from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import mode_name, stack_name, verdict_name, with_version

NUM = "fb-num"


def compiling_table(group: Group, up: str, stack: str | None = None) -> Table:
    """Each compiled contender beside its eager form: first step, later steps, and when it has paid off."""
    rows = [
        _compiling_row(pair, up)
        for pair in group.compiled_pairs
        if stack in (None, pair.compiled.contender.stack)
    ]
    head = [
        _("Compiled"),
        _("First step"),
        _("cache"),
        _("First step, eager"),
        _("Step"),
        _("Step, eager"),
        _("Speed ÷ eager"),
        _("95 % interval"),
        _("Pays off after"),
    ]
    return Table(head, rows)


def loop_table(group: Group, up: str) -> Table:
    """A framework's own loop (variant ``loop``) beside the same step called by itself (``direct``)."""
    rows = []
    for result in group.timed:
        contender = result.contender
        if not contender.variant.endswith("loop"):
            continue
        variant = contender.variant.removesuffix("loop") + "direct"
        direct = beside(result, msgspec.structs.replace(contender, variant=variant), group.timed)
        if direct is None or result.time_ns is None or direct.time_ns is None:
            continue
        compared = group.against.get(direct.label, {}).get(result.id)
        ratio, interval = ratio_and_interval(compared)
        rows.append(
            [
                Cell(
                    _stack_and_mode(result),
                    href=f"{up}results/{result.id}/",
                    stack=contender.stack,
                ),
                Cell(figures.duration(result.time_ns.value), NUM),
                Cell(figures.duration(direct.time_ns.value), NUM, href=f"{up}results/{direct.id}/"),
                Cell(ratio, NUM),
                Cell(interval, NUM),
            ]
        )
    head = [_("Contender"), _("Step in the loop"), _("Step, direct"), _("Speed ÷ direct"), _("95 % interval")]
    return Table(head, rows)


def _compiling_row(pair: CompiledPair, up: str) -> list[Cell]:
    """The first step from a cold cache where both were measured from one, else from a warm one."""
    compiled, eager = pair.compiled, pair.eager
    first = pair.cold or pair.warm
    ratio, interval = ratio_and_interval(pair.compared)
    return [
        Cell(_stack_and_mode(compiled), href=f"{up}results/{compiled.id}/", stack=compiled.contender.stack),
        Cell(figures.duration(first.compiled_ns if first else None), NUM),
        Cell(figures.NONE if first is None else _("cold") if pair.cold else _("warm"), NUM),
        Cell(figures.duration(first.eager_ns if first else None), NUM),
        Cell(figures.duration(compiled.time_ns.value if compiled.time_ns else None), NUM),
        Cell(figures.duration(eager.time_ns.value if eager.time_ns else None), NUM),
        Cell(ratio, NUM),
        Cell(interval, NUM),
        Cell(repaid(pair, first), NUM),
    ]


def repaid(pair: CompiledPair, first: FirstStep | None) -> str:
    """``96 steps``; where compiling has not been shown to be faster, that and the verdict."""
    if first is None or pair.compared is None:
        return figures.NONE
    if first.repaid_steps is None:
        return _("no gain shown ({verdict})").format(verdict=verdict_name(pair.compared.verdict))
    return _("{n} steps").format(n=figures.significant(first.repaid_steps, 2))


def _stack_and_mode(result: Result) -> str:
    return with_version(f"{stack_name(result.contender.stack)}, {mode_name(result.contender)}", result)


def ratio_and_interval(
    compared: Compared | tuple[float, float | None, float | None, str] | None,
) -> tuple[str, str]:
    if compared is None:
        return figures.NONE, figures.NONE
    value, interval = figures.with_interval(*compared[:3])
    return f"{value}×", interval or figures.NONE
