"""Downloads: every figure as CSV, Parquet and JSON, the schemas, and the files that could not be used."""

from __future__ import annotations

import json
from typing import Any

from framebench.dataset.answers_frame import answers_frame
from framebench.dataset.file_formats import as_files
from framebench.pages import figures
from framebench.pages.answer_words import plain
from framebench.pages.evidence import Evidence
from framebench.pages.views import Cell, Fact, Table
from framebench.pages.vouched import in_force
from framebench.pages.words import _
from framebench.records import store

CONTENTS = {
    "trials": _("one row per trial, of every kind and outcome"),
    "results": _("one row per result, with intervals, failures included"),
    "comparisons": _("one row per contender and case, against the baseline"),
    "ladder": _(
        "one row per contender over all cases of a machine and precision: geometric mean, range of places"
    ),
    "answers": _("one row per kind of work: which one, by how much, and the sentence of the home page"),
}


COLUMNS = {
    "units_per_s, unit": _("throughput, and what it counts: images, tokens, samples or calls per second"),
    "step_ns": _("median time of one step; in results with its 95 % interval (_low, _high)"),
    "time_ratio": _("time over the baseline's: below 1 is faster"),
    "flops_per_step, flops_causal_per_step": _(
        "the declared work, and what of it is left without what a causal mask hides"
    ),
    "learning_measure, target, final_score": _(
        "what a training is judged by (an accuracy is a share), what it has to reach, where it ended"
    ),
    "parity_passed, shape_checked": _(
        "the gate's answer; whether the timed shape agreed with float64 before and after the blocks (empty: nobody "
        "could say)"
    ),
    "flags, unranked_because": _("codes, as in the records; their words stand on the result's page"),
    "edition": _(
        "empty where a result was measured by the protocol, and with the form of the workload, of the newest results "
        "of its case; else digits that tell what was measured before from that"
    ),
    "lock_sha256, base_sha256, work_hash, protocol_hash": _(
        "what makes trials one result; the last is empty before record version 3"
    ),
}


def files(evidence: Evidence) -> dict[str, str | bytes]:
    """``{path in the site: content}`` of all downloads."""
    answers = evidence.dataset.answers
    tables = evidence.dataset.frames() | as_files("answers", answers_frame(answers, map(plain, answers)))
    downloads: dict[str, str | bytes] = {f"data/{name}": content for name, content in tables.items()}
    for name, schema in store.json_schema().items():
        downloads[f"data/{name}.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return downloads


def view(downloads: dict[str, str | bytes]) -> dict[str, Any]:
    """Everything the template ``data.md.j2`` needs; links are relative to ``/data/``, where the files lie."""
    names = sorted(name.removeprefix("data/") for name in downloads)
    tables = {name.split(".")[0] for name in names if "schema" not in name}
    rows = []
    for table in sorted(tables, key=list(CONTENTS).index):
        cells = [Cell(table, code=True), Cell(CONTENTS[table], "fb-reason")]
        for kind in ("csv", "parquet", "json"):
            name = f"{table}.{kind}"
            cells.append(Cell(figures.size(len(downloads[f"data/{name}"])), "fb-num", href=name))
        rows.append(cells)
    schemas = [
        [Cell(name.removesuffix(".schema.json"), code=True), Cell(name, href=name)]
        for name in names
        if name.endswith(".schema.json")
    ]
    return {
        "tables": Table([_("Table"), _("What"), "CSV", "Parquet", "JSON"], rows),
        "columns": [Fact(name, text) for name, text in COLUMNS.items()],
        "schemas": Table([_("Document"), _("JSON Schema (2020-12)")], schemas),
    }


def problems(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``problems.md.j2`` needs."""
    rows = []
    for fault in evidence.dataset.broken:
        path = fault.path.absolute()
        inside = path.is_relative_to(evidence.root.absolute())
        name = path.relative_to(evidence.root.absolute()).as_posix() if inside else path.name
        rows.append([Cell(name, code=True), Cell(fault.reason, "fb-reason")])
    return {"table": Table([_("File"), _("Why it was skipped")], rows), "waivers": _waivers(evidence)}


def _waivers(evidence: Evidence) -> Table:
    """Exceptions to the rules of ``framebench check``, as ``waivers.toml`` has them."""
    rows = [
        [
            Cell(one.rule, code=True),
            Cell(one.why, "fb-reason"),
            Cell(one.by),
            Cell(f"{one.until}" if in_force(one) else _("{day}, over").format(day=one.until)),
            Cell(one.file, code=True),
        ]
        for one in evidence.dataset.waivers
    ]
    return Table([_("Rule"), _("Why"), _("By whom"), _("Until"), _("File")], rows)
