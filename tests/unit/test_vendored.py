"""What others wrote and the site carries is what was taken from them, with its licence beside it."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).resolve().parents[2] / "site"
VENDOR = SITE / "assets" / "vendor"
PACKAGES: list[dict[str, Any]] = tomllib.loads((SITE / "vendored.toml").read_text())["package"]


def test_every_file_is_listed_with_its_checksum() -> None:
    listed = {
        f"{package['folder']}/{name}": digest
        for package in PACKAGES
        for name, digest in package["sha256"].items()
    }
    present = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file()
    }
    assert present == listed


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_its_version_and_licence_are_those_that_it_states(package: dict[str, Any]) -> None:
    folder = VENDOR / package["folder"]
    assert package["licence"] in (folder / "LICENSE").read_text()
    assert package["version"] in package["source"]
    heads = [(folder / name).read_text()[:200] for name in package["sha256"] if name.endswith(".js")]
    assert all(f"v{package['version']}" in head for head in heads)
    for page in (SITE / "templates", SITE / "locale" / "zh" / "templates"):
        assert package["name"] in (page / "licence.md.j2").read_text()
