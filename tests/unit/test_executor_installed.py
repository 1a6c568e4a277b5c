"""The environment of trials that no lock made: what is installed, as one hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench.executors.installed import packages_sha256


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages that exist by their metadata alone."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "bedrock", "2.1", "Gravel_Pit>=1; python_version > '3'", "sand; extra == 'beach'")
    install(tmp_path, "gravel-pit", "1.4", "nvidia-dust; extra == 'cuda'", "bedrock")
    install(tmp_path, "nvidia-dust", "12.9")
    install(tmp_path, "sand", "3")
    return tmp_path


def install(site: Path, name: str, version: str, *requirements: str) -> None:
    folder = site / f"{name.replace('-', '_')}-1.dist-info"
    folder.mkdir(exist_ok=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requirements)]
    (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    (folder / "top_level.txt").write_text(f"module_of_{name.replace('-', '_')}\n")


@pytest.mark.parametrize(
    ("name", "requirements"),
    [("bedrock", ["gravel-pit"]), ("gravel-pit", ["nvidia-dust; extra == 'cuda'"]), ("nvidia-dust", [])],
)
def test_another_version_of_anything_that_is_used_is_another_environment(
    site: Path, name: str, requirements: list[str]
) -> None:
    before = packages_sha256(["module_of_bedrock"])
    install(site, name, "99", *requirements)
    assert packages_sha256(["module_of_bedrock"]) != before


def test_a_package_that_is_not_used_makes_no_other_environment(site: Path) -> None:
    before = packages_sha256(["module_of_bedrock"])
    install(site, "sand", "4")
    install(site, "pebble", "1")
    assert packages_sha256(["module_of_bedrock"]) == before


def test_two_stacks_differ(site: Path) -> None:
    assert packages_sha256(["module_of_bedrock"]) != packages_sha256(["module_of_sand"])
