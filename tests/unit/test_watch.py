"""``framebench watch``: what a package index has newer becomes rows, locks and lines of two files, and nothing else."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from framebench.campaign import suites
from framebench.commands import watch
from framebench.errors import UserError
from framebench.images.locks import check_lock
from framebench.images.matrix import load_matrix
from framebench.images.perf_changelog import load_perf_changelog
from framebench.images.releases import load_releases
from tests.wheel_index import WheelIndex

ROOT = Path(__file__).resolve().parents[2]
RELEASES = """\
# Said at the top.

[[release]]
title = "Tiny"
packages = ["fbtiny", "fbtiny-cpu"]
version = "1.0.0"
released = 2026-01-01
looked_up = 2026-01-02
source = "https://example.org/fbtiny"

[[release]]
title = "Other"
packages = ["fbother"]
version = "3.0.0"
released = 2026-01-01
looked_up = 2026-01-02
source = "https://example.org/fbother"
"""
IMAGES = """\
# Said at the top.

[[image]]
name = "torch-1.0.0-cpu-py311"
stack = "torch"
default = true
accelerator = "cpu"
python = "3.11"
arch = "amd64"
base = "py311"
packages = ["fbtiny==1.0.0", "fblib==1.0.0", "fbneeded==5.0"]

# For a GPU

[[image]]
name = "torch-1.0.0-cu126-py311"
stack = "torch"
default = true
accelerator = "cu126"
python = "3.11"
arch = "amd64"
base = "py311"
cuda = "12.6.77"
cudnn = "9.5"
nccl = "2.26"
packages = ["fbtiny==1.0.0"]
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with WheelIndex() as server:
        server.json = True
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout" / "containers"
    folder.mkdir(parents=True)
    (folder / "images.toml").write_text(IMAGES)
    (folder / "releases.toml").write_text(RELEASES)
    (folder / "perf-changelog.toml").write_text("# Said at the top.\n")
    return folder.parent


def release(index: WheelIndex, name: str, version: str, day: str = "2026-11-20", **wheel: object) -> None:
    file, _ = index.add(name, version, **wheel)
    index.uploaded[file] = f"{day}T12:00:00Z"


def said(root: Path) -> list[str]:
    out = io.StringIO()
    watch.run(root, Console(file=out, width=1000, soft_wrap=True))
    return out.getvalue().splitlines()


def test_a_newer_release_becomes_a_row_with_its_lock_and_is_said_in_both_files(
    root: Path, index: WheelIndex
) -> None:
    for version in ("5.0", "6.0"):
        release(index, "fbneeded", version)
    for version in ("1.0.0", "1.2.0", "1.3.0rc1", "1.9.0"):
        release(index, "fbtiny", version, requires=("fbneeded",))
    release(index, "fblib", "1.0.0")
    release(index, "fblib", "1.2.1")
    release(index, "fbother", "3.0.0")
    index.yanked["fbtiny-1.9.0-py3-none-any.whl"] = "withdrawn"

    before = datetime.now(UTC).date()
    lines = said(root)
    assert lines[0] == f"- Tiny 1.2.0 came out on 2026-11-20 ({index.url}fbtiny/)"
    assert lines[1] == "- torch-1.2.0-cpu-py311 follows torch-1.0.0-cpu-py311"
    assert "torch-1.0.0-cu126-py311" in lines[2] and "chosen by hand" in lines[2] and len(lines) == 3

    old, new = load_matrix(root).find("torch-1.0.0-cpu-py311"), load_matrix(root).find("torch-cpu")
    assert (new.name, new.default, old.default) == ("torch-1.2.0-cpu-py311", True, False)
    # what was pinned to the same version is released together with it, the rest stays: one thing differs
    assert new.packages == ["fbtiny==1.2.0", "fblib==1.2.1", "fbneeded==5.0"]
    assert [wheel.pin for wheel in check_lock(root, new)] == [
        "fblib==1.2.1",
        "fbneeded==5.0",
        "fbtiny==1.2.0",
    ]
    text = (root / "containers" / "images.toml").read_text()
    assert text.startswith("# Said at the top.\n") and "\n# For a GPU\n" in text

    tiny, other = load_releases(root)
    assert (tiny.version, str(tiny.released)) == ("1.2.0", "2026-11-20")
    assert before <= tiny.looked_up <= datetime.now(UTC).date()
    assert tiny.packages == ["fbtiny", "fbtiny-cpu"] and other.version == "3.0.0"
    (entry,) = load_perf_changelog(root)
    assert entry.version is not None and entry.stacks == ["torch"] and entry.cases == ["*"]
    assert (entry.version.package, entry.version.old, entry.version.new) == ("fbtiny", "1.0.0", "1.2.0")


def test_what_cannot_be_resolved_is_no_row_and_says_why(root: Path, index: WheelIndex) -> None:
    release(index, "fbtiny", "2.0.0", requires=("fbneeded>=6",))
    release(index, "fblib", "2.0.0")
    release(index, "fbneeded", "5.0")
    release(index, "fbother", "3.0.0")
    before = (root / "containers" / "images.toml").read_bytes()
    line = next(line for line in said(root) if "torch-1.0.0-cpu-py311" in line)
    assert line.startswith("- nothing follows torch-1.0.0-cpu-py311 for Tiny 2.0.0: uv could not resolve")
    assert (root / "containers" / "images.toml").read_bytes() == before
    assert load_perf_changelog(root) == []
    assert not (root / "containers" / "locks").exists()
    assert load_releases(root)[0].version == "2.0.0"  # known all the same: pages say what is older


def test_the_nightly_run_has_a_suite_and_contenders_for_every_row_that_may_be_followed() -> None:
    """Of each stack all of its first suite's, and nobody else's; a glob without a match would end the command."""
    script = (ROOT / ".ci" / "watch").read_text()
    (names,) = re.findall(r"for suite in ([\w -]+);", script)
    globs = re.findall(r'--contender "([^"]+)"', script)
    entrants = [suites.load(ROOT, name).entrants() for name in names.split()]
    for row in load_matrix(ROOT).rows:
        if not row.default or row.retired or row.device != "cpu":
            continue
        stack = re.sub(r"-[0-9].*", "", row.name)
        of_suite = next(found for found in entrants if stack in {one.stack for one in found})
        own = [one.slug for one in of_suite if one.stack == stack]
        for glob in globs:
            assert (
                suites.select([one.slug for one in of_suite], [glob.replace("$stack", stack)], "one") == own
            )


def test_where_nothing_is_newer_no_file_changes(root: Path, index: WheelIndex) -> None:
    release(index, "fbtiny", "1.0.0")
    release(index, "fbother", "2.0.0")  # an index that is behind takes nothing back
    files = {path: path.read_bytes() for path in (root / "containers").iterdir()}
    assert said(root) == ["- nothing is newer than what the images hold"]
    assert {path: path.read_bytes() for path in (root / "containers").iterdir()} == files


def test_an_index_without_the_package_or_without_days_is_one_sentence(root: Path, index: WheelIndex) -> None:
    with pytest.raises(
        UserError, match=r"no package index .* has a release of fbtiny: http://127.*pip config"
    ):
        said(root)
    index.add("fbtiny", "2.0.0")
    with pytest.raises(UserError, match=r"does not say when fbtiny 2\.0\.0 came out"):
        said(root)
