"""The data dictionary: it names every column there is, with the type it has, and sources that exist."""

from __future__ import annotations

import csv
import io
import json
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.pages import data
from framebench.pages.columns import COLUMNS
from framebench.pages.evidence import gather
from framebench.records import store
from harness.record import Record
from tests.record_factory import CASE, MLP_CASE, make_failed, make_trials

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("parity", "memory", "cold-start", "timing", "ceiling")
PYTHON = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | bytes]:
    """The downloads of a dataset with every kind of trial, a failure among them."""
    results = tmp_path_factory.mktemp("results")
    records = [
        *make_trials(cases=[CASE, MLP_CASE], kinds=KINDS),
        *make_trials(cases=[msgspec.structs.replace(MLP_CASE, device_count=2)], seed=9),
        make_failed("oom", "=killed", trial_id="0" * 26),
    ]
    for record in records:
        store.write(record, results)
    return data.files(gather(ROOT, dataset.load([results])))


@pytest.mark.parametrize("table", COLUMNS)
def test_the_dictionary_has_the_columns_of_the_table(table: str, files: dict[str, bytes]) -> None:
    header = next(csv.reader(io.StringIO(files[f"data/{table}.csv"].decode())))
    assert header == [column.name for column in COLUMNS[table]]


@pytest.mark.parametrize("table", COLUMNS)
def test_values_have_the_types_that_it_says(table: str, files: dict[str, bytes]) -> None:
    for row in json.loads(files[f"data/{table}.json"]):
        for column in COLUMNS[table]:
            value = row[column.name]
            whole_as_float = column.type == "integer" and isinstance(value, float) and value.is_integer()
            assert value is None or whole_as_float or isinstance(value, PYTHON[column.type]), column
            assert column.type == "boolean" or not isinstance(value, bool), column


def test_every_source_is_a_field_of_the_record_or_a_column() -> None:
    names = {table: {column.name for column in columns} for table, columns in COLUMNS.items()}
    for columns in COLUMNS.values():
        for column in columns:
            assert column.sources and column.meaning, column
            for source in column.sources:
                first, _, rest = source.partition(".")
                if first in names:
                    assert rest in names[first], (column.name, source)
                else:
                    assert _has(Record, source.split(".")), (column.name, source)


def test_durations_bytes_and_rates_say_their_unit() -> None:
    for columns in COLUMNS.values():
        for column in columns:
            if column.type in ("integer", "number"):
                for ending, unit in {"_ns": "ns", "_bytes": "B", "flops_per_s": "FLOP/s"}.items():
                    assert not column.name.endswith(ending) or column.unit == unit, column


def test_programs_and_people_get_the_same_dictionary(files: dict[str, str | bytes]) -> None:
    package = json.loads(files["data/datapackage.json"])
    for resource in package["resources"]:
        assert f"data/{resource['path']}" in files and resource["description"]
        fields = resource["schema"]["fields"]
        assert [field["name"] for field in fields] == [one.name for one in COLUMNS[resource["name"]]]
    shown = data.dictionary()["tables"]
    assert [name for name, _, _ in shown] == [resource["name"] for resource in package["resources"]]
    assert all(
        [row[0].text for row in table.rows] == [c.name for c in COLUMNS[name]] for name, _, table in shown
    )


def _has(kind: Any, path: list[str]) -> bool:
    """Whether a struct has a field below a field, through "or null"."""
    if not path:
        return True
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for option in options:
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            hints = typing.get_type_hints(option)
            if path[0] in hints:
                return _has(hints[path[0]], path[1:])
    return False
