"""The site without a mouse: Tab comes to everything that can be used, shows where it is, and the keys do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.chromium import PATIENCE_MS, charts, leave_search_empty, open_page
from tests.record_factory import make_record

pytestmark = pytest.mark.browser

PRESSES = 1000  # of Tab, after which its way is taken for endless
PARTS = "document.querySelectorAll('*').length"
WALK = Path(__file__).with_name("walk.js").read_text()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = open_page(browser, accept_downloads=True, permissions=["clipboard-read", "clipboard-write"])
    opened.on("filechooser", lambda chooser: None)  # heard of from the start, and not a moment after Enter
    yield opened
    assert opened.faults == []
    opened.context.close()


def tab_to(page: Any, selector: str) -> None:
    for _ in range(PRESSES):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab never comes to {selector}")


def settle(page: Any, question: str, times: int = 1, apart_ms: int = 20) -> None:
    """Wait until the page's answer to the question stays the same: some things come a moment after what they are for;
    not by its own clock, which stands still without scripts."""
    before, same = None, 0
    for _ in range(PATIENCE_MS // apart_ms):
        now = page.evaluate(question)
        same = same + 1 if now == before else 0
        if same == times:
            return
        before = now
        page.wait_for_timeout(apart_ms)
    pytest.fail(f"the page never stays as it is: {question}")


def walked(page: Any, width: int, scripts: bool = True) -> list[str]:
    """What is wrong with the way that Tab takes once around the open page."""
    if scripts:
        charts(page)  # they come where somebody moves, and would come behind a Tab that hurries
        page.evaluate("scrollTo(0, 0)")
    tall = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": tall})  # Material adds buttons to what has been in view
    settle(page, PARTS, times=3, apart_ms=50)
    page.set_viewport_size({"width": width, "height": 844})
    settle(page, PARTS, times=3, apart_ms=50)
    page.evaluate(WALK)
    at_once = scripts and width > 960  # the search of a narrow screen opens a moment after it was come to
    if at_once:
        page.evaluate("addEventListener('keyup', walk.step, true)")
    for pressed in range(1, PRESSES):
        page.keyboard.press("Tab")
        if not at_once:
            settle(page, "walk.place()")
            page.evaluate("walk.step()")
        if pressed % 20 == 0 and page.evaluate("walk.round && !document.activeElement.closest('.md-search')"):
            said: list[str] = page.evaluate("walk.said()")
            return said
    return [f"Tab does not come back to where it began in {PRESSES} steps"]


def test_tab_comes_to_everything_and_shows_where_it_is(browser: Any, address: str, paths: list[str]) -> None:
    page = open_page(browser)
    leave_search_empty(page)
    faults = []
    for path in paths:
        page.goto(address + path)
        faults += [f"{path or 'home'}: {fault}" for fault in walked(page, 1280)]
    assert not faults, "\n".join(faults)
    page.context.close()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"color_scheme": "dark"}, id="dark", marks=pytest.mark.slow),
        pytest.param({"java_script_enabled": False}, id="no scripts"),
    ],
)
def test_on_a_phone_in_the_dark_and_without_scripts_too(
    browser: Any, address: str, result: str, options: dict[str, Any]
) -> None:
    page = open_page(browser, **options)
    leave_search_empty(page)
    faults = []
    for path in ("", "compare/", "clusters/slurm/", result):
        page.goto(address + path)
        said = walked(page, 390, options.get("java_script_enabled", True))
        faults += [f"{path or 'home'}: {fault}" for fault in said]
    assert not faults, "\n".join(faults)
    page.context.close()


def test_the_first_stop_leads_past_the_menu(page: Any, address: str) -> None:
    page.goto(address + "method/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('article') !== null")


def test_on_a_phone_the_menu_comes_when_the_keyboard_gets_there(page: Any, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    tab_to(page, ".md-nav--primary label[tabindex='0']")
    page.keyboard.press("Enter")
    tab_to(page, ".md-nav--primary a[href='clusters/slurm/']")
    left, right = page.evaluate(
        "(({ left, right }) => [left, right])(document.activeElement.getBoundingClientRect())"
    )
    assert 0 <= left < right <= 390
    page.keyboard.press("Enter")
    page.wait_for_url("**/clusters/slurm/")


def test_palette_tabs_and_copy(page: Any, address: str, result: str) -> None:
    page.goto(address + "workloads/mlp/", wait_until="networkidle")
    tab_to(page, "input.md-option")
    for key, scheme in [("Enter", "slate"), ("Enter", "default"), ("Space", "slate"), ("Space", "default")]:
        page.keyboard.press(key)
        page.wait_for_function("scheme => document.body.dataset.mdColorScheme === scheme", arg=scheme)
    tab_to(page, ".tabbed-set > input")
    page.keyboard.press("ArrowRight")
    assert page.locator(".tabbed-set > input").nth(1).is_checked()
    assert page.locator(".tabbed-block").nth(1).is_visible()
    page.goto(address + result, wait_until="networkidle")
    tab_to(page, ".md-code__button, .md-clipboard")
    page.keyboard.press("Enter")
    assert page.evaluate("navigator.clipboard.readText()").startswith("make reproduce RESULT=")


def test_the_search_is_typed_and_followed(page: Any, address: str) -> None:
    page.goto(address)
    tab_to(page, ".md-search__input")
    page.keyboard.type("warm-up")
    page.wait_for_selector(".md-search-result__link")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.matches('.md-search-result__link')")
    hit = page.evaluate("document.activeElement.href")
    page.keyboard.press("Enter")
    page.wait_for_url(hit + "**")


def test_compare_is_worked_without_a_mouse(page: Any, address: str, tmp_path: Path) -> None:
    page.goto(address + "compare/")
    rows = page.locator("table.fb-compared tbody tr[data-result]")
    all_rows = rows.count()
    tab_to(page, "input[name=mode][value=eager]")
    page.keyboard.press("Space")
    page.wait_for_url("**mode=eager**")
    assert rows.count() == 1
    page.keyboard.press("Space")  # it is still there, after all was drawn anew
    page.wait_for_url(lambda url: "mode" not in url)
    assert rows.count() == all_rows
    tab_to(page, "form summary")
    page.keyboard.press("Enter")
    tab_to(page, "details input[name=host]:checked")
    page.keyboard.press("Space")
    page.wait_for_url("**host=**")
    tab_to(page, "select[name=metric]")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**metric=**")
    tab_to(page, "select[name=baseline]")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**baseline=**")
    tab_to(page, "input[name=limit-memory]")
    page.keyboard.type("0.1")
    page.keyboard.press("Enter")
    page.wait_for_url("**memory=0.1**")
    assert "No result has all of this" in page.locator("table.fb-compared").inner_text()
    tab_to(page, "button[type=reset]")
    page.keyboard.press("Enter")
    page.wait_for_function("!location.search")
    assert rows.count() == all_rows
    tab_to(page, "button[data-download=csv]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert Path(download.value.path()).read_text().count("\n") > all_rows
    for _ in range(2):
        tab_to(page, ".fb-pick")
        page.keyboard.press("Space")
    page.wait_for_selector("#side-by-side tbody tr")
    (tmp_path / "mine.json").write_bytes(msgspec.json.encode(make_record()))
    tab_to(page, ".fb-files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(tmp_path / "mine.json")
    page.wait_for_selector("tr.fb-own")
    tab_to(page, ".fb-forget")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.fb-own", state="detached")
    assert page.evaluate("document.activeElement.matches('.fb-files')"), (
        "the keyboard is lost with the button"
    )
