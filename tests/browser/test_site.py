"""The site in a real browser: without scripts, on a phone, in the dark, and with nothing from outside."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framebench import dataset
from framebench.pages import build_site
from framebench.records import store
from harness.record import Case
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_trials
from tests.requirement import require

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
INFER = Case(workload="convstack", preset="cpu", task="infer", batch=16, cores=2)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of synthetic records, in ``build/deep/site``."""
    folder = tmp_path_factory.mktemp("browser")
    records = make_trials(cases=[CASE, INFER, MLP_CASE], kinds=("parity", "memory", "cold-start", "timing"))
    for record in records:
        store.write(record, folder / "results")
    build_site(ROOT, [folder / "results"], folder / "build" / "deep" / "site")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The site served under a path of its own: every link must be relative."""
    handler = functools.partial(_Quiet, directory=str(folder / "build"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/deep/site/"
    server.shutdown()


@pytest.fixture(scope="module")
def paths(address: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One page of each kind."""
    found = dataset.results(make_trials(cases=[CASE, MLP_CASE], kinds=("parity", "timing")))
    learned = next(result for result in found if result.learning)
    return [
        "",
        "compare/",
        f"results/{learned.id}/",
        "workloads/",
        "workloads/mlp/",
        "workloads/convstack/",
        "stacks/torch/",
        "images/",
        "images/torch-2.13.0-cpu-py311/",
        f"hosts/{learned.host_id}/",
        "method/",
        "reproduce/",
        "data/",
        "data/dictionary/",
        "reliability/",
        "article/",
        "guides/",
        "guides/keras-overhead/",
        "guides/compilers/",
        "guides/graphs/",
        "guides/keras-backends/",
        "guides/operations/",
        "problems/",
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    require("browser", CHROMIUM is not None, "no Chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def open_page(browser: Any, **options: Any) -> Any:
    """A page that remembers script errors and requests to anywhere else."""
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if re.match(r"(http://127\.0\.0\.1:|data:|blob:)", request.url)
            else page.faults.append(request.url)
        ),
    )
    page.on(  # leaving a page aborts what it was still loading
        "requestfailed",
        lambda request: (
            None if "ABORTED" in request.failure else page.faults.append(f"{request.failure} {request.url}")
        ),
    )
    page.on(
        "response", lambda answer: answer.status < 400 or page.faults.append(f"{answer.status} {answer.url}")
    )
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_loads_nothing_from_outside_and_has_no_error(
    browser: Any, address: str, paths: list[str], width: int, scheme: str
) -> None:
    page = open_page(browser, viewport={"width": width, "height": 844}, color_scheme=scheme)
    for path in paths:
        page.goto(address + path)
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= seen, f"{path or 'home'} is {wide} px wide on a screen of {seen}"
        assert page.locator("h1").count() == 1, path
    assert page.faults == []
    page.context.close()


def test_a_folder_on_disk_can_be_walked_through(browser: Any, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "build" / "deep" / "site" / "index.html").as_uri())
    for link, title in [
        ("nav.md-tabs a:has-text('Hosts')", "Hosts"),
        ("table a", "epyc-2c-ab12cd34"),
        ("table a", "convstack"),
        (".fb-crumb a:has-text('convstack')", "convstack"),
    ]:
        page.locator(link).first.click()
        page.wait_for_url("file://**/index.html*")
        assert title in page.title()
    page.close()


def test_without_scripts_tables_are_complete(browser: Any, address: str) -> None:
    page = open_page(browser, java_script_enabled=False)
    page.goto(address + "compare/")
    assert page.locator("section.fb-case").count() == 3
    for section in page.locator("section.fb-case").all():
        rows = section.locator("tbody tr")
        assert rows.count() == len(CONTENDERS)
        assert section.locator(".fb-bar").first.is_visible()
        verdicts = section.locator(".fb-verdict").all_inner_texts()
        assert "baseline" in verdicts and "faster" in verdicts
    assert not page.locator("form.fb-controls").is_visible()
    page.goto(address)
    assert page.locator(".fb-scenario").count() == 3
    assert "is the fastest" in page.locator(".fb-scenario").first.inner_text()
    page.context.close()


def test_the_choice_is_in_the_address_and_comes_back(browser: Any, address: str) -> None:
    page = open_page(browser)
    page.goto(address + "compare/", wait_until="networkidle")
    page.select_option("select[name=workload]", "convstack")
    page.select_option("select[name=task]", "train")
    page.select_option("select[name=baseline]", "torch-compiled")
    cell = page.locator("section.fb-case:visible tr[data-contender=torch-eager] .fb-ratio")
    page.wait_for_function(
        "document.querySelector('section.fb-case:not([hidden]) tr[data-contender=torch-compiled]')"
        ".classList.contains('fb-baseline')"
    )
    chosen = page.url
    assert "workload=convstack" in chosen and "baseline=torch-compiled" in chosen
    ratio = float(cell.inner_text())
    assert 0.70 < ratio < 0.80  # 60 / 80 ms
    assert page.locator("section.fb-case:visible").count() == 1
    page.goto("about:blank")
    page.goto(chosen, wait_until="networkidle")
    page.wait_for_function("document.querySelector('form.fb-controls').dataset.baseline === 'torch-compiled'")
    assert page.locator("section.fb-case:visible").count() == 1
    assert float(cell.inner_text()) == ratio
    assert "1 of 3" in page.locator("form.fb-controls output").inner_text()
    page.click("form.fb-controls button[type=reset]")
    page.wait_for_function("!location.search")
    page.wait_for_function("document.querySelectorAll('section.fb-case:not([hidden])').length === 3")
    page.wait_for_function(
        "document.querySelector('tr[data-contender=torch-eager]').classList.contains('fb-baseline')"
    )
    assert page.faults == []
    page.context.close()


def test_an_unknown_choice_in_the_address_is_ignored(browser: Any, address: str) -> None:
    page = open_page(browser)
    page.goto(address + "compare/?workload=nonsense&baseline=%3Cscript%3E", wait_until="networkidle")
    assert page.locator("section.fb-case:visible").count() == 3
    assert page.faults == []
    page.context.close()


def test_the_switch_recolours_bars_and_text(browser: Any, address: str) -> None:
    page = open_page(browser, color_scheme="light")
    page.goto(address + "compare/", wait_until="networkidle")
    read = (
        "() => [getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.fb-bar'), '::before').backgroundColor,"
        " getComputedStyle(document.querySelector('.fb-value')).color]"
    )
    light = page.evaluate(read)
    page.locator("label[for=__palette_1]").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    dark = page.evaluate(read)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    page.context.close()


def test_the_command_can_be_copied_and_the_raw_record_opened(
    browser: Any, address: str, paths: list[str]
) -> None:
    page = open_page(browser, permissions=["clipboard-read", "clipboard-write"])
    page.goto(address + paths[2], wait_until="networkidle")
    button = page.locator(".md-code__button[title*=Copy], .md-clipboard").first
    button.click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("make reproduce RESULT=")
    link = page.locator("a[href*='records/']").first.get_attribute("href")
    record = page.request.get(page.url + link).json()
    assert record["record_version"] >= 1
    page.context.close()


def test_on_a_phone_every_section_can_be_reached(browser: Any, address: str, paths: list[str]) -> None:
    page = open_page(browser, viewport={"width": 390, "height": 844})
    page.goto(address + paths[2], wait_until="networkidle")
    page.locator("label[for=__drawer].md-header__button").click()
    page.locator(".md-nav--primary a", has_text="Compare").first.click()
    page.wait_for_url("**/compare/**")
    page.context.close()
