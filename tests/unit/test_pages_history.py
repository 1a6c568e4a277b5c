"""The pages of history and editions, and what the feed says of changes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.editions import dated
from framebench.dataset.grouping import results
from framebench.pages import feed, history, result
from framebench.pages.evidence import Evidence, gather
from framebench.pages.render import page
from framebench.pages.site import render
from framebench.records import store
from harness.record import Outcome, Protocol, Record
from tests.record_factory import MLP_CASE, sha
from tests.unit.test_contender_history import TORCH, measured
from tests.unit.test_lateness import CHANGE, checkout

ROOT = Path(__file__).resolve().parents[2]
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) \x1b[2J"


def evidence(folder: Path, *campaigns: list[Record], site_url: str | None = None) -> Evidence:
    for records in campaigns:
        for record in records:
            store.write(record, folder)
    return gather(ROOT, dataset.load([folder] if campaigns else []), site_url)


def crashed(records: list[Record]) -> list[Record]:
    """The same, where PyTorch's timing trials end badly."""
    outcome = Outcome(status="crashed", reason=HOSTILE)
    return [
        msgspec.structs.replace(one, outcome=outcome, timing=None)
        if one.contender == TORCH and one.kind == "timing"
        else one
        for one in records
    ]


def hostile(records: list[Record]) -> list[Record]:
    """The same, where the software says things that steer."""
    return [
        msgspec.structs.replace(
            one,
            software=msgspec.structs.replace(one.software, packages={HOSTILE: HOSTILE}, framework=HOSTILE),
        )
        if one.software and one.contender.stack == "torch"
        else one
        for one in records
    ]


def entries(shown: Evidence) -> dict[str, ET.Element]:
    text = page(ROOT / "site" / "templates", "feed.xml.j2", **feed.view(shown))
    return {one.findtext(f"{ATOM}id") or "": one for one in ET.fromstring(text).iter(f"{ATOM}entry")}


def test_a_slower_version_is_on_the_pages_with_what_differs(tmp_path: Path) -> None:
    shown = evidence(tmp_path, measured("2.12.0", 3), measured("2.13.0", 9, 1.1))
    files = render(shown)
    index, own = str(files["history/index.md"]), str(files["history/torch/convstack.md"])
    for text in (index, own):
        assert "slower" in text and "torch 2.12.0 → 2.13.0" in text
        assert re.search(r"1\.\d+\u2009–\u20091\.\d+", text)
    assert "1 slower" in index
    (told,) = [one for one in shown.dataset.histories if one.contender == TORCH]
    assert f'id="{history.anchor(told)}"' in own and history.address(told) in index
    for one in told.results:
        assert history.address(told) in result.page(one, shown).content


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('version = { package = "torch", from = "2.12.0", to = "2.13.0" }', True),
        ('version = { package = "torch", from = "2.11.0", to = "2.13.0" }', False),
        ('version = { package = "numpy", from = "2.12.0", to = "2.13.0" }', False),
        ('commit = "0123456"', True),
    ],
)
def test_the_perf_changelog_stands_beside_the_change_it_explains(
    tmp_path: Path, source: str, named: bool
) -> None:
    root = checkout(tmp_path, perf_changelog=CHANGE.replace('commit = "0123456"', source))
    for record in [*measured("2.12.0", 3), *measured("2.13.0", 26, 1.1)]:
        store.write(record, tmp_path / "results")
    shown = gather(root, dataset.load([tmp_path / "results"]))
    (told,) = [one for one in shown.dataset.histories if one.contender == TORCH]
    (step,) = told.steps
    assert bool(history.explaining(step, shown)) == named
    assert ("kernel" in history.sentence(step, shown)) == named
    assert history.explaining(step._replace(new=step.old), shown) == []


def test_noise_is_no_change(tmp_path: Path) -> None:
    shown = evidence(tmp_path, measured("2.12.0", 3), measured("2.13.0", 9))
    index = str(render(shown)["history/index.md"])
    assert "1 unchanged" in index and "No change" in index
    assert not [one for one in entries(shown).values() if "slower" in (one.findtext(f"{ATOM}title") or "")]


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    files = render(evidence(tmp_path))
    assert "Nothing has been measured yet" in str(files["history/index.md"])
    assert "Nothing has been measured yet" in str(files["editions/index.md"])
    assert not [name for name in files if name.startswith("history/") and name != "history/index.md"]


