"""The known differences: stored tables, what they say side by side, drift, and sentences for bad files."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from framebench import dataset
from framebench.commands import defaults as command
from framebench.dataset import defaults
from framebench.errors import UserError
from framebench.images import load_matrix
from framebench.pages.evidence import gather
from framebench.pages.guides.why_accuracies_differ import view
from framebench.records.defaults_document import (
    Default,
    DefaultsTable,
    decode_defaults,
    defaults_path,
    encode_defaults,
    read_defaults,
)
from harness import frameworks

ROOT = Path(__file__).resolve().parents[2]
TORCH, OLDER, NEWER = "torch-2.13.0-cpu-py311", "keras-jax-3.14.1-cpu-py311", "keras-jax-3.15.1-cpu-py311"

QUESTIONS = """
[[question]]
name = "epsilon"
group = "Optimizers"
words = "Epsilon"
follows = "Set it."

[[question]]
name = "rate"
group = "Optimizers"
words = "Rate"
unit = "per step"
follows = "Set it too."
"""


def table(stack: str, version: str = "1", **values: float | str | None) -> DefaultsTable:
    answers = {
        name: Default(value=None, reason=f"no {name}")
        if value is None
        else Default(value=value, read="asked")
        for name, value in values.items()
    }
    return DefaultsTable(stack=stack, packages={"numpy": version}, answers=answers)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout's matrix with two questions and no answers yet."""
    folder = tmp_path / "containers" / "defaults"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "containers" / "images.toml", tmp_path / "containers")
    (folder / "questions.toml").write_text(QUESTIONS)
    for stack in frameworks.stacks().values():
        answers = f"harness/frameworks/{stack.framework}/defaults.py"
        if (ROOT / answers).exists():
            (tmp_path / answers).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / answers).touch()
    return tmp_path


def store(checkout: Path, image: str, stored: DefaultsTable) -> None:
    defaults_path(checkout, image).write_bytes(encode_defaults(stored))


def said(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, answer: DefaultsTable, check: bool = True
) -> tuple[int, str]:
    """What the command says of torch's image when that answers so."""
    monkeypatch.setattr(command, "ask", lambda *_: msgspec.json.encode(answer).decode())
    console = Console(file=io.StringIO(), width=200, soft_wrap=True)
    code = command.run(checkout, [TORCH], check, "venv", console)
    return code, console.file.getvalue()  # type: ignore[attr-defined]


def test_a_table_is_read_as_it_was_written_a_line_for_each_answer() -> None:
    written = table("torch", epsilon=1e-8, rate=None, form="n − 1")
    data = encode_defaults(written)
    assert decode_defaults(data, "here", "mend") == written
    lines = data.decode().splitlines()
    assert [line.strip().split('"')[1] for line in lines if line.startswith("    ")] == [
        "epsilon",
        "form",
        "rate",
    ]
    assert "n − 1" in data.decode()  # not escaped
    changed = encode_defaults(table("torch", epsilon=1e-7, rate=None, form="n − 1")).decode().splitlines()
    assert sum(before != after for before, after in zip(lines, changed, strict=True)) == 1


def test_every_stored_table_is_of_a_row_and_answers_every_question() -> None:
    rows = {row.name: row.stack for row in load_matrix(ROOT).rows}
    asked = {question.name for question in defaults.questions(ROOT)}
    for path in (ROOT / "containers" / "defaults").glob("*.json"):
        stored = read_defaults(ROOT, path.stem)
        assert stored is not None and rows[path.stem] == stored.stack
        assert stored.answers.keys() == asked, path.name
        assert path.read_bytes() == encode_defaults(stored), path.name


def test_every_stack_with_answers_has_a_stored_table() -> None:
    rows = load_matrix(ROOT).for_device("cpu").values()
    assert {row.stack for row in rows if defaults.has_defaults(ROOT, row)} == defaults.stored(ROOT).keys()


def test_no_question_is_asked_twice() -> None:
    names = [question.name for question in defaults.questions(ROOT)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("{", "not.*defaults torch"),
        ('{"stack": "torch", "packages": {}, "answers": {"a": {"value": 1, "guess": 2}}}', "guess"),
        (
            '{"stack": "torch", "packages": {}, "answers": {"a": {"value": null}}}',
            "either a value or a reason",
        ),
        ('{"stack": "torch", "packages": {}, "answers": {"a": {"value": [1]}}}', "key answers"),
        ('{"stack": "torch", "answers": {}}', "packages"),
    ],
)
def test_a_bad_table_is_one_sentence_with_file_and_mend(checkout: Path, fault: str, sentence: str) -> None:
    path = defaults_path(checkout, TORCH)
    path.write_text(fault)
    with pytest.raises(UserError) as error:
        defaults.side_by_side(checkout)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and f"`framebench defaults {TORCH}` writes it anew" in text
    assert "\n" not in text
    if fault != "{":
        assert sentence in text


def test_a_bad_question_is_one_sentence_with_file_and_key(checkout: Path) -> None:
    path = checkout / "containers" / "defaults" / "questions.toml"
    path.write_text(QUESTIONS.replace('follows = "Set it."', 'folows = "Set it."'))
    with pytest.raises(UserError, match=r"questions\.toml: key question\[.*folows"):
        defaults.questions(checkout)


def test_what_differs_is_what_two_stacks_answer_and_not_alike(checkout: Path) -> None:
    store(checkout, TORCH, table("torch", epsilon=1e-8, rate=0.1))
    store(checkout, NEWER, table("keras-jax", epsilon=1e-7, rate=None))
    epsilon, rate = defaults.side_by_side(checkout)
    assert epsilon.differs and not rate.differs  # nobody contradicts the one rate
    assert epsilon.answers["torch"].value == 1e-8 and rate.answers["keras-jax"].reason == "no rate"


