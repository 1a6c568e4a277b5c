"""The Chinese site in a real browser: the same pages, a way from each to the other language, a search that finds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chromium import open_page

pytestmark = pytest.mark.browser

PAGES = ["", "compare/", "workloads/mlp/", "guides/graphs/", "clusters/slurm/", "data/dictionary/"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_switch_leads_to_the_same_page_and_back(browser: Any, address: str, scripts: bool) -> None:
    page = open_page(browser, java_script_enabled=scripts)
    for path in PAGES:
        page.goto(address + path)
        switch = page.locator("a.fb-language")
        assert switch.inner_text() == "中文"
        switch.click()
        page.wait_for_url(f"{address}zh/{path}")
        assert page.locator("html").get_attribute("lang") == "zh"
        assert page.locator("a.fb-language").inner_text() == "English"
        page.locator("a.fb-language").click()
        page.wait_for_url(address + path)
        assert page.locator("html").get_attribute("lang") == "en"
    assert page.faults == []
    page.context.close()


def test_the_keyboard_reaches_the_switch(browser: Any, address: str) -> None:
    page = open_page(browser)
    page.goto(address + "compare/")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('fb-language')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}zh/compare/")
    page.context.close()


def test_a_record_is_there_once_and_a_table_beside_its_package(browser: Any, address: str) -> None:
    page = open_page(browser)
    for folder in ("", "zh/"):
        page.goto(address + folder + "compare/")
        page.locator("tr[data-result] a").first.click()
        page.wait_for_url(f"{address}{folder}results/**")
        record = page.locator("a[href*='/records/']").first.get_attribute("href")
        found = page.request.get(page.evaluate("href => new URL(href, location).href", record))
        assert found.ok and found.url.startswith(f"{address}records/")
        page.goto(f"{address}{folder}data/")
        table = page.evaluate("document.querySelector('a[href$=\"results.csv\"]').href")
        assert page.request.get(table).ok
        package = page.request.get(f"{address}{folder}data/datapackage.json").json()
        for resource in package["resources"]:
            assert page.request.get(f"{address}{folder}data/{resource['path']}").ok
    page.context.close()


@pytest.mark.parametrize(
    ("words", "path"),
    [("预热", "zh/method/"), ("动态图", "zh/guides/graphs/"), ("torch.compile", "zh/guides/compilers/")],
)
def test_the_search_finds_chinese_words(browser: Any, address: str, words: str, path: str) -> None:
    page = open_page(browser)
    page.goto(address + "zh/")
    box = page.locator(".md-search__input")
    box.click()
    box.fill(words)
    page.keyboard.press("End")  # what is typed by an input method ends in a key as well
    page.wait_for_function(
        "path => [...document.querySelectorAll('.md-search-result__link')].some(one => one.href.includes(path))",
        arg=path,
    )
    page.context.close()
