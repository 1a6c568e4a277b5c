"""A checkout differs from its commit when what is measured does, and not when something was found out about it."""

import os
import subprocess
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images import harness_tree_sha256
from framebench.images.make.into_engine import rebuild_at
from framebench.records import git_refusals, provenance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "containers").mkdir()
    for name in ("Dockerfile", "rebuilds.json"):
        (tmp_path / "containers" / name).write_text("one")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


@pytest.mark.parametrize("name", ["rebuilds.json", "licences.json", "published.json"])
def test_what_a_check_or_a_push_writes_makes_no_other_image(clone: Path, name: str) -> None:
    (clone / "containers" / name).write_text("two")
    assert provenance.dirty(clone) is False


@pytest.mark.parametrize("name", ["Dockerfile", "images.toml"])
def test_a_changed_or_new_part_of_the_recipe_counts(clone: Path, name: str) -> None:
    (clone / "containers" / name).write_text("two")
    assert provenance.dirty(clone) is True


def test_the_files_do_not_depend_on_the_settings_of_git(tmp_path: Path) -> None:
    for name, settings in (("plain", []), ("converted", ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"])):
        clone = ["git", *settings, "clone", "-q", "--no-checkout", str(ROOT), str(tmp_path / name)]
        subprocess.run(clone, check=True)
        # settings of the user's, which every command of theirs has
        parts = ["containers", "harness", "suites", ".gitattributes"]
        subprocess.run(
            ["git", "-C", str(tmp_path / name), *settings, "checkout", "-q", "HEAD", "--", *parts], check=True
        )
    plain, converted = tmp_path / "plain", tmp_path / "converted"
    assert harness_tree_sha256(plain) == harness_tree_sha256(converted)
    for path in (plain / "containers").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (converted / path.relative_to(plain)).read_bytes()


def test_each_cause_for_which_git_says_nothing_has_its_own_mend(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git_refusals.refusal(clone) is None
    assert "no git checkout" in (git_refusals.refusal(tmp_path.parent) or "")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert "safe.directory" in (git_refusals.refusal(clone) or "")
    (clone / "harness").mkdir()
    (clone / "harness" / "record.py").write_text("")
    with pytest.raises(UserError, match=r"another user: `git config --global --add safe.directory"):
        harness_tree_sha256(clone)
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "no git on the path" in (git_refusals.refusal(clone) or "")
    with pytest.raises(UserError, match="apt install git"):
        harness_tree_sha256(clone)


def test_a_commit_that_is_not_here_is_fetched_where_it_can_be(clone: Path, tmp_path: Path) -> None:
    absent = "0123456789" * 4
    with pytest.raises(UserError, match="fetch it from the repository that holds it"):
        rebuild_at(clone, absent, "torch-1", print)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{clone}", str(shallow)], check=True)
    with pytest.raises(UserError, match="git fetch --unshallow"):
        rebuild_at(shallow, absent, "torch-1", print)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    with pytest.raises(UserError, match="clone the repository with git"):
        rebuild_at(unpacked, absent, "torch-1", print)
