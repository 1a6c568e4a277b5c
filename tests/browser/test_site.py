"""The site in a real browser: without scripts, on a phone, in the dark, and with nothing from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from framebench.language import CHINESE, ENGLISH, LANGUAGES, Language
from tests import axe
from tests.chromium import leave_search_empty, open_page
from tests.record_factory import CONTENDERS

pytestmark = pytest.mark.browser

VIEWS = {  # the languages share all but their words, which are longest on a phone
    ENGLISH: [(1280, "default"), (390, "slate")],
    CHINESE: [(390, "default")],
}


def choose_palette(page: Any, scheme: str) -> None:
    page.evaluate("scheme => document.querySelector(`input[data-md-color-scheme=${scheme}]`).click()", scheme)
    page.wait_for_function("scheme => document.body.dataset.mdColorScheme === scheme", arg=scheme)


@pytest.mark.parametrize("language", LANGUAGES, ids=[language.name for language in LANGUAGES])
def test_every_page_fits_is_accessible_loads_nothing_from_outside_and_has_no_error(
    browser: Any, address: str, paths: list[str], language: Language
) -> None:
    page = open_page(browser)
    leave_search_empty(page)
    faults = []
    for path in paths:
        page.goto(address + language.folder + path)
        name = language.folder + path or "home"
        if (headings := page.locator("h1").count()) != 1:
            faults.append(f"{name} has {headings} first headings")
        for width, scheme in VIEWS[language]:
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_function("width => innerWidth === width", arg=width)
            page.evaluate("new Promise(requestAnimationFrame)")
            wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            if not wide <= seen == width:
                faults.append(f"{name} is {wide} px wide on a screen of {seen}")
            choose_palette(page, scheme)
            said = axe.violations(page) + axe.contrast(page)
            faults += [f"{name}, {width} px, {scheme}: {violation}" for violation in said]
    assert not faults, "\n".join(faults)
    assert page.faults == []
    page.context.close()


def test_the_page_of_a_missing_page_is_accessible(browser: Any, address: str) -> None:
    page = open_page(browser)
    page.goto(address + "404.html")
    assert axe.violations(page) == []
    page.context.close()


def test_the_readers_own_palette_is_the_first(browser: Any, address: str) -> None:
    page = open_page(browser, color_scheme="dark")
    page.goto(address)
    page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
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
        page.wait_for_function("title => document.title.includes(title)", arg=title)
        assert page.url.startswith("file://") and "/index.html" in page.url
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


def test_the_command_can_be_copied_and_the_raw_record_opened(browser: Any, address: str, result: str) -> None:
    page = open_page(browser, permissions=["clipboard-read", "clipboard-write"])
    page.goto(address + result, wait_until="networkidle")
    button = page.locator(".md-code__button[title*=Copy], .md-clipboard").first
    button.click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("make reproduce RESULT=")
    link = page.locator("a[href*='records/']").first.get_attribute("href")
    record = page.request.get(page.url + link).json()
    assert record["record_version"] >= 1
    page.context.close()


def test_on_a_phone_every_section_can_be_reached(browser: Any, address: str, result: str) -> None:
    page = open_page(browser, viewport={"width": 390, "height": 844})
    page.goto(address + result, wait_until="networkidle")
    page.locator("label[for=__drawer].md-header__button").click()
    page.locator(".md-nav--primary a", has_text="Compare").first.click()
    page.wait_for_url("**/compare/**")
    page.context.close()
