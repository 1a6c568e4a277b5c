"""Text of a stranger in what others open: it stays text, in one cell, one element, one file."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import markdown
import msgspec
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mkdocs.config import load_config

from framebench import dataset
from framebench.dataset.file_formats import table
from framebench.errors import UserError, visible
from framebench.pages import badge, feed, result
from framebench.pages.depends import Dependencies
from framebench.pages.evidence import Evidence, gather
from framebench.pages.of_results import beside
from framebench.pages.render import page
from framebench.pages.site import render
from framebench.pages.write import Keyed
from framebench.records import store
from harness.record import Record
from tests.record_factory import CONTENDERS, make_failed, make_trials

# what msgspec reads from JSON has no lone surrogates
ATOM = "{http://www.w3.org/2005/Atom}"
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
STEERING = "\x00\x1b\x07\x9b\u202e\u2066\u2028\uffff"


@settings(deadline=None)
@given(HOSTILE, st.integers(-9, 9))
@example("=cmd|' /C calc'!A0", -1)
@example("\t=1+1", 0)
@example('a,b\n"c"\r\n=2', 0)
@example("../../x\x00\x1b[2J\u202e", 0)
@example("＝1", 0)
def test_a_text_is_one_cell_that_no_spreadsheet_computes(text: str, number: int) -> None:
    frame = table([{"reason": text, "figure": number}])
    rows = list(csv.reader(io.StringIO(dataset.to_csv(frame).decode(), newline=""), strict=True))
    assert len(rows) == 2 and rows[1][1] == str(number)
    cell = rows[1][0]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert not set(cell) & {*STEERING, "\r"}
    assert cell.removeprefix("'") == visible(text).removeprefix("'")
    assert json.loads(dataset.to_json(frame)) == [{"reason": text, "figure": number}]
    assert pd.read_parquet(io.BytesIO(dataset.to_parquet(frame)))["reason"].tolist() == [text]


WORDS = {
    "what steers": "../../x <script>alert(1)</script> [x](javascript:alert(1)) ![y](http://evil.example/z.png) "
    "]]> -->\n\n# heading\n\n---\n\n</pre></svg> \x00\x1b[2J\u202e\u2066\x02wzxhzdk:0\x03 {{ 7 * 7 }} &amp;",
    "10 kB": "ä" * 10_000,
}
KEPT = {  # what decides where a record lies, or whether two belong together
    *(
        "trial_id",
        "campaign_id",
        "started_utc",
        "host_id",
        "executor",
        "kind",
        "written_by",
        "status",
        "sidecar",
    ),
    *("case", "contender", "name", "harness_tree_sha256", "work_hash", "protocol_hash", "git_commit"),
}


def spoiled(record: Record, words: str) -> Record:
    """The record with ``words`` in every field that takes any text."""
    document = msgspec.to_builtins(record)
    _spoil(document, words, document)
    return msgspec.convert(document, Record)


def _spoil(node: Any, words: str, whole: dict[str, Any]) -> None:
    places = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(places):
        if key in KEPT:
            continue
        if isinstance(value, dict | list):
            _spoil(value, words, whole)
        elif isinstance(value, str):
            node[key] = words
            try:
                msgspec.convert(whole, Record)
            except msgspec.ValidationError:  # a pattern, or one of several words
                node[key] = value


def evidence_of(records: list[Record], folder: Path) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


@pytest.fixture(scope="module", params=WORDS)
def spoiled_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    words = WORDS[request.param]
    failed = make_failed("crashed", words, contender=CONTENDERS[1], trial_id="0" * 26)
    records = [
        *make_trials(contenders=CONTENDERS[:1], kinds=("parity", "memory", "timing"), rounds=2),
        failed,
    ]
    evidence = evidence_of([spoiled(one, words) for one in records], tmp_path_factory.mktemp("results"))
    assert not evidence.dataset.broken and len(evidence.dataset.records) == len(records)
    contents = {
        f"results/{one.id}.html": result.page(one, evidence).content for one in evidence.dataset.results
    }
    made = render(evidence) | beside(evidence, Dependencies(evidence)) | contents
    return {name: one.make() if isinstance(one, Keyed) else one for name, one in made.items()}


def test_no_page_obeys_the_words_of_a_record(spoiled_site: dict[str, Any]) -> None:
    config = load_config(
        str(ROOT / "mkdocs.yml"), docs_dir=str(ROOT / "site")
    )  # build/docs may not be there yet
    as_html = markdown.Markdown(
        extensions=config["markdown_extensions"], extension_configs=config["mdx_configs"]
    )
    for name, content in spoiled_site.items():
        assert not name.startswith("/") and ".." not in name.split("/"), name
        if not isinstance(content, str):
            continue
        assert not set(content) & {*STEERING, "\x02"}, name
        if name.endswith((".md", ".html")):
            source = re.sub(r"\A---\n.*?\n---\n", "", content, flags=re.DOTALL)
            shown = content if name.endswith(".html") else as_html.reset().convert(source)
            assert "<script" not in shown and "</pre></svg>" not in shown, name
            assert 'href="javascript:' not in shown and 'src="http://evil' not in shown, name
            assert not re.search("<h1[^>]*>heading", shown), name


def test_what_is_xml_parses(spoiled_site: dict[str, Any]) -> None:
    drawn = {name: text for name, text in spoiled_site.items() if name.endswith((".svg", ".xml"))}
    assert len([name for name in drawn if name.startswith("badges/")]) == 2
    for content in drawn.values():
        if isinstance(content, str):
            ET.fromstring(content)


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
@example("<a>&\"'", "\x00\x0b]]>")
def test_a_badge_is_one_drawing_whatever_it_says(label: str, message: str) -> None:
    evidence = Evidence(ROOT, dataset.load([]), [])
    drawn = ET.fromstring(badge.drawn(badge.Badge(label, message, label, badge.OTHER), evidence))
    texts = [node.text or "" for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert [one.strip() for one in texts] == [visible(label).strip(), visible(message).strip()]


@settings(deadline=None)
@given(st.lists(st.tuples(HOSTILE, HOSTILE), max_size=3))
@example([("<a>&\"']]>", "\x00\x0b")])
def test_a_feed_keeps_its_shape_whatever_results_are_called(words: list[tuple[str, str]]) -> None:
    shown = feed.view(Evidence(ROOT, dataset.load([]), []))
    shown["entries"] = [
        feed.Entry("urn:x:1", title, "2026-11-29T00:00:00Z", "results/a/", summary)
        for title, summary in words
    ]
    text = page(ROOT / "site" / "templates", "feed.xml.j2", **shown)
    told = [
        tuple((entry.findtext(f"{ATOM}{part}") or "") for part in ("title", "summary"))
        for entry in ET.fromstring(text).iter(f"{ATOM}entry")
    ]
    assert told == [(visible(title), visible(summary)) for title, summary in words]


def test_an_image_is_named_like_a_folder_though_none_is_named_for_it(tmp_path: Path) -> None:
    record = make_trials(rounds=1, executor="system")[-1]
    document = msgspec.to_builtins(record)
    document["image"]["name"] = "x</title><script>"
    with pytest.raises(UserError, match=r"image\.name"):
        store.write(msgspec.convert(document, Record), tmp_path)


def test_a_command_to_copy_is_one_command() -> None:
    record = make_trials(rounds=1)[-1]
    build = {"distribution": "x", "version": "1", "file": "a.whl; rm -rf ~", "sha256": "0" * 64}
    document = msgspec.to_builtins(record)
    document["image"]["own_builds"] = [build]
    document["protocol"]["name"] = "$(reboot)"
    (one,) = dataset.results([msgspec.convert(document, Record)])
    words = shlex.split(result.reproduce(one))
    assert (
        words[:5] == ["framebench", "run", "--suite", "$(reboot)", "--executor"]
        and "a.whl; rm -rf ~" in words
    )
