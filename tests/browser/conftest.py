"""The one browser, and the one site, that all of these tests use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framebench.language import CHINESE
from framebench.pages import build_site
from framebench.records import store
from harness.record import Case, Contender
from tests.chromium import CHROMIUM, FLAGS, PATIENCE_MS, served
from tests.record_factory import CASE, MLP_CASE, make_failed, make_trials, trial_id
from tests.requirement import require

ROOT = Path(__file__).resolve().parents[2]
INFER = Case(workload="convstack", preset="cpu", task="infer", batch=16, cores=2)
BROKEN = Contender(stack="keras-torch", mode="compiled", variant="direct")
WHY = "its <b>arrays</b> do not fit"
OF_ONE_TEMPLATE = ("editions", "history", "hosts", "images", "results", "stacks", "workloads")
"""Folders all of whose pages but the first have one template."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of synthetic records, in ``build/deep/site``: three cases on one host, the first on a second of its kind
    too, and there with one contender that failed."""
    folder = tmp_path_factory.mktemp("browser")
    for record in [
        *make_trials(cases=[CASE, INFER, MLP_CASE], kinds=("parity", "memory", "cold-start", "timing")),
        *make_trials(seed=8, host_id="epyc-2c-ffffffff"),
        make_failed("oom", WHY, contender=BROKEN, trial_id=trial_id(77)),
    ]:
        store.write(record, folder / "results")
    build_site(ROOT, [folder / "results"], folder / "build" / "deep" / "site")
    return folder


@pytest.fixture(scope="session")
def site(folder: Path) -> Path:
    return folder / "build" / "deep" / "site"


@pytest.fixture(scope="session")
def paths(site: Path) -> list[str]:
    """The English pages with a template of their own, and of those that share one the two with the most and the fewest
    tables; as in addresses, ``""`` for home."""
    alone: list[str] = []
    sharing: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for page in sorted(site.rglob("index.html")):
        path = page.relative_to(site).as_posix().removesuffix("index.html")
        kind, _, below = path.partition("/")
        if path.startswith(CHINESE.folder):
            continue
        if below and kind in OF_ONE_TEMPLATE:
            sharing[kind].append((page.read_text().count("<table"), path))
        else:
            alone.append(path)
    return alone + [path for pages in sharing.values() for _, path in sorted({min(pages), max(pages)})]


@pytest.fixture(scope="session")
def result(paths: list[str]) -> str:
    """The page of the result with the most tables."""
    return [path for path in paths if path.startswith("results/")][-1]


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    """The site served under a path of its own: every link must be relative."""
    with served(folder / "build") as address:
        yield address + "deep/site/"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    require("browser", CHROMIUM is not None, "no Chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
        yield started
        started.close()
