"""The pages of images: what state each is in, how to have it, and which addresses a registry offers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from framebench import dataset
from framebench.images import load_matrix
from framebench.images.audit.two_builds import load_rebuilds
from framebench.images.published import Published, note_published
from framebench.pages import image
from framebench.pages.evidence import Evidence, gather

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = f"127.0.0.1:5000/framebench/torch@sha256:{'a' * 64}"


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """The repository's own recipes, and no results."""
    shutil.copytree(ROOT / "containers", tmp_path / "containers")
    (tmp_path / "containers" / "published.json").unlink(missing_ok=True)
    return gather(tmp_path, dataset.load([]))


def test_the_list_says_how_far_each_image_got(evidence: Evidence) -> None:
    states = {row[0].text: row[4].text for row in image.index(evidence)["table"].rows}
    assert states["torch-2.13.0-cpu-py311"] == "two builds identical"
    assert states["torch-2.12.0-cpu-py311"] == "no lock"
    assert len(states) == len(load_matrix(ROOT).rows)


def test_a_page_has_every_package_with_its_layer_and_licence(evidence: Evidence) -> None:
    row = load_matrix(ROOT).find("torch-cpu")
    page = image.view(row, evidence)
    packages = {cells[0].text: cells for cells in page["packages"].rows}
    assert packages["torch"][1].text == "2.13.0+cpu" and "BSD-3-Clause" in packages["torch"][2].text
    assert "MiB" in packages["torch"][3].text and "MiB" in packages["torch"][4].text
    rebuild = load_rebuilds(ROOT)[row.name]
    others = [cells[0].text for cells in page["layers"].rows]
    assert len(others) + len(packages) == len(rebuild.layers) and others[0].startswith("Debian and Python")


def test_an_address_is_given_once_something_was_pushed(evidence: Evidence) -> None:
    row = load_matrix(ROOT).find("torch-cpu")
    assert image.view(row, evidence)["published"].rows == []
    published = Published(
        name=row.name,
        repo_digest=ADDRESS,
        pushed_utc="2026-11-24T10:00:00+00:00",
        inputs_sha256="3" * 64,
    )
    note_published(evidence.root, f"sha256:{'b' * 64}", published)
    ((command, day),) = image.view(row, evidence)["published"].rows
    assert (command.text, day.text) == (f"docker pull {ADDRESS}", "2026-11-24")


def test_a_row_without_a_lock_offers_nothing_to_run(evidence: Evidence) -> None:
    page = image.view(load_matrix(ROOT).find("torch-2.12.0-cpu-py311"), evidence)
    assert page["alias"] is None and page["packages"].rows == [] and page["rebuild"] == []
