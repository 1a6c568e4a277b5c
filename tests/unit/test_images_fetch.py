"""Wheels come by hash: from pip's own configuration, from the store the second time, and no other file."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images import ImageRow, fetch_wheels, lock_path, missing_wheels
from framebench.images.fetch import require_space

ROW = ImageRow(
    name="torch-1-cpu-py311",
    alias="torch-cpu",
    stack="torch",
    default=True,
    accelerator="cpu",
    python="3.11",
    arch="amd64",
    base="cpu",
    packages=["fbtiny==1.0"],
)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in a find-links folder that pip is configured with, and no index at all."""
    path = tmp_path / "links" / "fbtiny-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fbtiny.py", "")
        archive.writestr(
            "fbtiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fbtiny\nVersion: 1.0\n"
        )
        archive.writestr("fbtiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("fbtiny-1.0.dist-info/RECORD", "")
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nno-index = true\nfind-links = {path.parent}\n")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    return path


def write_lock(root: Path, digest: str) -> None:
    path = lock_path(root, ROW)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"fbtiny==1.0 --hash=sha256:{digest}  # 500 bytes\n")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_fetched_once_then_taken_from_the_store(tmp_path: Path, wheel: Path) -> None:
    write_lock(tmp_path, sha256(wheel))
    said: list[str] = []
    assert [missing.pin for missing in missing_wheels(tmp_path, ROW)] == ["fbtiny==1.0"]
    folder = fetch_wheels(tmp_path, ROW, said.append)
    assert [file.name for file in folder.iterdir()] == [wheel.name]
    assert said == ["torch-cpu: fetching 1 of 1 wheels, 0 MB"]

    wheel.unlink()  # the second time nothing outside the store is asked
    assert fetch_wheels(tmp_path, ROW, said.append) == folder
    assert len(said) == 1 and missing_wheels(tmp_path, ROW) == []


def test_other_file_than_the_lock_names_is_refused_with_both_hashes(tmp_path: Path, wheel: Path) -> None:
    write_lock(tmp_path, "0" * 64)
    with pytest.raises(UserError, match=f"fbtiny.*should have sha256 0{{64}}, found {sha256(wheel)}"):
        fetch_wheels(tmp_path, ROW, print)
    assert not list((tmp_path / "build" / "store").glob("fetching-*"))


def test_damaged_wheel_in_the_store_is_named_with_both_hashes(tmp_path: Path, wheel: Path) -> None:
    write_lock(tmp_path, sha256(wheel))
    expected = sha256(wheel)
    file = fetch_wheels(tmp_path, ROW, print) / wheel.name
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match=f"sha256 {expected}, found {wheel.name} with {sha256(file)}"):
        fetch_wheels(tmp_path, ROW, print)


def test_too_small_a_disk_is_told_before_fetching(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"GB free, and the wheels need 1000000000\.0 GB"):
        require_space(tmp_path, 10**18, "the wheels")
