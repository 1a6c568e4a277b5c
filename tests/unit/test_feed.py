"""What others read of the site: the Atom feed, llms.txt, robots.txt, and what a link to it looks like elsewhere."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import msgspec
import pytest

from framebench import dataset
from framebench.pages import build_site, feed
from framebench.pages.evidence import gather
from framebench.pages.render import page
from framebench.records import store
from harness.record import Record
from tests.record_factory import CASE, MLP_CASE, make_failed, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]
ATOM = "{http://www.w3.org/2005/Atom}"
ADDRESS = "https://example.org/below/"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    failed = make_failed(
        "oom", "killed & <gone>", started_utc="2026-11-29T01:02:03.456+00:00", trial_id="0" * 26
    )
    for record in [*make_trials(cases=[CASE, MLP_CASE], rounds=3), failed]:
        store.write(record, folder)
    return folder


@pytest.fixture(scope="module")
def sites(results: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Path]:
    """The site with and without its address."""
    built: dict[str | None, Path] = {}
    for address in (None, ADDRESS):
        built[address] = tmp_path_factory.mktemp("build") / "site"
        build_site(ROOT, [results], built[address], site_url=address)
    return built


@pytest.mark.parametrize("address", [None, ADDRESS])
def test_the_feed_is_what_rfc_4287_asks_for(address: str | None, sites: dict[str | None, Path]) -> None:
    root = ET.fromstring((sites[address] / "feed.xml").read_bytes())
    assert root.tag == f"{ATOM}feed"
    entries = root.findall(f"{ATOM}entry")
    assert entries and root.findtext(f"{ATOM}author/{ATOM}name")
    for node in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(node.findall(f"{ATOM}{name}")) == 1
        assert re.match(r"(https?|urn):", node.findtext(f"{ATOM}id") or "")
        stamp = node.findtext(f"{ATOM}updated") or ""
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp) and datetime.fromisoformat(stamp)
        relations = [link.get("rel") for link in node.findall(f"{ATOM}link")]
        assert relations.count("alternate") == 1 and relations.count("self") <= 1
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    stamps = [entry.findtext(f"{ATOM}updated") for entry in entries]
    assert stamps == sorted(stamps, reverse=True) and root.findtext(f"{ATOM}updated") == stamps[0]
    assert stamps[0] == "2026-11-29T01:02:03Z"


@pytest.mark.parametrize("address", [None, ADDRESS])
def test_its_links_lead_to_pages(address: str | None, sites: dict[str | None, Path]) -> None:
    site = sites[address]
    root = ET.fromstring((site / "feed.xml").read_bytes())
    for link in root.iter(f"{ATOM}link"):
        href = link.get("href") or ""
        assert address is None or href.startswith(address)
        target = urljoin(f"{ADDRESS}feed.xml", href).removeprefix(ADDRESS)
        assert (site / target).is_file() or (site / target / "index.html").is_file(), href


def test_an_entry_keeps_its_id_wherever_the_site_is(sites: dict[str | None, Path]) -> None:
    ids = [
        [
            node.text
            for node in ET.fromstring((site / "feed.xml").read_bytes()).iterfind(f"{ATOM}entry/{ATOM}id")
        ]
        for site in sites.values()
    ]
    assert ids[0] == ids[1]
    assert all(uuid.UUID((one or "").removeprefix("urn:uuid:")) for one in ids[0])


def test_the_newest_are_in_it_and_what_has_no_date_is_not(tmp_path: Path) -> None:
    def at(number: int, started: str) -> Record:
        case = msgspec.structs.replace(CASE, batch=number + 1)
        return make_failed("oom", "killed", case=case, started_utc=started, trial_id=trial_id(number))

    count = feed.NEWEST + 20
    for number in range(count):
        store.write(at(number, f"2026-11-{number % 28 + 1:02d}T{number % 24:02d}:00:00Z"), tmp_path)
    store.write(at(count, "2026-19-39T29:00:00Z"), tmp_path)
    evidence = gather(ROOT, dataset.load([tmp_path]))
    entries = feed.view(evidence)["entries"]
    stamps = [entry.updated for entry in entries]
    every = sorted(
        (one.started_utc for one in evidence.dataset.results if "-19-" not in one.started_utc), reverse=True
    )
    assert stamps == every[: feed.NEWEST]


def test_a_feed_of_nothing_is_a_feed() -> None:
    shown = feed.view(gather(ROOT, dataset.load([])))
    root = ET.fromstring(page(ROOT / "site" / "templates", "feed.xml.j2", **shown))
    assert root.findall(f"{ATOM}entry") == [] and root.findtext(f"{ATOM}updated")


@pytest.mark.parametrize("below", ["", "zh/"], ids=["English", "Chinese"])
@pytest.mark.parametrize("address", [None, ADDRESS])
def test_llms_txt_leads_to_what_it_names(
    address: str | None, below: str, sites: dict[str | None, Path]
) -> None:
    site = sites[address] / below
    address = address and address + below
    text = (site / "llms.txt").read_text()
    lines = text.splitlines()
    assert lines[0] == "# framebench" and lines[2].startswith("> ") and "&#" not in text
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .", text, re.MULTILINE)
    assert len(links) == sum(line.startswith("- ") for line in lines)
    for link in links:
        assert address is None or link.startswith(address)
        path, _, fragment = urljoin(ADDRESS + below, link).removeprefix(ADDRESS + below).partition("#")
        target = site / path if (site / path).is_file() else site / path / "index.html"
        assert not fragment or f'id="{fragment}"' in target.read_text(), link


def test_robots_may_come_and_find_the_sitemap(sites: dict[str | None, Path]) -> None:
    assert (sites[None] / "robots.txt").read_text().splitlines() == ["User-agent: *", "Disallow:"]
    assert (sites[ADDRESS] / "robots.txt").read_text().splitlines()[-2:] == [
        f"Sitemap: {ADDRESS}sitemap.xml",
        f"Sitemap: {ADDRESS}zh/sitemap.xml",
    ]
    assert (sites[ADDRESS] / "sitemap.xml").is_file()


class _Head(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.feeds: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "meta" and (name := found.get("property") or found.get("name")):
            self.meta[name] = found.get("content", "")
        if tag == "link" and found.get("type") == "application/atom+xml":
            self.feeds.append(found["href"])


def test_a_link_to_a_page_has_words_and_with_the_address_a_picture(sites: dict[str | None, Path]) -> None:
    for address, site in sites.items():
        for path in site.rglob("index.html"):
            place = ADDRESS + path.relative_to(site).as_posix().removesuffix("index.html")
            language = f"{ADDRESS}zh/" if place.startswith(f"{ADDRESS}zh/") else ADDRESS
            head = _Head(path.read_text())
            assert head.meta["og:title"] and head.meta["og:description"] == head.meta["description"], place
            assert [urljoin(place, one) for one in head.feeds] == [f"{language}feed.xml"]
            assert ("og:image" in head.meta) == ("og:url" in head.meta) == (address is not None)
            if address:
                assert head.meta["og:url"] == place
                picture = site / head.meta["og:image"].removeprefix(address)
                size = [int.from_bytes(picture.read_bytes()[at : at + 4], "big") for at in (16, 20)]
                assert size == [int(head.meta[f"og:image:{side}"]) for side in ("width", "height")]


def test_a_results_own_figure_describes_its_page(sites: dict[str | None, Path], results: Path) -> None:
    for one in dataset.load([results]).results:
        head = _Head((sites[None] / "results" / one.id / "index.html").read_text())
        assert one.host_id in head.meta["og:description"]
        assert one.status != "oom" or "killed & <gone>" in head.meta["og:description"]
