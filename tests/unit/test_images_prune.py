"""Pruning frees what was stored and leaves results; without an engine it says that Docker's part was left."""

from pathlib import Path

import pytest

from framebench.images import prune
from framebench.images.make import engine


def test_stored_files_go_and_results_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-such-socket")
    for name in (
        "build/store/wheels/x",
        "build/venvs/torch/pyvenv.cfg",
        "build/site/index.html",
        "results/r",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 10_000)
    said = prune(tmp_path)
    assert said[0].startswith("Docker's part was left: ")
    assert [line.split(",")[0] for line in said[1:]] == ["removed build/store", "removed build/venvs"]
    assert sorted(path.name for path in (tmp_path / "build").iterdir()) == ["site"]
    assert (tmp_path / "results" / "r").exists()


def test_only_our_images_and_volumes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is replaced by one that lists a stranger's volume beside ours and remembers what it removed."""
    removed: list[str] = []

    class Answer:
        returncode, stdout = 0, "framebench-cache\nmy-framebench-notes\n"

    def docker(*arguments: str, check: bool = True) -> Answer:
        if "rm" in arguments:
            removed.append(arguments[-1])
        return Answer()

    monkeypatch.setattr(engine, "docker", docker)
    monkeypatch.setattr(engine, "references", lambda label: ["framebench/x:1"])
    said = prune(tmp_path)
    assert removed == ["framebench/x:1", "framebench-cache"]
    assert said == ["removed image framebench/x:1", "removed volume framebench-cache"]
