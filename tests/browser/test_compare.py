"""The compare page in a real browser: one table of what is chosen, and numbers of one's own beside it."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import markdown
import msgspec
import pytest

from framebench import dataset
from framebench.pages import compare, compare_data
from framebench.pages.evidence import Evidence, Group, gather
from framebench.pages.render import page as render_page
from framebench.records import store
from framebench.records.step_time import step_ns
from framebench.statistics.interval import throughput_interval
from harness.record import Case, Contender
from tests.chromium import open_page, served
from tests.record_factory import (
    CASE,
    CONTENDERS,
    MLP_CASE,
    STEP_NS,
    make_record,
    make_trials,
)

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
INFER = Case(workload="convstack", preset="cpu", task="infer", batch=16, cores=2)
WHY = "its <b>arrays</b> do not fit"  # as the failed trial of the site says
ROWS = "table.fb-compared tbody tr[data-result]"
GROUPS = "table.fb-compared tbody[data-group]"


@pytest.fixture(scope="module")
def compared(address: str) -> str:
    """The page's address."""
    return address + "compare/"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = open_page(browser, accept_downloads=True)
    yield opened
    assert opened.faults == []
    opened.context.close()


def chip(page: Any, facet: str, value: str) -> Any:
    return page.locator(f"input[name={facet}][value='{value}']")


def choose(page: Any, facet: str, *values: str) -> None:
    """Take exactly these, with the keyboard, waiting for each to be in the table."""
    for box in page.locator(f"input[name={facet}]").all():
        if box.is_checked() != (box.get_attribute("value") in values):
            box.focus()
            before = page.url
            page.keyboard.press("Space")
            page.wait_for_function("before => location.href !== before", arg=before)


def said(page: Any) -> str:
    text: str = page.locator("form output").inner_text()
    return text


def wait_said(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('form output').textContent.includes(text)", arg=text
    )


def by_first_cell(page: Any, section: str) -> dict[str, list[str]]:
    """The rows of a section's table."""
    rows = [row.split("\t") for row in page.locator(f"{section} tbody tr").all_inner_texts()]
    return {name: cells for name, *cells in rows}


def test_it_begins_with_the_case_of_homes_first_answer_and_what_failed_is_in_place(
    page: Any, compared: str
) -> None:
    page.goto(compared)
    rows = page.locator(ROWS)
    assert page.locator(GROUPS).count() == 1 and rows.count() == len(CONTENDERS) + 1
    assert WHY in rows.last.inner_text() and "out of memory" in rows.last.inner_text()
    assert "5 of 17 results, in 1 of 4 cases" in said(page)
    before = rows.all_inner_texts()
    chip(page, "mode", "eager").click()
    page.wait_for_url("**mode=eager**")
    assert rows.count() == 1
    chip(page, "mode", "eager").click()
    page.wait_for_url(lambda url: "mode" not in url)
    assert [" ".join(text.split()) for text in rows.all_inner_texts()] == [
        " ".join(text.split()) for text in before
    ], "the script draws what the page was written with"


def test_the_choice_is_in_the_address_comes_back_and_can_be_taken_back(page: Any, compared: str) -> None:
    page.goto(compared)
    choose(page, "workload", "mlp")
    assert page.locator(GROUPS).count() == 1, "the batch of the other workload came along"
    assert "mlp" in page.locator(GROUPS).get_attribute("data-group")
    page.select_option("select[name=baseline]", "torch-compiled")
    page.wait_for_url("**baseline=torch-compiled**")
    ratio = page.locator("tr[data-contender=torch-eager] .fb-ratio")
    assert 0.70 < float(ratio.inner_text()) < 0.80  # 60 / 80 ms
    assert "workload=mlp" in page.url and "metric" not in page.url
    chosen, rows = page.url, page.locator(ROWS).all_inner_texts()
    page.goto("about:blank")
    page.goto(chosen)
    wait_said(page, "in 1 of 4")
    page.wait_for_function("document.querySelector('tr.fb-baseline').dataset.contender === 'torch-compiled'")
    assert page.locator(ROWS).all_inner_texts() == rows
    page.select_option("select[name=metric]", "memory")
    page.wait_for_url("**metric=memory**")
    assert "MiB" in page.locator(".fb-value").first.inner_text()
    page.go_back()
    page.wait_for_function("!location.search.includes('metric')")
    page.wait_for_function("document.querySelector('.fb-head-unit').textContent === 'images/s'")
    assert page.locator("select[name=metric]").input_value() == "throughput"
    page.click("form.fb-controls button[type=reset]")
    page.wait_for_function("!location.search")
    assert "convstack" in page.locator(GROUPS).get_attribute("data-group")


def test_what_nobody_knows_in_the_address_is_ignored(page: Any, compared: str) -> None:
    page.goto(
        compared + "?workload=nonsense&baseline=%3Cscript%3E&metric=x&p99=-1&memory=abc&two=a,b,c#%E0%A4%A"
    )
    wait_said(page, "in 1 of 4 cases")
    assert page.locator(ROWS).count() == len(CONTENDERS) + 1


