"""Every stored result's page is small, in each language."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench import dataset
from framebench.language import LANGUAGES, Language, speaking
from framebench.pages import build_site, result, shell
from framebench.pages.evidence import gather

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 40_000  # bytes


@pytest.fixture(scope="module")
def stored() -> dataset.Dataset:
    return dataset.load([ROOT / "results"])


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What MkDocs makes of a site without results: the shell that pages are set into."""
    folder = tmp_path_factory.mktemp("size") / "build"
    build_site(ROOT, [], folder / "site")
    return folder


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_no_page_of_a_result_is_large(stored: dataset.Dataset, build: Path, language: Language) -> None:
    folder = build / ("mkdocs" if not language.folder else f"mkdocs-{language.code}")
    with speaking(language, ROOT):
        evidence = gather(ROOT, stored)
        filled = shell.read(folder)
        sizes = {one.id: len(filled.fill(result.page(one, evidence)).encode()) for one in stored.results}
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}