def test_one_result_is_listed_as_measured_once(tmp_path: Path) -> None:
    shown = evidence(tmp_path, measured("2.12.0", 3))
    files = render(shown)
    assert "Measured once so far" in str(files["history/torch/convstack.md"])
    (one,) = [one for one in shown.dataset.results if one.contender == TORCH]
    assert "history/torch" not in result.page(one, shown).content


def test_words_of_strangers_stay_words(tmp_path: Path) -> None:
    shown = evidence(
        tmp_path, measured("2.12.0", 3), crashed(measured("2.13.0", 9)), hostile(measured("2.14.0", 12))
    )
    files = render(shown)
    for name in ("history/index.md", "history/torch/convstack.md"):
        text = str(files[name])
        assert "alert(1)" in text and "<script" not in text and "\x1b" not in text
    assert "\x1b" not in "".join(one.findtext(f"{ATOM}summary") or "" for one in entries(shown).values())


@pytest.mark.parametrize("address", [None, "https://example.org/below/"])
def test_the_feed_has_changes_under_ids_that_stay(tmp_path: Path, address: str | None) -> None:
    first = evidence(tmp_path, measured("2.12.0", 3), measured("2.13.0", 9, 1.1), site_url=address)
    before = entries(first)
    (change,) = [name for name, one in before.items() if "slower" in (one.findtext(f"{ATOM}title") or "")]
    entry = before[change]
    assert "2.13.0" in (entry.findtext(f"{ATOM}title") or "") and "2.12.0" in (
        entry.findtext(f"{ATOM}title") or ""
    )
    assert (entry.findtext(f"{ATOM}updated") or "").startswith("2026-11-09")
    link = entry.find(f"{ATOM}link")
    assert link is not None and (link.get("href") or "").startswith(
        f"{address or ''}history/torch/convstack/#"
    )
    later = entries(evidence(tmp_path, crashed(measured("2.14.0", 12)), site_url=address))
    assert change in later and len({*later} - {*before}) == len(later) - len(before)
    assert [one for one in later.values() if "fails now" in (one.findtext(f"{ATOM}title") or "")]


def test_days_that_no_calendar_has_stop_no_page(tmp_path: Path) -> None:
    odd = [
        msgspec.structs.replace(one, started_utc=f"2026-19-39{one.started_utc[10:]}")
        for one in measured("2.13.0", 9, 1.1)
    ]
    assert "slower" in str(render(evidence(tmp_path, measured("2.12.0", 3), odd))["history/index.md"])


def test_a_stack_that_is_gone_keeps_its_history(tmp_path: Path) -> None:
    gone = [
        msgspec.structs.replace(one, contender=msgspec.structs.replace(one.contender, stack="gone"))
        for one in measured("2.12.0", 3, contenders=[TORCH])
    ]
    text = str(render(evidence(tmp_path, gone))["history/gone/convstack.md"])
    assert "stacks/gone" not in text and "workloads/convstack/" in text


def test_an_edition_keeps_its_address_when_it_is_no_longer_the_newest(tmp_path: Path) -> None:
    old = measured("2.12.0", 3)
    (alone,) = dated(results(old))
    assert (
        alone.newest == alone.results
        and alone.workload == "convstack"
        and alone.hosts == ["epyc-2c-ab12cd34"]
    )
    assert not any(one.contender.twin for one in alone.results)
    new = measured("2.12.0", 9, protocol=Protocol(name="cpu", measure_blocks=7))
    newest, closed = dated(results([*old, *new]))
    assert (closed.id, closed.newest, newest.newest) == (alone.id, [], newest.results)
    assert newest.id != alone.id
    assert (closed.first_utc[:10], newest.last_utc[:10]) == ("2026-11-03", "2026-11-09")
    files = render(evidence(tmp_path, old, new))
    for one in (closed, newest):
        text = str(files[f"editions/{one.id}.md"])
        assert all(f"results/{result.id}/" in text for result in one.results)
        assert f'href="{one.id}/"' in str(files["editions/index.md"])
    assert ">closed<" in str(files[f"editions/{closed.id}.md"])
    assert ">the newest<" in str(files[f"editions/{newest.id}.md"])


def test_each_workload_has_editions_of_its_own() -> None:
    other = measured("2.12.0", 3, cases=[MLP_CASE], workload_config_sha256=sha("one form"))
    found = dated(results([*measured("2.12.0", 4, workload_config_sha256=sha("one form")), *other]))
    assert sorted(one.workload for one in found) == ["convstack", "mlp"]
    assert len({one.id for one in found}) == 2 and dated([]) == []
