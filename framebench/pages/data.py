"""Downloads: every figure as CSV, Parquet and JSON, what each column means, the schemas, and the files that could not
be used."""

from __future__ import annotations

import json
from typing import Any

from framebench.dataset.answers_frame import answers_frame
from framebench.dataset.file_formats import as_files
from framebench.errors import named
from framebench.language import N_, _
from framebench.pages import columns, figures
from framebench.pages.answer_words import plain
from framebench.pages.evidence import Evidence
from framebench.pages.views import Cell, Table
from framebench.pages.vouched import in_force
from framebench.records import store

CONTENTS = {
    "trials": N_("one row per trial, of every kind and outcome"),
    "results": N_("one row per result, with intervals, failures included"),
    "comparisons": N_("one row per contender and case, against the baseline"),
    "ladder": N_(
        "one row per contender over all cases of a machine and precision: geometric mean, range of places"
    ),
    "scaling": N_(
        "one row per contender on several devices and what it does on one: speed and efficiency, with intervals"
    ),
    "answers": N_("one row per kind of work: which one, by how much, and the sentence of the home page"),
}


def files(evidence: Evidence) -> dict[str, str | bytes]:
    """``{path in the site: content}`` of all downloads."""
    answers = evidence.dataset.answers
    tables = evidence.dataset.frames() | as_files("answers", answers_frame(answers, map(plain, answers)))
    downloads: dict[str, str | bytes] = {f"data/{name}": content for name, content in tables.items()}
    downloads["data/datapackage.json"] = columns.data_package(CONTENTS, evidence.publisher)
    for name, schema in store.json_schema().items():
        downloads[f"data/{name}.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return downloads


def view(downloads: dict[str, str | bytes]) -> dict[str, Any]:
    """Everything the template ``data.md.j2`` needs; links are relative to ``/data/``, where the files lie."""
    names = sorted(name.removeprefix("data/") for name in downloads)
    rows = []
    for table, content in CONTENTS.items():
        cells = [Cell(table, code=True), Cell(_(content), "fb-reason")]
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
        "schemas": Table([_("Document"), _("JSON Schema (2020-12)")], schemas),
    }


def dictionary() -> dict[str, Any]:
    """Everything the template ``dictionary.md.j2`` needs."""
    return {
        "tables": [(name, _(content), columns.dictionary(name)) for name, content in CONTENTS.items()],
    }


def problems(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``problems.md.j2`` needs."""
    rows = []
    for fault in evidence.dataset.broken:
        path = fault.path.absolute()
        inside = path.is_relative_to(evidence.root.absolute())
        name = path.relative_to(evidence.root.absolute()).as_posix() if inside else path.name
        rows.append([Cell(named(name), code=True), Cell(fault.reason, "fb-reason")])
    return {"table": Table([_("File"), _("Why it was skipped")], rows), "waivers": _waivers(evidence)}


def _waivers(evidence: Evidence) -> Table:
    """Exceptions to the rules of ``framebench check``, as ``waivers.toml`` has them."""
    rows = [
        [
            Cell(one.rule, code=True),
            Cell(one.why, "fb-reason"),
            Cell(one.by),
            Cell(f"{one.until}" if in_force(one) else _("{day}, not in force").format(day=one.until)),
            Cell(one.file, code=True),
        ]
        for one in evidence.dataset.waivers
    ]
    return Table([_("Rule"), _("Why"), _("By whom"), _("Until"), _("File")], rows)