def test_a_question_that_an_old_table_lacks_is_shown_as_not_asked(checkout: Path) -> None:
    store(checkout, TORCH, table("torch", epsilon=1e-8))
    assert defaults.side_by_side(checkout)[1].answers["torch"] == defaults.NOT_ASKED


def test_backends_of_one_framework_share_a_column_where_they_agree(checkout: Path) -> None:
    for stack, rate in (("keras-jax", 0.1), ("keras-torch", 0.1), ("keras-tensorflow", 0.2), ("torch", 0.1)):
        row = load_matrix(checkout).for_device("cpu")[stack]
        store(checkout, row.name, table(stack, epsilon=1e-7, rate=rate))
    rows = defaults.side_by_side(checkout)
    together = [{"keras-jax", "keras-torch"}, {"keras-tensorflow"}, {"torch"}]
    assert sorted(map(set, defaults.columns(rows)), key=sorted) == sorted(together, key=sorted)
    assert {len(some) for some in defaults.columns(rows[:1])} == {3, 1}


def test_drift_between_versions_names_the_answer_and_both_images(checkout: Path) -> None:
    store(checkout, OLDER, table("keras-jax", "1", epsilon=1e-7, rate=0.1, size=None))
    store(checkout, NEWER, table("keras-jax", "2", epsilon=1e-7, rate=0.2, size=None))
    (step,) = defaults.versions(checkout)
    assert (step.older, step.newer, step.compared) == (OLDER, NEWER, 2)
    (change,) = step.changes
    assert (change.question, change.before.value, change.after.value) == ("rate", 0.1, 0.2)


def test_versions_are_compared_as_numbers_not_as_letters(checkout: Path) -> None:
    matrix = checkout / "containers" / "images.toml"
    matrix.write_text(matrix.read_text().replace("keras-jax-3.14.1-cpu", "keras-jax-3.9.1-cpu"))
    store(checkout, "keras-jax-3.9.1-cpu-py311", table("keras-jax", epsilon=1e-7))
    store(checkout, NEWER, table("keras-jax", epsilon=1e-7))
    (step,) = defaults.versions(checkout)
    assert step.older == "keras-jax-3.9.1-cpu-py311" and step.changes == []


def test_check_is_silent_about_what_is_as_stored(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = table("torch", epsilon=1e-8, rate=None)
    store(checkout, TORCH, stored)
    code, text = said(checkout, monkeypatch, stored)
    assert code == 0 and f"{TORCH}: 2 answers, as stored" in text


@pytest.mark.parametrize(
    ("drifted", "line"),
    [
        (table("torch", epsilon=1e-6, rate=None), "epsilon: stored 1e-08 by asked, now 1e-06 by asked"),
        (table("torch", epsilon=1e-8, rate=0.1), "rate: stored none (no rate), now 0.1 by asked"),
        (table("torch", "2", epsilon=1e-8, rate=None), "numpy 1 → 2"),
    ],
)
def test_check_says_drift_and_writes_nothing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, drifted: DefaultsTable, line: str
) -> None:
    store(checkout, TORCH, table("torch", epsilon=1e-8, rate=None))
    before = defaults_path(checkout, TORCH).read_bytes()
    code, text = said(checkout, monkeypatch, drifted)
    assert code == 1 and f"{TORCH}: {line}" in text
    assert defaults_path(checkout, TORCH).read_bytes() == before


def test_an_image_without_a_table_fails_the_check_and_gets_one_without_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = table("torch", epsilon=1e-8, rate=None)
    code, text = said(checkout, monkeypatch, asked)
    assert code == 1 and "no stored table" in text
    code, text = said(checkout, monkeypatch, asked, check=False)
    assert code == 0 and "commit it" in text and read_defaults(checkout, TORCH) == asked


def test_an_answer_without_a_question_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"rate, size in only one of .*questions\.toml and the answers"):
        said(checkout, monkeypatch, table("torch", epsilon=1e-8, size=3))


def test_an_image_that_runs_exports_is_refused_by_name(checkout: Path) -> None:
    with pytest.raises(UserError, match=r"onnxruntime-torch-.* has no defaults of its own"):
        command.run(checkout, ["onnxruntime-torch-cpu"], True, "venv", Console(file=io.StringIO()))


def test_the_guide_marks_what_differs_and_gives_reasons_for_gaps(checkout: Path) -> None:
    store(checkout, TORCH, table("torch", epsilon=1e-8, rate=0.1))
    store(checkout, NEWER, table("keras-jax", epsilon=1e-7, rate=None))
    store(checkout, OLDER, table("keras-jax", epsilon=1e-7, rate=0.1))
    shown = view(gather(checkout, dataset.load([])))
    (group,) = shown["groups"]
    epsilon, rate = group.rows
    assert [column.title for column in group.columns] == ["PyTorch", "Keras on JAX"]
    assert epsilon.differs and [text for text, _ in epsilon.cells] == ["1e-8", "1e-7"]
    assert rate.words == "Rate (per step)" and rate.cells == [("0.1", None), ("–", 1)]
    assert group.notes == ["no rate"] and shown["differing"] == 1
    assert [cell.text for cell in shown["steps"].rows[0]] == [NEWER, OLDER, "Rate: 0.1 → none", "2"]
    assert json.loads(shown["sources"][0].code)["stack"] == "torch"


def test_the_guide_of_a_clone_without_tables_is_empty_not_broken(checkout: Path) -> None:
    shown = view(gather(checkout, dataset.load([])))
    assert not shown["versions"].rows and not shown["steps"].rows
