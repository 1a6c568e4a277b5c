"""`framebench lock base`: a base's packages, from its own Debian's lists."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images.fetch.debs import KEYRING, load_base_lock, remake_base_lock
from tests.requirement import require

ROOT = Path(__file__).parents[2]


def test_a_base_and_what_is_on_it_are_locked_on_any_machine_with_apt(tmp_path: Path) -> None:
    require(
        "apt", shutil.which("apt-get") is not None and Path(KEYRING).exists(), "no apt with Debian's keyring"
    )
    folder = tmp_path / "containers" / "base"
    folder.mkdir(parents=True)
    head = 'suite = "trixie"\nepoch = 1780272000\nsnapshot = "20200101T000000Z"\n'
    (folder / "small.lock").write_text(head + 'asked = ["python3"]\n')
    (folder / "more.lock").write_text(head + 'parent = "small"\nasked = ["python3", "make"]\n')
    try:
        remake_base_lock(tmp_path, "small")
    except UserError as error:
        require("apt", False, str(error))
        raise
    remake_base_lock(tmp_path, "more")
    small, more = load_base_lock(tmp_path, "small"), load_base_lock(tmp_path, "more")
    assert {deb.name for deb in small.debs()} >= {"base-files", "dpkg", "python3", "python3.13", "libc6"}
    assert "make" in [deb.name for deb in more.debs()]
    assert not {deb.name for deb in more.debs()} & {deb.name for deb in small.debs()}
    assert len(small.debs()) == len(small.packages) and small.snapshot > "2026" and small.asked == ["python3"]
    stored = {(deb.name, deb.version): deb.sha256 for deb in load_base_lock(ROOT, "py313").debs()}
    same = [
        deb for deb in small.debs() if (deb.name, deb.version) in stored
    ]  # the others were brought up to date
    assert same and all(stored[deb.name, deb.version] == deb.sha256 for deb in same)


def test_a_suite_that_nobody_has_and_a_machine_without_apt_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was locked stays."""
    require(
        "apt", shutil.which("apt-get") is not None and Path(KEYRING).exists(), "no apt with Debian's keyring"
    )
    lock = tmp_path / "containers" / "base" / "none.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(
        'suite = "nosuch"\nepoch = 1780272000\nsnapshot = "20200101T000000Z"\nasked = ["python3"]\n'
    )
    before = lock.read_bytes()
    with pytest.raises(UserError, match=r"^`apt-get … update` failed: .*nosuch"):
        remake_base_lock(tmp_path, "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get is not here"):
        remake_base_lock(tmp_path, "none")
    assert lock.read_bytes() == before
