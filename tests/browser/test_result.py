"""A result's page in a real browser: drawings that become charts of the stored records, and what stays without them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framebench.dataset import results
from framebench.pages import build_site
from framebench.records import store
from harness.record import Record
from tests.chromium import open_page, served
from tests.record_factory import CONTENDERS, inline_sidecar, make_trials, telemetry_series

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
TRIALS = make_trials(
    contenders=CONTENDERS[:1], rounds=3, kinds=("timing",), sidecar=inline_sidecar(telemetry_series(gpus=1))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    for record in TRIALS:
        store.write(record, folder / "results")
    build_site(ROOT, [folder / "results"], folder / "build" / "site")
    return folder / "build" / "site"


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(folder.parent) as address:
        yield address + "site/"


@pytest.fixture(scope="module")
def path() -> str:
    (one,) = results(TRIALS)
    return f"results/{one.id}/"


def opened(browser: Any, address: str, **options: Any) -> Any:
    """A page that remembers what it asked for and what its console said."""
    page = open_page(browser, **options)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.goto(address)
    return page


def charts(page: Any) -> Any:
    """The charts of a page that was scrolled through."""
    page.mouse.move(5, 5)
    for figure in page.locator("[data-trials]").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".fb-live").nth(figure.locator(".fb-course").count() - 1).wait_for()
    return page.locator(".fb-live")


def place_of(record: Record, block: int) -> tuple[str, float]:
    assert record.timing is not None
    one = record.timing.blocks[block]
    return f"round {record.round}", one.wall_ns / one.steps / 1e6


@pytest.mark.parametrize("below", ["", "zh/"], ids=["English", "Chinese"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawings_become_charts_when_they_come_into_sight(
    browser: Any, address: str, path: str, below: str, width: int, scheme: str
) -> None:
    page = opened(
        browser,
        address + below + path,
        color_scheme=scheme,
        viewport={"width": width, "height": 844},
    )
    assert not any("uplot" in asked.lower() for asked in page.asked)  # nothing before a reader moves
    found = charts(page)
    assert found.count() == page.locator(".fb-course").count() == 4  # blocks, cores, memory, power
    assert page.locator(".fb-hint").is_visible()
    assert page.locator(".fb-course .fb-plotbox:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert sum("uPlot.iife.min.js" in asked for asked in page.asked) == 1
    assert page.faults == []
    page.context.close()


def test_the_keyboard_reads_every_block_as_it_is_stored(browser: Any, address: str, path: str) -> None:
    page = opened(browser, address + path)
    chart = charts(page).first
    assert chart.get_attribute("role") == "slider" and "each timed block" in chart.get_attribute("aria-label")
    chart.focus()
    chart.press("Home")
    read = [chart.get_attribute("aria-valuetext")]
    for _block in range(11):
        chart.press("ArrowRight")
        read.append(chart.get_attribute("aria-valuetext"))
    wanted = [place_of(TRIALS[0], block) for block in range(10)] + [place_of(TRIALS[1], n) for n in range(2)]
    for said, (trial, milliseconds) in zip(read, wanted, strict=True):
        assert f"· {trial} {milliseconds:.1f} ms" in said
    chart.press("End")
    trial, milliseconds = place_of(TRIALS[2], 9)
    assert f"{trial} {milliseconds:.1f} ms" in chart.get_attribute("aria-valuetext")
    assert page.locator(".fb-said").first.inner_text() == chart.get_attribute("aria-valuetext")
    page.context.close()


def test_the_keyboard_zooms_and_shows_all_again(browser: Any, address: str, path: str) -> None:
    page = opened(browser, address + path)
    chart = charts(page).first

    def last() -> int:
        chart.press("End")
        return int(chart.get_attribute("aria-valuenow"))

    chart.focus()
    chart.press("Home")
    chart.press("+")
    near = last()
    chart.press("0")
    assert near < last() == int(chart.get_attribute("aria-valuemax")) == 29
    page.context.close()


def test_a_dragged_part_fills_the_chart_until_a_double_click(browser: Any, address: str, path: str) -> None:
    page = opened(browser, address + path)
    chart = charts(page).first
    chart.scroll_into_view_if_needed()
    box = chart.locator(".u-over").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.6, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, y, steps=4)
    page.mouse.up()
    chart.focus()
    chart.press("Home")
    assert int(chart.get_attribute("aria-valuenow")) > 0
    page.mouse.dblclick(box["x"] + box["width"] / 2, y)
    chart.press("Home")
    assert int(chart.get_attribute("aria-valuenow")) == 0
    page.context.close()


def test_telemetry_is_read_from_the_sidecar_with_its_unit(browser: Any, address: str, path: str) -> None:
    page = opened(browser, address + path)
    found = charts(page)
    cores, memory = found.nth(1), found.nth(2)
    cores.focus()
    cores.press("End")
    said = cores.get_attribute("aria-valuetext")
    assert said.startswith(
        "3.00 s · CPU time of the trial 1.90 cores · CPU time of the whole machine 2.00 cores"
    )
    memory.focus()
    memory.press("Home")
    assert memory.get_attribute("aria-valuetext") == "0.100 s · resident memory of the trial 500 MiB"
    page.context.close()


def test_the_switch_recolours_a_chart(browser: Any, address: str, path: str) -> None:
    page = opened(browser, address + path, color_scheme="light")
    charts(page)
    drawn = "document.querySelector('.fb-live canvas').toDataURL()"
    light = page.evaluate(drawn)
    page.locator("label[for=__palette_1]").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    page.wait_for_function(f"light => {drawn} !== light", arg=light)
    page.context.close()


def test_without_scripts_the_drawings_and_their_ends_are_there(browser: Any, address: str, path: str) -> None:
    page = opened(browser, address + path, java_script_enabled=False)
    assert page.locator(".fb-course svg:visible").count() == 4
    legend = page.locator(".fb-course .fb-legend").nth(1).inner_text()
    assert "CPU time of the trial 1.50\u2009–\u20091.90 cores" in legend
    assert not page.locator(".fb-hint").first.is_visible()
    assert not any("result.js" in asked for asked in page.asked) and page.faults == []
    page.context.close()


def test_in_a_folder_on_disk_the_drawings_stay_and_nothing_is_refused(
    browser: Any, folder: Path, path: str
) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto((folder / path / "index.html").as_uri())
    for figure in page.locator("[data-trials]").all():
        figure.scroll_into_view_if_needed()
    assert page.locator(".fb-course svg:visible").count() == 4 and page.locator(".fb-live").count() == 0
    assert faults == []
    page.close()


def test_where_a_record_is_gone_the_drawing_stays(browser: Any, address: str, path: str) -> None:
    page = open_page(browser)
    page.route("**/*.sidecar.json.gz", lambda route: route.fulfill(status=200, body=json.dumps({})))
    page.goto(address + path)
    page.mouse.move(5, 5)
    figure = page.locator("[data-trials]").nth(1)
    with page.expect_response("**/*.sidecar.json.gz"):
        figure.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert figure.locator("svg:visible").count() == 3 and figure.locator(".fb-live").count() == 0
    assert page.faults == []
    page.context.close()


def test_no_other_page_loads_what_charts_need(browser: Any, address: str) -> None:
    page = opened(browser, address)
    for other in ("compare/", "workloads/convstack/", "method/"):
        page.goto(address + other, wait_until="networkidle")
    assert not any("uplot" in asked.lower() or "result.js" in asked for asked in page.asked)
    page.context.close()
