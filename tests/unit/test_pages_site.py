"""The whole site from synthetic records: links lead somewhere, nothing comes from outside, no fault hides."""

from __future__ import annotations

import gzip
import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import jinja2
import msgspec
import pytest

from framebench import dataset
from framebench.errors import UserError
from framebench.pages import build_site
from framebench.pages.evidence import gather
from framebench.pages.render import page
from framebench.pages.site import render
from framebench.pages.write import write_tree
from framebench.records import store
from harness.record import Contender
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_failed, make_reproduction, make_trials
from tests.unit.selftest_documents import selftest

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("parity", "memory", "cold-start", "timing")
LOADED = {".css", ".js", ".svg", ".png"}  # of what a page names; a feed and its neighbours are only named
BROKEN = Contender(stack="keras-torch", mode="compiled", variant="direct")
INFER = CASE.__class__(workload="convstack", preset="cpu", task="infer", batch=16, cores=2)


class Page(HTMLParser):
    """Links, resources, ids and text of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.ids: set[str] = set()
        self.svg_links = 0
        self._svg = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "svg":
            self._svg += 1
        if self._svg and not (found.get("href") or "data:").startswith("data:"):
            self.svg_links += 1
        if found.get("id"):
            self.ids.add(found["id"] or "")
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag in ("script", "img", "iframe", "source") and found.get("src"):
            self.resources.append(found["src"] or "")
        if tag == "link" and found.get("rel") != "canonical" and found.get("href"):
            self.resources.append(found["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg":
            self._svg -= 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    results = folder / "results"
    records = make_trials(cases=[CASE, INFER, MLP_CASE], kinds=KINDS, rounds=5)
    records += make_trials(contenders=CONTENDERS[:1], kinds=KINDS, seed=9, executor="venv")
    tail = ["<b>not markup</b>", "  indented | *line*"]
    failed = make_failed("crashed", "segmentation <fault> & more", contender=BROKEN, trial_id="0" * 26)
    outcome = failed.outcome.__class__(
        status="crashed", reason="segmentation <fault> & more", exit_code=139, stderr_tail=tail
    )
    records.append(make_failed("crashed", "", contender=BROKEN, trial_id="0" * 26, outcome=outcome))
    for record in records:
        store.write(record, results)
    (results / "torn.json").write_text('{"record_version": 1')
    first = dataset.load([results]).results[0]
    store.write_reproduction(make_reproduction(first.id), results)
    store.write_selftest(selftest(), results)
    store.write_selftest(selftest(host_id="only-tested-2c-0a0b0c", form="quick", planted=[]), results)
    build_site(ROOT, [results], folder / "build" / "site")
    return folder / "build" / "site"


def pages(site: Path) -> dict[str, Page]:
    return {
        path.relative_to(site).as_posix().removesuffix("index.html"): Page(path.read_text())
        for path in site.rglob("*.html")
        if path.name != "404.html"
    }


def words(text: str) -> str:
    """What a reader sees of a page: markup gone, entities read."""
    return html.unescape(re.sub("<[^>]+>", "", text))


def test_every_link_leads_somewhere(site: Path) -> None:
    found = pages(site)
    dead = []
    for name, one in found.items():
        for link in one.links:
            target = urlsplit(urljoin(f"http://here/{name}", link))
            if target.scheme != "http" or target.netloc != "here":
                continue
            path = unquote(target.path).lstrip("/")
            if path in found:
                if target.fragment and target.fragment not in found[path].ids | {"__tabbed"}:
                    dead.append(f"{name}: {link} (no such id)")
            elif not (site / path).is_file():
                dead.append(f"{name}: {link}")
    assert not dead, dead[:10]


def test_below_any_path_nothing_leaves_the_site(site: Path) -> None:
    for name, one in pages(site).items():
        for link in [*one.links, *one.resources]:
            target = urlsplit(urljoin(f"http://here/below/{name}", link))
            assert target.netloc != "here" or target.path.startswith("/below/"), f"{name}: {link}"
    missing = Page((site / "404.html").read_text())
    assert not missing.resources and not missing.links and not (site / "sitemap.xml").exists()


def test_where_the_address_is_known_what_needs_it_has_it(tmp_path: Path) -> None:
    out = tmp_path / "build" / "site"
    build_site(ROOT, [], out, site_url="https://example.org/framebench/")
    missing = Page((out / "404.html").read_text())
    here = [link for link in missing.resources if link.startswith("/")]
    assert here and all(link.startswith("/framebench/") for link in here)
    assert "<loc>https://example.org/framebench/method/</loc>" in (out / "sitemap.xml").read_text()


def test_nothing_is_loaded_from_outside(site: Path) -> None:
    for name, one in pages(site).items():
        assert not [address for address in one.resources if "//" in address], name
        assert one.svg_links == 0, name
    for sheet in site.rglob("assets/*.css"):
        assert "@import" not in sheet.read_text() and "url(http" not in sheet.read_text()


def test_pages_and_scripts_stay_small(site: Path) -> None:
    large = {
        p.parent.name: p.stat().st_size
        for p in site.glob("results/*/index.html")
        if p.stat().st_size > 40_000
    }
    assert not large
    own = [(site / "assets" / path.name).read_bytes() for path in (ROOT / "site" / "assets").glob("*.js")]
    assert sum(len(gzip.compress(script)) for script in own) <= 15_000


def test_a_first_view_is_light(site: Path) -> None:
    """Uncompressed, with all that the page names; the search, which Material makes ready behind it, is not in it.
    Whole sources and drawn pictures, which workloads and stacks show, are counted apart."""
    for name, one in pages(site).items():
        text = (site / name / "index.html").read_text()
        parts = {urljoin(name, resource).partition("?")[0] for resource in one.resources}
        loaded = sum((site / part).stat().st_size for part in parts if Path(part).suffix in LOADED)
        said = re.sub(r"<pre>.*?</pre>|data:image[^\"]*", "", text, flags=re.DOTALL)
        assert loaded + len(said.encode()) <= 400_000, name
        assert loaded + len(text.encode()) <= 1_200_000, name


def test_calibration_stands_on_its_results_page(site: Path) -> None:
    rows = json.loads((site / "data" / "results.json").read_text())
    timed = next(row["result_id"] for row in rows if row["status"] == "ok")
    text = words((site / "results" / timed / "index.html").read_text())
    assert "Did the machine change?" in text
    assert "298 µs" in text and "752 µs" in text and "−1.1 %" in text


def test_every_result_has_a_page_with_its_command_and_its_raw_records(site: Path) -> None:
    results = json.loads((site / "data" / "results.json").read_text())
    trials = json.loads((site / "data" / "trials.json").read_text())
    assert len(results) > 10
    for row in results:
        text = (site / "results" / row["result_id"] / "index.html").read_text()
        assert words(text).count(f"make reproduce RESULT={row['result_id']}") == 1
        own = [trial["trial_id"] for trial in trials if trial["result_id"] == row["result_id"]]
        assert own and all(f"records/{trial}.json" in text for trial in own)
        assert all((site / "records" / f"{trial}.json").is_file() for trial in own)


def test_raw_records_are_the_very_files(site: Path) -> None:
    originals = {p.name: p.read_bytes() for p in (site.parents[1] / "results").rglob("0*.json")}
    copies = {p.name: p.read_bytes() for p in (site / "records").iterdir()}
    assert copies.items() <= originals.items() and len(copies) > 50


def test_outside_a_container_is_said(site: Path) -> None:
    for row in json.loads((site / "data" / "results.json").read_text()):
        text = (site / "results" / row["result_id"] / "index.html").read_text()
        assert ("Measured outside a container" in text) == (row["executor"] == "venv")
    assert "Measured outside a container" in (site / "workloads" / "convstack" / "index.html").read_text()
    assert "Measured outside a container" in (site / "data" / "compare.json").read_text()


def test_a_failure_is_a_row_and_its_words_are_escaped(site: Path) -> None:
    compare = (site / "compare" / "index.html").read_text()
    assert "crashed: segmentation &lt;fault&gt; &amp; more" in compare
    rows = json.loads((site / "data" / "results.json").read_text())
    result = next(row["result_id"] for row in rows if row["status"] == "crashed")
    text = (site / "results" / result / "index.html").read_text()
    assert "<b>not" not in text and "&lt;fault&gt;" in text
    assert "<b>not markup</b>\n  indented | *line*" in words(text) and "exit code 139" in words(text)


def test_a_broken_file_is_shown_with_its_reason(site: Path) -> None:
    assert "1 record files could not be used" in (site / "index.html").read_text()
    text = (site / "problems" / "index.html").read_text()
    assert "torn.json" in text and "not a whole JSON document" in text


def test_a_reproduction_is_on_its_results_page(site: Path) -> None:
    first = dataset.load([site.parents[1] / "results"]).results[0]
    text = (site / "results" / first.id / "index.html").read_text()
    assert "reproduced" in text and "other-4c-0a0b0c, other hardware" in text
    assert "0.992" in text and "Nobody has reproduced" not in text


def test_unsupported_telemetry_has_its_reason_and_no_number(site: Path) -> None:
    row = json.loads((site / "data" / "results.json").read_text())[0]
    text = words((site / "results" / row["result_id"] / "index.html").read_text())
    telemetry = text[text.rindex("What this machine could not") : text.rindex("Settings, as read back")]
    assert "GPUsno NVIDIA library" in telemetry.replace("\n", "")
    assert " W" not in telemetry


def test_verdicts_of_another_baseline_are_not_given(site: Path) -> None:
    table = json.loads((site / "data" / "baselines.json").read_text())
    group = next(value for key, value in table.items() if "convstack-cpu-train" in key and "docker" in key)
    declared = {tuple(row[2:]) for row in group["torch-eager"].values()}
    assert ("faster", "faster") in declared
    assert {tuple(row[2:]) for row in group["torch-compiled"].values()} == {("", "not declared")}


def test_results_are_not_in_the_search_index(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    places = {entry["location"].split("/")[0] for entry in index["docs"]}
    assert "results" not in places and "method" in places


def test_an_empty_clone_builds_and_says_how_to_start(tmp_path: Path) -> None:
    report = build_site(ROOT, [tmp_path / "none"], tmp_path / "build" / "site")
    home = words((tmp_path / "build" / "site" / "index.html").read_text())
    assert report.trials == 0 and "Nothing has been measured here yet." in home and "make bench-all" in home


def test_rendering_is_pure_and_repeatable(site: Path) -> None:
    evidence = gather(ROOT, dataset.load([site.parents[1] / "results"]))
    one, other = render(evidence), render(evidence)
    assert {name: content for name, content in one.items() if name.endswith(".md")} == {
        name: content for name, content in other.items() if name.endswith(".md")
    }


def test_only_what_changed_is_written_and_stale_files_go(tmp_path: Path) -> None:
    assert write_tree(tmp_path, {"a/one.md": "1", "two.md": b"2"}) == 2
    before = (tmp_path / "two.md").stat().st_mtime_ns
    assert write_tree(tmp_path, {"two.md": "2", "three.md": "3"}) == 1
    assert (tmp_path / "two.md").stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["three.md", "two.md"]


def test_a_missing_value_is_an_error_and_not_a_gap(tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("{{ nobody.knows }}")
    with pytest.raises(jinja2.UndefinedError):
        page(tmp_path, "x.j2")


def test_a_dead_link_in_a_written_page_stops_the_build(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for name in ("site", "containers", "suites"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        if name != "site":
            (clone / name).symlink_to(ROOT / name)
    (clone / "harness").symlink_to(ROOT / "harness")
    for part in ("templates", "assets", "theme", "prices.toml"):
        (clone / "site").mkdir(exist_ok=True)
        (clone / "site" / part).symlink_to(ROOT / "site" / part)
    docs = clone / "site" / "docs"
    shutil.copytree(ROOT / "site" / "docs", docs)
    (docs / "licence.md").write_text("# Licences\n\n[gone](nowhere.md)\n")
    (clone / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text())
    with pytest.raises(UserError, match=r"nowhere\.md"):
        build_site(clone, [], tmp_path / "build" / "site")


def test_an_image_that_left_the_matrix_keeps_its_page(tmp_path: Path) -> None:
    record = make_trials(contenders=CONTENDERS[:1], rounds=1)[0]
    image = msgspec.structs.replace(record.image, name="torch-1.0.0-cpu-py311")
    store.write(msgspec.structs.replace(record, image=image), tmp_path)
    files = render(gather(ROOT, dataset.load([tmp_path])))
    text = str(files["images/torch-1.0.0-cpu-py311.md"])
    assert "no longer" in text and image.config_digest is not None and image.config_digest in text
    assert "framebench build" not in text


def test_self_tests_are_on_the_method_page_and_on_their_hosts_pages(site: Path) -> None:
    method = (site / "method" / "index.html").read_text()
    assert "1 of 100" in method and 'href="../hosts/only-tested-2c-0a0b0c/"' in method
    tested = (site / "hosts" / "epyc-2c-ab12cd34" / "index.html").read_text()
    assert "19 of 20" in tested and "observer effect" in tested and ">fail<" in tested
    only = (site / "hosts" / "only-tested-2c-0a0b0c" / "index.html").read_text()
    assert "Self-test" in only and "Planted slow-down" not in only
    assert "Results on this host" not in only