def test_a_link_to_a_case_leads_to_that_case(page: Any, compared: str, site: Path) -> None:
    groups = json.loads((site / "data" / "compare.json").read_text())["groups"]["anchor"]
    for anchor in groups:
        page.goto("about:blank")
        page.goto(f"{compared}#{anchor}")
        page.wait_for_function(
            "anchor => { const found = document.querySelectorAll('tbody[data-group]');"
            " return found.length === 1 && found[0].dataset.group === anchor; }",
            arg=anchor,
        )
        assert page.locator("#view").evaluate("node => node.getBoundingClientRect().top < innerHeight")


def test_over_several_cases_the_mean_names_what_is_missing(page: Any, compared: str) -> None:
    page.goto(compared)
    choose(page, "workload")
    choose(page, "task")
    choose(page, "batch")
    assert page.locator(GROUPS).count() == 3
    means = by_first_cell(page, "#over-the-selection")
    ratio, cases, missing = means["PyTorch, torch.compile"]
    assert float(ratio) == pytest.approx(80 / 60, rel=0.03) and cases == "3" and missing == "–"
    ratio, cases, missing = means["Keras on PyTorch, torch.compile, direct step"]
    assert (ratio, cases) == ("–", "0") and missing.count("convstack") == 2 and "mlp" in missing


def test_limits_say_how_many_are_left(page: Any, compared: str) -> None:
    page.goto(compared)
    page.fill("input[name=limit-memory]", "0.1")
    page.keyboard.press("Enter")
    wait_said(page, "0 of 5 are within the limits (4 above, 1 without")
    assert "No result has all of this" in page.locator("table.fb-compared").inner_text()
    page.fill("input[name=limit-memory]", "3")
    page.keyboard.press("Enter")
    wait_said(page, "4 of 5 are within the limits (0 above, 1 without")
    assert "memory=3" in page.url and page.locator(ROWS).count() == 4


def test_the_view_can_be_downloaded_as_it_is(page: Any, compared: str) -> None:
    page.goto(compared)
    chip(page, "mode", "compiled").click()
    page.wait_for_url("**mode=compiled**")
    files = {}
    for kind in ("csv", "json"):
        with page.expect_download() as download:
            page.click(f"button[data-download={kind}]")
        files[kind] = Path(download.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(files["csv"])))
    found = json.loads(files["json"])
    assert [row["result_id"] for row in rows] == [row["result_id"] for row in found]
    assert {row["mode"] for row in found} == {"compiled"} and len(found) == 4
    assert float(rows[0]["units_per_s"]) == found[0]["units_per_s"] > 0
    assert rows[-1]["units_per_s"] == "" and found[-1]["units_per_s"] is None
    assert WHY in found[-1]["reason"] and rows[-1]["reason"] == found[-1]["reason"]


def test_two_results_side_by_side(page: Any, compared: str, site: Path) -> None:
    page.goto(compared)
    for contender in ("torch-compiled", "torch-eager"):
        page.locator(f"tr[data-contender={contender}] .fb-pick").focus()
        page.keyboard.press("Space")
    page.wait_for_selector("#side-by-side tbody tr")
    chosen = page.url
    assert "two=" in chosen
    page.goto("about:blank")
    page.goto(chosen)
    page.wait_for_selector("#side-by-side tbody tr")
    rows = by_first_cell(page, "#side-by-side")
    assert float(rows["Throughput"][2]) == pytest.approx(80 / 60, rel=0.03)
    with_interval = next(cells[-1] for name, cells in rows.items() if "95 %" in name)
    data = json.loads((site / "data" / "baselines.json").read_text())
    first = re.split("%2C|,", chosen.partition("two=")[2])[0]
    (group,) = [one for one in data.values() if first in one.get("torch-eager", {})]
    ratio, interval, *_ = group["torch-eager"][first]
    assert with_interval == f"{ratio} ({interval})"


