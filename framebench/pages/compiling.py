"""What compiling costs and buys, and what a framework's loop costs: pairs of contenders side by side."""

from __future__ import annotations

import msgspec

from framebench.dataset import Result
from framebench.pages import figures
from framebench.pages.evidence import Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import (
    _,
    info,
    mode_name,
    stack_name,
    verdict_name,
    with_version,
)
from framebench.statistics.break_even import break_even_steps
from harness.record import Contender

NUM = "fb-num"


def compiling_table(group: Group, up: str, stack: str | None = None) -> Table:
    """Each compiled contender beside its eager form: first step, later steps, and when it has paid off."""
    rows = []
    for result in group.timed:
        if result.contender.mode != "compiled" or (stack and result.contender.stack != stack):
            continue
        plain = _eager_form(result, group)
        if plain is None:
            continue
        rows.append(_compiling_row(result, plain, group, up))
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
        direct = _beside(result, msgspec.structs.replace(contender, variant=variant), group)
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


def _beside(result: Result, contender: Contender, group: Group) -> Result | None:
    """The result of another contender of the same stack, timed in the same image."""
    beside = (
        other
        for other in group.timed
        if other.contender.slug == contender.slug and other.image.name == result.image.name
    )
    return next(beside, None)


def _eager_form(result: Result, group: Group) -> Result | None:
    """The same contender uncompiled: what its variant has beyond its stack's eager ones chooses a compiler."""
    contender = result.contender
    declared = known.modes.get("eager", ()) if (known := info(contender.stack)) else (contender.variant,)
    fitting = [one for one in declared if not one or f"-{contender.variant}".endswith(f"-{one}")]
    if not fitting:
        return None
    variant = max(fitting, key=len)
    return _beside(result, msgspec.structs.replace(contender, mode="eager", variant=variant), group)


def _compiling_row(result: Result, plain: Result, group: Group, up: str) -> list[Cell]:
    first, cache = _first_step(result)
    first_plain, _cache = _first_step(plain)
    step = result.time_ns.value if result.time_ns else None
    step_plain = plain.time_ns.value if plain.time_ns else None
    compared = group.against.get(plain.label, {}).get(result.id)
    ratio, interval = ratio_and_interval(compared)
    after = figures.NONE
    if first is not None and first_plain is not None and step is not None and step_plain is not None:
        steps = break_even_steps(first_plain, first, step_plain, step)
        if compared is not None and compared.verdict == "faster" and steps is not None:
            after = _("{n} steps").format(n=figures.significant(steps, 2))
        elif compared is not None:
            after = _("no gain shown ({verdict})").format(verdict=verdict_name(compared.verdict))
    return [
        Cell(
            _stack_and_mode(result),
            href=f"{up}results/{result.id}/",
            stack=result.contender.stack,
        ),
        Cell(figures.duration(first), NUM),
        Cell(cache, NUM),
        Cell(figures.duration(first_plain), NUM),
        Cell(figures.duration(step), NUM),
        Cell(figures.duration(step_plain), NUM),
        Cell(ratio, NUM),
        Cell(interval, NUM),
        Cell(after, NUM),
    ]


def _stack_and_mode(result: Result) -> str:
    return with_version(f"{stack_name(result.contender.stack)}, {mode_name(result.contender)}", result)


def _first_step(result: Result) -> tuple[float | None, str]:
    """The first step from a cold cache where that was measured, else from a warm one."""
    first = result.first_steps
    if first is None:
        return None, figures.NONE
    return (first.cold_ns, _("cold")) if first.cold_ns is not None else (first.warm_ns, _("warm"))


def ratio_and_interval(compared: tuple[float, float | None, float | None, str] | None) -> tuple[str, str]:
    if compared is None:
        return figures.NONE, figures.NONE
    value, interval = figures.with_interval(*compared[:3])
    return f"{value}×", interval or figures.NONE
