"""What a pull request's check takes of a stranger's branch: new plain files below ``results/``, and no rules."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = "results/host/work/case/contender/one.json"


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A repository with one record, signers, waivers, and the script."""
    root = tmp_path / "base"
    for name, text in {
        RECORD: "{}",
        "results/allowed_signers": "ours\n",
        "results/waivers.toml": "",
        "framebench/code.py": "ours\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "proposed", root / ".ci" / "proposed")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    return root


def propose(base: Path, change: Callable[[Path], object]) -> tuple[int, str]:
    """A branch with this change, taken into the base."""
    branch = base.parent / "branch"
    git(base, "clone", "-q", str(base), str(branch))
    change(branch)
    git(branch, "add", "-A")
    git(branch, "commit", "-qm", "proposed", "--allow-empty")
    done = subprocess.run([base / ".ci" / "proposed", branch], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_new_records_come_and_code_does_not(base: Path) -> None:
    def change(branch: Path) -> None:
        (branch / RECORD).with_name("two.json").write_text("{}")
        (branch / "framebench" / "code.py").write_text("theirs\n")
        (branch / ".ci" / "proposed").write_text("#!/bin/sh\nexit 0\n")

    assert propose(base, change) == (0, "")
    assert (base / RECORD).with_name("two.json").exists()
    assert (base / "framebench" / "code.py").read_text() == "ours\n"
    assert "set -euo pipefail" in (base / ".ci" / "proposed").read_text()


@pytest.mark.parametrize("name", ["allowed_signers", "waivers.toml"])
def test_who_signs_and_what_is_waived_stays_the_bases_and_is_said(base: Path, name: str) -> None:
    before = (base / "results" / name).read_text()
    code, said = propose(base, lambda branch: (branch / "results" / name).write_text("theirs\n"))
    assert code == 0 and f"results/{name}" in said and "by hand" in said
    assert (base / "results" / name).read_text() == before


def test_signers_that_are_taken_away_stay(base: Path) -> None:
    code, _ = propose(base, lambda branch: (branch / "results" / "allowed_signers").unlink())
    assert code == 0 and (base / "results" / "allowed_signers").read_text() == "ours\n"


@pytest.mark.parametrize("change", [lambda path: path.write_text("{ }"), lambda path: path.unlink()])
def test_a_record_that_is_changed_or_removed_is_named(base: Path, change: Callable[[Path], object]) -> None:
    code, said = propose(base, lambda branch: change(branch / RECORD))
    assert code == 1 and RECORD in said and "never changed" in said


@pytest.mark.parametrize("target", ["/etc/passwd", "../framebench", "host"])
def test_a_link_is_never_followed(base: Path, target: str) -> None:
    code, said = propose(base, lambda branch: (branch / "results" / "link.json").symlink_to(target))
    assert code == 1 and "results/link.json" in said and "plain files" in said
    assert not (base / "results" / "link.json").exists()


def test_a_folder_of_results_that_is_a_link_is_refused(base: Path) -> None:
    def change(branch: Path) -> None:
        shutil.rmtree(branch / "results")
        (branch / "results").symlink_to("/etc")

    code, _ = propose(base, change)
    assert code == 1 and not (base / "results").is_symlink()


def test_a_program_is_refused(base: Path) -> None:
    def change(branch: Path) -> None:
        (branch / "results" / "run.sh").write_text("#!/bin/sh\n")
        (branch / "results" / "run.sh").chmod(0o755)

    code, said = propose(base, change)
    assert code == 1 and "results/run.sh" in said


@pytest.mark.parametrize("name", [".gitattributes", ".gitignore", ".hidden/one.json"])
def test_what_is_hidden_or_tells_git_something_is_refused(base: Path, name: str) -> None:
    def change(branch: Path) -> None:
        path = branch / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("*.json text eol=crlf\n")

    code, said = propose(base, change)
    assert code == 1 and f"results/{name}" in said


def test_names_of_strange_letters_are_only_names(base: Path) -> None:
    def change(branch: Path) -> None:
        for name in ("-rf", "$(touch hacked)", "a\nb.json", "::error::x"):
            (branch / "results" / name).write_text("{}")

    code, _ = propose(base, change)
    assert code == 0 and not list(base.rglob("hacked"))
    assert (base / RECORD).exists()


def test_a_branch_without_results_is_refused(base: Path) -> None:
    code, _ = propose(base, lambda branch: shutil.rmtree(branch / "results"))
    assert code != 0
