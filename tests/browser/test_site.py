"""The site in a real browser: without scripts, on a phone, in the dark, and with nothing from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from framebench import dataset
from harness.record import Case
from tests.chromium import open_page
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_trials

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
INFER = Case(workload="convstack", preset="cpu", task="infer", batch=16, cores=2)


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
        "history/",
        "history/torch/convstack/",
        "editions/",
        "article/",
        "guides/",
        "guides/keras-overhead/",
        "guides/compilers/",
        "guides/graphs/",
        "guides/keras-backends/",
        "guides/operations/",
        "problems/",
    ]


@pytest.mark.parametrize("below", ["", "zh/"], ids=["English", "Chinese"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_loads_nothing_from_outside_and_has_no_error(
    browser: Any, address: str, paths: list[str], scheme: str, below: str
) -> None:
    page = open_page(browser, color_scheme=scheme)
    for path in paths:
        page.goto(address + below + path)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= seen == width, f"{path or 'home'} is {wide} px wide on a screen of {seen}"
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
    rows = page.locator("table.fb-compared tbody tr[data-result]")
    assert rows.count() == len(CONTENDERS) + 1  # one that failed
    assert page.locator("table.fb-compared .fb-bar").first.is_visible()
    verdicts = page.locator("table.fb-compared .fb-verdict").all_inner_texts()
    assert "baseline" in verdicts and "faster" in verdicts
    assert page.locator("ul.fb-cases li a").count() == 4
    assert not page.locator("form.fb-controls").is_visible()
    page.goto(address)
    assert page.locator(".fb-scenario").count() == 3
    assert "is the fastest" in page.locator(".fb-scenario").first.inner_text()
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
