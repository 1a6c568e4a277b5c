"""By what the compare page's results can be chosen: hardware, work, size, precision, batch, mode, place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from framebench.errors import visible
from framebench.language import _
from framebench.pages import facts
from framebench.pages.evidence import Group
from framebench.pages.words import TASKS, cores_or_device, task_name

MODE = "mode"
"""The one facet of contenders; the others are those of a case and its place."""


class Choice(NamedTuple):
    """One value of a facet: the code that an address has, and how it is called."""

    value: str
    text: str


class Facet(NamedTuple):
    """``of`` gives a group's value. ``key`` is its word in an address. ``rare``: few readers ask by it."""

    key: str
    label: str
    of: Callable[[Group], Choice]
    rare: bool = False


def facets() -> list[Facet]:
    """Those of groups, in the order in which a reader asks."""
    return [
        Facet("hardware", _("Hardware"), _hardware),
        Facet("workload", _("Workload"), lambda group: _same(group.case.workload)),
        Facet("task", _("Task"), lambda group: Choice(group.case.task, task_name(group.case.task))),
        Facet("preset", _("Preset"), lambda group: _same(group.case.preset)),
        Facet("precision", _("Precision"), lambda group: _same(group.case.precision)),
        Facet("batch", _("Batch"), lambda group: _same(str(group.case.batch))),
        Facet("cores", _("Cores or device"), lambda group: _same(cores_or_device(group.case)), True),
        Facet("host", _("Host"), lambda group: _same(group.host_id), True),
        Facet("executor", _("Executor"), lambda group: _same(group.executor), True),
        Facet("suite", _("Suite"), lambda group: _same(group.suite), True),
        Facet("edition", _("Edition"), _edition, True),
    ]


def choices(facet: Facet, groups: Sequence[Group]) -> list[Choice]:
    """The values that there are: numbers by size, tasks with training first, everything else by name."""
    found = {facet.of(group) for group in groups}
    return sorted(found, key=lambda choice: _order(facet.key, choice))


def _order(key: str, choice: Choice) -> tuple[int, str]:
    if key == "task":
        order = list(TASKS)
        return (order.index(choice.value) if choice.value in order else len(order), choice.text)
    return (int(choice.value) if choice.value.isdecimal() else 0, choice.text)


def _same(value: str) -> Choice:
    """As a page shows it: a machine's name is somebody else's text."""
    return Choice(visible(value), visible(value))


def _hardware(group: Group) -> Choice:
    """The kind of machine: its GPUs for a case on GPUs, else its processor; hosts of one kind may be several."""
    results = [*group.timed, *group.absent]
    machines = [result.latest.hardware for result in results]
    machine = next((one for one in machines if one is not None), None)
    if machine is None:
        return Choice("", _("not recorded"))
    if group.case.device == "gpu":
        return _same(
            ", ".join(sorted({gpu.name or _("name unknown") for gpu in machine.gpus})) or facts.text(None)
        )
    return _same(facts.text(machine.cpu_model))


def _edition(group: Group) -> Choice:
    return Choice("earlier", _("earlier")) if group.comparison.edition else Choice("newest", _("newest"))