def test_own_records_stand_beside_the_published_ones_and_go_nowhere(
    page: Any, compared: str, tmp_path: Path
) -> None:
    mine = make_trials(
        [CONTENDERS[0]],
        rounds=3,
        seed=99,
        host_id="my-desk",
        step_ns={"torch-eager": STEP_NS["torch-eager"] / 2},
        kinds=("timing",),
    )
    one = tmp_path / "one.json"
    one.write_bytes(msgspec.json.encode(mine[0]))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for number, record in enumerate(mine[1:]):
            entry = tarfile.TarInfo(f"my-desk/convstack/{'a-long-name-' * 12}/torch-eager/{number}.json")
            content = msgspec.json.encode(record)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    archive = tmp_path / "mine.tar.gz"
    archive.write_bytes(packed.getvalue())
    torn, zipped_text, hostile = tmp_path / "torn.json", tmp_path / "text.gz", tmp_path / "<img src=x>.json"
    torn.write_text('{"case": {')
    zipped_text.write_bytes(gzip.compress(b"no archive" * 100)[:40])
    hostile.write_bytes(
        msgspec.json.encode(make_record(timing=None, contender=Contender(stack="<i>x", mode="eager")))
    )
    page.goto(compared)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.set_input_files(".fb-files", [one, archive, torn, zipped_text, hostile])
    page.wait_for_selector("tr.fb-own")
    own = page.locator("tr.fb-own[data-contender=torch-eager]")
    assert own.count() == 1 and "yours" in own.inner_text()
    assert "<i>x-eager" in page.locator("tr.fb-own").last.inner_text()
    expected = throughput_interval([step for record in mine if (step := step_ns(record))], 16)
    assert float(own.locator(".fb-value").inner_text()) == pytest.approx(expected.value, rel=0.01)
    ends = [float(end) for end in re.split(r"\s*–\s*", own.locator(".fb-value-ci").inner_text())]
    assert ends == pytest.approx([expected.low, expected.high], rel=0.01)
    told = page.locator(".fb-own-said").inner_text()
    assert (
        "4 trials of yours read" in told
        and "torn.json" in told
        and "text.gz" in told
        and page.locator("main img[src=x]").count() == 0
    )
    place = page.locator("#your-own-numbers tbody tr").first.inner_text()
    assert "1 of 3 hosts" in place
    assert set(sent) <= {"GET"}
    page.click(".fb-forget")
    assert page.locator("tr.fb-own").count() == 0


def test_a_folder_on_disk_says_why_nothing_can_be_chosen(browser: Any, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "compare" / "index.html").as_uri())
    assert "opened from a folder on disk" in said(page)
    assert page.locator(ROWS).count() == len(CONTENDERS) + 1
    assert page.locator("select[name=metric]").is_disabled()
    page.close()


def test_ten_thousand_results_answer(
    browser: Any, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    evidence = _many(tmp_path, 10_000)
    text = render_page(ROOT / "site" / "templates", "compare.md.j2", **compare.view(evidence))
    body = markdown.markdown(
        text.partition("---\n")[2].partition("---\n")[2], extensions=["attr_list", "tables"]
    )
    script = '<script src="../assets/compare.js"></script>'
    for name, content in {
        "compare/index.html": f'<html lang="en"><meta charset="utf-8"><body>{body}{script}</body></html>',
        "data/compare.json": compare_data.compare_json(evidence),
        "data/baselines.json": compare.baselines_json(evidence),
        "assets/compare.js": (ROOT / "site" / "assets" / "compare.js").read_text(),
    }.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(content)
    with served(tmp_path / "site") as address:
        page = browser.new_page()
        page.goto(address + "compare/?workload=&task=&preset=&host=&batch=&hardware=")
        wait_said(page, "10000 of 10000 results")
        assert page.locator(ROWS).count() == 60
        took = page.evaluate(
            """async () => {
              const box = document.querySelector("input[name=mode][value=eager]"), took = [];
              for (let i = 0; i < 6; i++) {
                const from = performance.now(), before = location.href;
                box.click();
                while (location.href === before) await null;
                document.body.offsetHeight;
                took.push(performance.now() - from);
              }
              return took;
            }"""
        )
        wait_said(page, "10000 of 10000 results")
        page.click("button.fb-rest")
        assert page.locator(ROWS).count() == 120
        page.close()
    record_property("ms_per_filter", took)
    print(f"10,000 results: a filter took {sorted(took)[len(took) // 2]:.0f} ms (median of {len(took)})")


def _many(folder: Path, count: int) -> Evidence:
    """The groups of a small dataset again and again on other hosts, with ids of their own."""
    for record in make_trials(cases=[CASE, INFER, MLP_CASE], kinds=("parity", "memory", "timing")):
        store.write(record, folder / "results")
    small = gather(ROOT, dataset.load([folder / "results"]))
    groups: list[Group] = []
    results = 0
    while results < count:
        number, origin = divmod(len(groups), len(small.groups))
        old = small.groups[origin]
        ids = {row.result.id: f"{len(groups):06d}{place:04d}" for place, row in enumerate(old.rows)}
        renamed = {
            row.result.id: dataclasses.replace(
                row.result, id=ids[row.result.id], host_id=f"host-{number:03d}"
            )
            for row in old.rows
        }
        base = old.comparison.baseline
        comparison = dataclasses.replace(
            old.comparison,
            host_id=f"host-{number:03d}",
            baseline=renamed[base.id] if base else None,
            rows=[dataclasses.replace(row, result=renamed[row.result.id]) for row in old.rows],
        )
        against = {
            label: {ids[result]: compared for result, compared in table.items()}
            for label, table in old.against.items()
        }
        groups.append(Group(comparison, against))
        results += len(old.rows)
    return dataclasses.replace(small, groups=groups)
