"""A figure or a text that cannot be is refused where records are read; what may be is drawn, written and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.executors import Failure
from framebench.executors.ending import LINE_CHARACTERS, REASON_CHARACTERS, Ending, judge
from framebench.pages import figures, learning, result
from framebench.pages.evidence import gather
from framebench.pages.site import beside, render
from framebench.records import store
from framebench.records.versions import decode_record
from harness.record import Learning, Record, TrialSpec, encode
from tests.record_factory import CASE, MLP_CASE, gpu_telemetry, make_failed, make_record, make_trials

ROOT = Path(__file__).parents[2]

LEARNED = make_record(case=MLP_CASE)


def kinds(node: Any, definitions: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every leaf of a JSON Schema, by its path."""
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    for one in (*node.get("anyOf", ()), *node.get("prefixItems", ())):
        yield from kinds(one, definitions, path)
    for name, one in node.get("properties", {}).items():
        yield from kinds(one, definitions, f"{path}.{name}")
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(key), dict):
            yield from kinds(node[key], definitions, f"{path}[]")
    yield path, node


def test_every_float_has_two_bounds_and_every_string_an_end() -> None:
    schema = msgspec.json.schema(Record)
    leaves = list(kinds(schema, schema["$defs"], ""))
    floats = {path: one for path, one in leaves if one.get("type") == "number"}
    strings = {path: one for path, one in leaves if one.get("type") == "string" and "enum" not in one}
    assert len(floats) > 30 and len(strings) > 60
    for path, one in floats.items():
        assert {"minimum", "exclusiveMinimum"} & one.keys() and "maximum" in one, path
    unbounded = [path for path, one in strings.items() if not {"maxLength", "pattern"} & one.keys()]
    assert unbounded == [".sidecar.inline"]  # which the store never keeps


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("final_score", 1e308),
        ("final_score", 1.5),
        ("target", -1.0),
        ("target", 1e16),
        ("curve", [[1, 9, 2e290]]),
    ],
)
def test_a_score_that_cannot_be_is_a_sentence(field: str, value: object, tmp_path: Path) -> None:
    path = store.write(LEARNED, tmp_path)
    document = json.loads(path.read_bytes())
    document["learning"][field] = value
    path.write_text(json.dumps(document))
    (broken,) = store.load([tmp_path]).broken
    assert "$.learning" in broken.reason and "never edited; restore the file or delete it" in broken.reason


def test_the_worst_score_that_may_be_is_drawn_and_written() -> None:
    assert LEARNED.learning is not None
    diverged = msgspec.structs.replace(
        LEARNED.learning, measure="validation loss", higher=False, final_score=1e15
    )
    record = msgspec.structs.replace(
        LEARNED, learning=msgspec.convert(msgspec.to_builtins(diverged), Learning)
    )
    assert learning.of_trials([record]) is not None and learning.trial_table([record]) is not None
    assert figures.significant(1e15) == "1.00e+15"
    assert figures.significant(1e-200, 2) == "1.0e-200"


def test_a_version_of_three_hundred_digits_is_not_repeated(tmp_path: Path) -> None:
    path = store.write(make_record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"record_version": int("9" * 300)}))
    (broken,) = store.load([tmp_path]).broken
    assert "record_version" in broken.reason and "9999999999999999999" not in broken.reason


def test_what_a_compiler_says_at_length_is_cut_and_kept(tmp_path: Path) -> None:
    """A record that would not be read again is not worth the trial that it took."""
    words = "RuntimeError: " + "x" * 3_000_000 + " out of registers"
    failed = make_failed("crashed", "")
    outcome = msgspec.structs.replace(failed.outcome, reason=words, stderr_tail=["y" * 900_000, "short"])
    failed = msgspec.structs.replace(failed, outcome=outcome)
    spec = msgspec.convert(
        {
            name: value
            for name, value in msgspec.to_builtins(failed).items()
            if name in TrialSpec.__struct_fields__
        },
        TrialSpec,
    )
    kept = judge(spec, Ending(0, None, None, False, encode(failed), [], 1))
    assert not isinstance(kept, Failure) and kept.outcome.reason is not None
    assert len(kept.outcome.reason) <= REASON_CHARACTERS
    assert kept.outcome.reason.startswith("RuntimeError: x") and kept.outcome.reason.endswith(
        "out of registers"
    )
    assert [len(line) <= LINE_CHARACTERS for line in kept.outcome.stderr_tail] == [True, True]
    assert msgspec.structs.replace(kept, outcome=failed.outcome) == failed
    assert decode_record(store.write(kept, tmp_path).read_bytes()) == kept


def at_its_bound(document: Any, whole: dict[str, Any], candidates: tuple[float, ...]) -> None:
    """Every float of the document at the first of the candidates that a record may hold there."""
    places = list(document.items() if isinstance(document, dict) else enumerate(document))
    for key, value in places:
        if isinstance(value, dict | list):
            at_its_bound(value, whole, candidates)
        elif isinstance(value, float):
            for document[key] in (*candidates, value):
                try:
                    msgspec.convert(whole, Record)
                    break
                except msgspec.ValidationError:
                    continue


@pytest.mark.parametrize("sign", [1, -1], ids=["largest", "least"])
def test_figures_at_their_bounds_are_drawn_and_written(sign: int, tmp_path: Path) -> None:
    sizes = (1e308, 1e100, 1e24, 1e18, 1e15, 1e9, 1e6, 3.6e6, 86400.0, 6e4, 1e3, 1.0, 1e-300, 0.0)
    for record in make_trials(cases=[CASE, MLP_CASE], rounds=2):
        if record.telemetry is not None:
            watched = msgspec.structs.replace(record.telemetry, gpus=[gpu_telemetry()])
            record = msgspec.structs.replace(record, telemetry=watched)
        document = msgspec.to_builtins(record)
        at_its_bound(document, document, tuple(sign * size for size in sizes))
        store.write(msgspec.convert(document, Record), tmp_path)
    evidence = gather(ROOT, dataset.load([tmp_path]))
    assert not evidence.dataset.broken and evidence.dataset.results
    assert render(evidence) and [result.page(one, evidence) for one in evidence.dataset.results]
    assert beside(evidence)
