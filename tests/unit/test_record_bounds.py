"""A figure or a text that cannot be is refused where records are read; what may be is drawn, written and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench.executors import Failure
from framebench.executors.ending import LINE_CHARACTERS, REASON_CHARACTERS, Ending, judge
from framebench.pages import figures, learning
from framebench.records import store
from framebench.records.versions import decode_record
from harness.record import Learning, Record, TrialSpec, encode
from tests.record_factory import MLP_CASE, make_failed, make_record

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
