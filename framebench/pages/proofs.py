"""What the gate has let pass in a workload, and which planted faults it caught, by contender."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from framebench.language import _
from framebench.pages import figures
from framebench.pages.gate import part_names
from framebench.pages.views import Cell, Table
from framebench.pages.words import PRECISIONS, contender_name
from framebench.records.proofs import Proof, read_proofs
from harness.record import Case, Contender

NUM = "fb-num"


class Shown(NamedTuple):
    """A sentence of sums, the contenders, and the faults with the parts that caught them."""

    lead: str
    contenders: Table
    faults: Table


def view(root: Path, workload: str) -> Shown | None:
    """Null where nothing has been proven yet."""
    proofs = read_proofs(root, workload)
    if not proofs:
        return None
    passed = [one for one in proofs.values() if one.unsupported is None]
    caught, unseen = sum(p.faults_caught for p in passed), sum(p.faults_unseen for p in passed)
    lead = _(
        "{passed} of {cells} cells passed (a contender in one preset, task and precision), {unsupported} are not "
        "supported. "
        "Of {planted} planted faults {caught} were caught"
    ).format(
        passed=len(passed),
        cells=len(proofs),
        unsupported=len(proofs) - len(passed),
        planted=caught + unseen,
        caught=caught,
    )
    if unseen:
        lead += _("; {unseen} are hidden by the rounding of their stack").format(unseen=unseen)
    return Shown(f"{lead}.", _contenders(proofs), _faults(passed))


def of_stack(root: Path, case: Case, contender: Contender) -> str:
    """How many of the faults that were planted in such an implementation were caught, in a sentence; empty where none
    was planted."""
    planted_in = [
        proof
        for name, proof in read_proofs(root, case.workload).items()
        if proof.contender.stack == contender.stack
        and f"-{case.task}-" in name
        and name.endswith(f"-{case.precision}")
    ]
    caught, unseen = sum(p.faults_caught for p in planted_in), sum(p.faults_unseen for p in planted_in)
    if not caught + unseen:
        return ""
    text = _("Of {planted} faults planted in this stack at this task and precision the gate caught {caught}")
    text = text.format(planted=caught + unseen, caught=caught)
    if unseen:
        text += _("; {unseen} are hidden by the rounding of their stack").format(unseen=unseen)
    return f"{text}."


def _contenders(proofs: dict[str, Proof]) -> Table:
    """A row for each contender and precision."""
    rows: dict[tuple[Contender, str], list[Proof]] = defaultdict(list)
    for name, proof in sorted(proofs.items()):
        rows[proof.contender, name.rpartition("-")[2]].append(proof)
    return Table(
        [
            _("Contender"),
            _("Precision"),
            _("Cases passed"),
            _("Values compared"),
            _("Faults caught"),
            _("Last proven"),
            _("Not supported"),
        ],
        [_row(contender, precision, found) for (contender, precision), found in rows.items()],
    )


def _row(contender: Contender, precision: str, found: list[Proof]) -> list[Cell]:
    passed = [one for one in found if one.unsupported is None]
    caught, unseen = sum(p.faults_caught for p in passed), sum(p.faults_unseen for p in passed)
    return [
        Cell(contender_name(contender), stack=contender.stack),
        Cell(_(PRECISIONS.get(precision, precision))),
        Cell(f"{len(passed)} / {len(found)}", NUM),
        Cell(figures.whole(sum(one.compared for one in passed)) if passed else figures.NONE, NUM),
        Cell(f"{caught} / {caught + unseen}" if caught + unseen else figures.NONE, NUM),
        Cell(max(one.day for one in found)),
        Cell(
            "; ".join(sorted({one.unsupported for one in found if one.unsupported})) or figures.NONE,
            "fb-reason",
            quoted=True,
        ),
    ]


def _faults(passed: list[Proof]) -> Table:
    """A row for each fault: in how many cells it was planted, which parts caught it, and why it was not seen."""
    parts: dict[str, set[str]] = defaultdict(set)
    reasons: dict[str, set[str]] = defaultdict(set)
    planted: dict[str, int] = defaultdict(int)
    caught: dict[str, int] = defaultdict(int)
    for proof in passed:
        for part, faults in proof.caught.items():
            for fault in faults:
                parts[fault].add(part)
                planted[fault] += 1
                caught[fault] += 1
        for reason, faults in proof.unseen.items():
            for fault in faults:
                reasons[fault].add(reason)
                planted[fault] += 1
    return Table(
        [_("Planted fault"), _("Caught"), _("By"), _("Not seen")],
        [
            [
                Cell(fault, quoted=True),
                Cell(f"{caught[fault]} / {count}", NUM),
                Cell(", ".join(part_names(sorted(parts[fault]))) or figures.NONE, "fb-reason"),
                Cell("; ".join(sorted(reasons[fault])) or figures.NONE, "fb-reason", quoted=True),
            ]
            for fault, count in sorted(planted.items())
        ],
    )
