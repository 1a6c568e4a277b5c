"""The pages of hosts: on what, how noisy, and what came out."""

from __future__ import annotations

import math
from typing import Any

from framebench.dataset import Place, Result
from framebench.language import _
from framebench.pages import facts, figures, selftest
from framebench.pages.evidence import Evidence
from framebench.pages.listings import results_table
from framebench.pages.views import Cell, Table
from harness.record import Hardware


def ids(evidence: Evidence) -> list[str]:
    """Every host that has a result or a self-test."""
    return sorted(evidence.by_host.keys() | evidence.dataset.selftests.keys())


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of hosts."""
    table = []
    for host_id in ids(evidence):
        results = _results(host_id, evidence)
        machine = _hardware(results)
        table.append(
            [
                Cell(host_id, href=f"{host_id}/", code=True),
                Cell(facts.text(machine.cpu_model if machine else None)),
                Cell(str(machine.cores_allowed) if machine else figures.NONE, "fb-num"),
                Cell(figures.size(machine.ram_bytes if machine else None), "fb-num"),
                Cell(_noise_short(host_id, evidence), "fb-num"),
                Cell(str(len(results)), "fb-num"),
                Cell(str(sum(result.ranked for result in results)), "fb-num"),
            ]
        )
    head = [
        _("Host"),
        _("Processor"),
        _("Cores"),
        _("Memory"),
        _("A/A noise"),
        _("Results"),
        _("of which ranked"),
    ]
    return {
        "title": _("Hosts"),
        "lead": _(
            "The machines that measured. A host's name is made from its hardware alone; results of different "
            "hosts are never put into one ranking."
        ),
        "table": Table(head, table),
        "empty": _("No host has measured yet."),
    }


def view(host_id: str, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``host.md.j2`` needs."""
    results = _results(host_id, evidence)
    noise = evidence.dataset.noises.get(host_id)
    if noise is None:
        text = _(
            "No A/A pair of a framework has been measured on this host, so nobody knows how large a difference comes "
            "from nothing; verdicts use 1 %."
        )
    else:
        text = _(
            "One contender measured under two names comes out up to {noise} apart (upper 95 % limit, {pairs} "
            "pairs, {rounds} rounds). A smaller difference is not called one."
        ).format(
            noise=figures.percent(math.expm1(noise.limit)),
            pairs=noise.pairs,
            rounds=noise.rounds,
        )
    return {
        "title": host_id,
        "name": host_id,
        "facts": facts.hardware(_hardware(results)) if results else [],
        "noise": text,
        "observer": _observer(host_id, evidence),
        "ceilings": _ceilings(host_id, evidence),
        "quiet": any(result.ranked for result in results),
        "quiet_note": _("No result of this host is ranked: the remarks below say why."),
        "results": results_table(results, "../../"),
        "selftest": selftest.view(host_id, evidence),
    }


def _results(host_id: str, evidence: Evidence) -> list[Result]:
    return evidence.by_host.get(host_id, [])


def _hardware(results: list[Result]) -> Hardware | None:
    newest = sorted(results, key=lambda result: result.started_utc, reverse=True)
    return next((r.latest.hardware for r in newest if r.latest.hardware is not None), None)


def _observer(host_id: str, evidence: Evidence) -> str:
    """What the sampler costs the trials of this host; empty where none measured it."""
    ratio = evidence.dataset.observers.get(host_id)
    if ratio is None:
        return ""
    value, interval = figures.with_interval(*ratio[:3])
    return _(
        "With the sampler at work a step takes {ratio} times as long as without it ({interval}{count} trials)."
    ).format(
        ratio=value,
        interval=_("95 % interval {interval}, ").format(interval=interval) if interval else "",
        count=ratio.n,
    )


def _ceilings(host_id: str, evidence: Evidence) -> Table:
    """What was measured as the most this machine can do, by device and precision."""
    rows = []
    for place, ceiling in sorted(evidence.dataset.ceilings.items()):
        if place.host_id != host_id:
            continue
        copied = figures.bytes_rate(ceiling.copy)
        for precision, rate in ceiling.matmul.items() or [(figures.NONE, None)]:
            rows.append(
                [
                    Cell(_device(place)),
                    Cell(precision),
                    Cell(figures.flops_rate(rate), "fb-num"),
                    Cell(copied, "fb-num"),
                    Cell(str(ceiling.trials), "fb-num"),
                    Cell(
                        "; ".join(f"{name}: {reason}" for name, reason in ceiling.reasons.items()),
                        "fb-reason",
                    ),
                ]
            )
    head = [
        _("Device"),
        _("Precision"),
        _("Matrix product, best"),
        _("Copy, read + written, best"),
        _("Trials"),
        _("Not measured"),
    ]
    return Table(head, rows)


def _device(place: Place) -> str:
    if place.device == "cpu":
        return _("CPU, {n} cores").format(n=place.cores)
    return _("GPU {ids}").format(ids=", ".join(uuid[:8] for uuid in place.gpus))


def _noise_short(host_id: str, evidence: Evidence) -> str:
    noise = evidence.dataset.noises.get(host_id)
    return figures.NONE if noise is None else figures.percent(math.expm1(noise.limit))
