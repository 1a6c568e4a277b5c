"""A checkout differs from its commit when what is measured does, and not when something was found out about it."""

import subprocess
from pathlib import Path

import pytest

from framebench.records import provenance


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
