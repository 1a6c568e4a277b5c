"""The gate on a result's page: its parts in words, what came nearest to its tolerance, what failed."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from framebench.dataset import Result
from framebench.language import N_, _
from framebench.pages import figures, source
from framebench.pages.evidence import Evidence, sidecar_file
from framebench.pages.source import SourceFile
from framebench.pages.trials import NUM
from framebench.pages.views import Cell, Table
from framebench.records.nearness import nearness
from harness.record import GatePart, ParityDiff, Record

SHOWN = 5  # comparisons of a part that failed, the farthest above their tolerance first: the download has all

PARTS = {
    "data": N_("the same bytes: weights and batches"),
    "logic": N_("logic, computed in float64"),
    "precision": N_("the precision that is timed"),
    "optimizer": N_("the optimizer's rule by itself"),
    "state": N_("state: counters, reset, many steps at once"),
    "shape": N_("the timed batch size"),
    "outputs": N_("what the task gives back"),
}
METRICS = {"rel-l2": N_("relative"), "abs": N_("absolute")}


class Listed(NamedTuple):
    """What failed, null where nothing did; ``href`` leads to all ``comparisons``."""

    failed: Table | None
    href: str | None
    comparisons: int


def part_names(names: Sequence[str]) -> list[str]:
    """Parts of one gate in words; one that is looked at twice says in which precision."""
    found = []
    for position, name in enumerate(names):
        words = _(PARTS.get(name, name))
        if names.count(name) > 1:
            again = name in names[:position]
            words = f"{words}, {_('in the timed precision') if again else _('in float64')}"
        found.append(words)
    return found


def lead(result: Result, version: int) -> str:
    """With what, at which size and how a contender was compared, and how it ended; empty without a gate."""
    parity = result.parity
    if parity is None:
        return ""
    verdict = _("passed") if parity.passed else _("failed, so the contender is not comparable")
    text = _(
        "Compared with {reference} on the same weights and batches (preset {preset}, batch {batch}), in the mode "
        "that is timed: {verdict}."
    ).format(reference=parity.reference, preset=parity.preset, batch=parity.batch, verdict=verdict)
    if version < 3:
        text += " " + _(
            "This was the gate of record version {version}: fixed tolerances, in the timed precision alone; its timed "
            "shape was looked at by its first output."
        ).format(version=version)
    return text


def parts_table(result: Result) -> Table | None:
    """One row per part: how many comparisons, how many failed, the nearest to its tolerance; and what the timed trials
    themselves looked at, before and after their blocks."""
    parts = result.parity.parts if result.parity else []
    rows = [
        _row(name, part) for name, part in zip(part_names([part.name for part in parts]), parts, strict=True)
    ]
    for name, field in (
        (_("the timed shape, before the blocks ({n} trials)"), "shape_before"),
        (_("the timed shape, after the blocks ({n} trials)"), "shape_after"),
    ):
        looks = [look for record in result.records if (look := getattr(record, field)) is not None]
        if looks:
            rows.append(_row(name.format(n=len(looks)), _together(looks)))
    return _without_empty_notes(Table(_head(_("Part")), rows)) if rows else None


def _together(parts: Sequence[GatePart]) -> GatePart:
    """One part that several trials looked at, as if it had been one look."""
    return GatePart(
        name=parts[0].name,
        checks=sum(part.checks for part in parts),
        failed=sum(part.failed for part in parts),
        worst=max((part.worst for part in parts if part.worst), key=nearness, default=None),
        skipped=next((part.skipped for part in parts if part.skipped), None),
        left_out=max(part.left_out for part in parts),
    )


def planting(result: Result) -> str:
    """The command that plants faults in such an implementation, in a sentence."""
    case, contender = result.case, result.contender
    options = {
        "mode": contender.mode,
        "variant": contender.variant,
        "task": case.task,
        "preset": result.parity.preset if result.parity else case.preset,
        "precision": case.precision,
    }
    words = ["framebench", "mutate", case.workload, contender.stack]
    words += [word for name, value in options.items() if value for word in (f"--{name}", value)]
    return _("`{command}` plants faults in it, one at a time, and says which part caught each.").format(
        command=shlex.join(words)
    )


@functools.cache
def catalogue(root: Path, workload: str) -> list[SourceFile]:
    """Where the faults are written that can be planted: those for every workload, and its own."""
    paths = ("harness/gate/mutants.py", f"harness/workloads/{workload}/mutants.py")
    return [file for path in paths if (file := source.read(root, path))]


def listed(result: Result, evidence: Evidence, up: str) -> Listed | None:
    """The gate's comparisons: where all of them are, and those that failed, from the sidecar where it is at hand, else
    what the record itself holds."""
    trial = result.parity_trial
    if trial is None or trial.parity is None:
        return None
    whole = evidence.series(trial).get("gate")
    if not whole:
        failed = [diff for diff in trial.parity.diffs if not diff.passed]
        return Listed(_failed([("", failed)]), None, 0) if failed else None
    named = part_names([part["part"] for part in whole])
    parts = [msgspec.convert(part["diffs"], list[ParityDiff]) for part in whole]
    failed_of = [
        (name, [diff for diff in diffs if not diff.passed]) for name, diffs in zip(named, parts, strict=True)
    ]
    return Listed(_failed(failed_of), up + sidecar_file(trial.trial_id), sum(map(len, parts)))


def _failed(parts: Sequence[tuple[str, list[ParityDiff]]]) -> Table | None:
    """Of each part what is farthest above its tolerance."""
    rows = [
        [Cell(diff.what, code=True), *_measured(diff), Cell(name, "fb-reason")]
        for name, diffs in parts
        for diff in sorted(diffs, key=nearness, reverse=True)[:SHOWN]
    ]
    head = [_("Compared"), _("Measure"), _("Difference"), _("Tolerance"), _("Part")]
    return _without_empty_notes(Table(head, rows)) if rows else None


def kernels(records: Sequence[Record]) -> dict[str, str]:
    """Which path really ran, where the framework tells, of the newest trial that says."""
    return next((record.kernels for record in reversed(records) if record.kernels), {})


def _without_empty_notes(table: Table) -> Table:
    """The last column only where it says something."""
    if any(row[-1].text for row in table.rows):
        return table
    return table._replace(head=table.head[:-1], rows=[row[:-1] for row in table.rows])


def _head(first: str) -> list[str]:
    return [
        first,
        _("Checks"),
        _("Failed"),
        _("Nearest to its tolerance"),
        _("Measure"),
        _("Difference"),
        _("Tolerance"),
        _("Note"),
    ]


def _row(name: str, part: GatePart) -> list[Cell]:
    worst = part.worst
    notes = []
    if part.skipped:
        notes.append(_("not checked: {why}").format(why=part.skipped))
    if part.left_out:
        notes.append(_("{n} left out: no tolerance would check anything").format(n=part.left_out))
    return [
        Cell(name, "fb-reason"),
        Cell(str(part.checks) if part.checks else figures.NONE, NUM),
        Cell(str(part.failed) if part.checks else figures.NONE, f"{NUM} fb-no" if part.failed else NUM),
        Cell(worst.what if worst else figures.NONE, code=worst is not None),
        *_measured(worst),
        Cell("; ".join(notes), "fb-reason" if notes else ""),
    ]


def _measured(diff: ParityDiff | None) -> list[Cell]:
    measure = figures.NONE if diff is None else _(METRICS.get(diff.metric, diff.metric))
    return [Cell(measure), Cell(_difference(diff), NUM), Cell(_tolerance(diff), NUM)]


def _difference(diff: ParityDiff | None) -> str:
    if diff is None:
        return figures.NONE
    return _("not finite") if diff.value is None else _number(diff.value)


def _tolerance(diff: ParityDiff | None) -> str:
    return figures.NONE if diff is None else _number(diff.tolerance)


def _number(value: float) -> str:
    return "0" if value == 0 else "1" if value == 1 else f"{value:.1e}"
