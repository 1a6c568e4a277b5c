"""A table is what its cells say, and no cell says more than its words."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.errors import visible
from framebench.pages.render import COLUMNS, fact_list, table, with_code
from framebench.pages.views import Cell, Fact, Table

CELLS = st.builds(
    Cell,
    st.text(),
    st.sampled_from(["", "fb-num", "fb-yes"]),
    st.none() | st.text(min_size=1),
    st.booleans(),
    st.none() | st.text(min_size=1),
)


class _Seen(HTMLParser):
    """The tags of a fragment with their attributes, and the text of each cell."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("th", "td", "dt", "dd"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=3))
def test_every_cell_stands_in_its_place_whatever_it_says(rows: list[list[Cell]]) -> None:
    seen = _Seen(str(table(Table([], rows))))
    cells = [cell for row in rows for cell in row]
    assert [text.strip() for text in seen.texts] == [visible(cell.text).strip() for cell in cells]
    assert [one["href"] for tag, one in seen.tags if tag == "a"] == [
        visible(cell.href) for cell in cells if cell.href
    ]
    assert [tag for tag, _ in seen.tags if tag in ("th", "td")] == [
        "td" if place else "th" for row in rows for place, _ in enumerate(row)
    ]
    assert {tag for tag, _ in seen.tags} <= {"table", "thead", "tbody", "tr", "th", "td", "a", "code", "span"}


def test_columns_of_figures_say_so_once_and_a_mixed_one_in_each_cell() -> None:
    number, word = Cell("1", "fb-num"), Cell("pass", "fb-yes")
    assert str(table(Table([], [[Cell("a"), number, number]]))).count("fb-num") == 1
    mixed = str(table(Table([], [[Cell("a"), number, word], [Cell("b"), number, number]])))
    assert '<table class="fb-figures fb-n2">' in mixed and '<td>1</td><td class="fb-yes">pass</td>' in mixed
    assert '<td>1</td><td class="fb-num">1</td>' in mixed


def test_every_column_that_can_be_named_has_its_style() -> None:
    sheet = (Path(__file__).resolve().parents[2] / "site" / "assets" / "framebench.css").read_text()
    for number in range(2, COLUMNS + 1):
        assert f".fb-n{number} tr > :nth-child({number})" in sheet


@settings(deadline=None)
@given(st.text(), st.text(), st.booleans())
def test_a_fact_is_its_name_and_its_text(name: str, text: str, code: bool) -> None:
    seen = _Seen(str(fact_list([Fact(name, text, code)])))
    assert seen.texts == [visible(name), visible(text)]


@settings(deadline=None)
@given(st.text())
def test_a_sentence_with_code_loses_nothing_but_its_backticks(text: str) -> None:
    markup = str(with_code(text))
    plain = html.unescape(markup.replace("<code>", "").replace("</code>", ""))
    assert plain == visible(text).replace("`", "")
    assert str(with_code("a `b<` c")) == "a <code>b&lt;</code> c"
