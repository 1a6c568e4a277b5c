"""The shell of the result pages: what MkDocs renders once holds every result, whatever a result is called."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.errors import UserError, visible
from framebench.pages import build_site, shell
from framebench.pages.shell import ResultPage
from framebench.records import store
from tests.record_factory import CONTENDERS, make_trials

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "https://example.org/below/"
RENDERED = """<title>fb-slot-title - x</title><meta content="fb-slot-description">
   <ul><li class="item">
     <a href="#fb-slot-anchor">fb-slot-name</a></li></ul>
<article><h1 id="result">fb-slot-content</h1>
<h2 id="fb-slot-anchor">fb-slot-name</h2></article><a href="../fb-slot-id/">here</a>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two results, at an address that is known."""
    folder = tmp_path_factory.mktemp("shell")
    for record in make_trials(contenders=CONTENDERS[:2], kinds=("parity", "timing"), rounds=1):
        store.write(record, folder / "results")
    build_site(ROOT, [folder / "results"], folder / "build" / "site", site_url=ADDRESS)
    return folder / "build" / "site"


def test_the_sitemap_names_every_result_and_not_the_shell(site: Path) -> None:
    sitemap = ET.fromstring((site / "sitemap.xml").read_text())
    named = [element.text or "" for element in sitemap.iter() if element.tag.endswith("loc")]
    results = {path.name for path in (site / "results").iterdir()}
    assert len(results) == 2
    assert {
        one.removeprefix(f"{ADDRESS}results/").strip("/") for one in named if "/results/" in one
    } == results
    assert len(named) == len(set(named))


def test_a_results_page_says_its_own_address_title_and_description(site: Path) -> None:
    for path in (site / "results").iterdir():
        text = (path / "index.html").read_text()
        assert f'<link rel="canonical" href="{ADDRESS}results/{path.name}/">' in text
        assert f'<meta property="og:url" content="{ADDRESS}results/{path.name}/">' in text
        (title,) = re.findall("<title>(.*?)</title>", text)
        assert path.name in title and f'og:title" content="{title.removesuffix(" - framebench")}"' in text
        (told,) = re.findall('<meta name="description" content="(.*?)">', text)
        assert "images/s (preset cpu" in told and f'og:description" content="{told}"' in text


def test_its_table_of_contents_leads_to_its_headings(site: Path) -> None:
    for path in (site / "results").iterdir():
        text = (path / "index.html").read_text()
        contents = text[text.index('data-md-component="toc"') : text.index("<article")]
        headings = re.findall('<h2 id="([^"]+)">', text)
        assert re.findall('href="#([^"]+)"', contents) == headings and len(headings) > 5
        assert len(set(re.findall(' id="([^"]+)"', text))) == len(re.findall(' id="[^"]+"', text))


def test_nothing_of_the_shell_is_left(site: Path) -> None:
    for path in filter(Path.is_file, site.rglob("*")):
        assert "fb-slot" not in path.as_posix() and b"fb-slot" not in path.read_bytes(), path


@settings(deadline=None)
@given(st.text(), st.text(), st.text(alphabet="<>&\"'fb-slot-title content"))
def test_no_word_of_a_result_leaves_its_slot(title: str, description: str, content: str) -> None:
    page = ResultPage("abc", title, description, f"<p>{html.escape(content)}</p>")
    text = shell.parse(RENDERED, "x.html").fill(page)
    start, middle = text.index("<title>") + len("<title>"), text.index(' - x</title><meta content="')
    assert html.unescape(text[start:middle]) == visible(title)
    told = text[middle + len(' - x</title><meta content="') : text.index('"><ul>')]
    assert html.unescape(told) == visible(description)
    assert "<" not in text[start:middle] and '"' not in told
    assert f"<article><p>{html.escape(content)}</p></article>" in text and 'href="../abc/"' in text


@pytest.mark.parametrize("lost", ["fb-slot-anchor", "<h1"])
def test_a_theme_without_a_place_for_a_result_is_refused(lost: str) -> None:
    with pytest.raises(UserError, match=r"x\.html: .*mkdocs\.yml"):
        shell.parse(RENDERED.replace(lost, ""), "x.html")
