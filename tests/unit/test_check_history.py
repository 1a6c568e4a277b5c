"""What git tells of records: a file that was changed after it had been committed, and commits of nowhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from framebench.checking import History
from framebench.checking.history import Answer, Question

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with two committed records."""
    git(tmp_path, "init", "-q")
    (tmp_path / "results").mkdir()
    for name in ("one", "two"):
        (tmp_path / "results" / f"{name}.json").write_text("{}")
    commit(tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "records")


def test_an_edited_record_is_known_before_and_after_it_is_committed(clone: Path) -> None:
    one, results = clone / "results" / "one.json", clone / "results"
    assert History(clone).rewritten(results) == set()
    one.write_text('{"faster": true}')
    assert History(clone).rewritten(results) == {one}
    commit(clone)
    assert History(clone).rewritten(results) == {one}


def test_a_new_record_is_no_edited_one(clone: Path) -> None:
    (clone / "results" / "three.json").write_text("{}")
    commit(clone)
    assert History(clone).rewritten(clone / "results") == set()


@pytest.mark.parametrize("name", ["", "0" * 40, "HEAD", "--help", "main", "a" * 10_000, "\n"])
def test_only_a_whole_commit_of_this_history_is_known(name: str) -> None:
    assert not History(ROOT).known(name)


def test_without_git_nothing_is_known_and_nothing_fails(tmp_path: Path) -> None:
    history, question = History(tmp_path), Question("torch", "mlp", "cpu", "train", 32, 1)
    assert not history.known("0" * 40) and history.rewritten(tmp_path) == set()
    history.ask("0" * 40, [question])
    assert history.answer("0" * 40, question) == Answer(*[None] * 6)
