"""Tables and drawings are set into pages after MkDocs: where they were, and nothing of how that is done is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from framebench.pages import set_in
from framebench.pages.render import block_set_in

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HTML = TEXT.map(lambda text: f"<table><tr><td>{text.replace('<', '&lt;')}</td></tr></table>")


@given(st.lists(st.tuples(TEXT, HTML), max_size=5), TEXT)
def test_every_part_comes_back_where_it_was(pairs: list[tuple[str, str]], end: str) -> None:
    page = "".join(before + set_in.marked(html) for before, html in pairs) + end
    text, parts = set_in.parted(page)
    assert parts == [html for _before, html in pairs]
    assert set_in.whole(text, parts) == "".join(before + html for before, html in pairs) + end


def test_what_is_inside_another_goes_with_it() -> None:
    inner = block_set_in("<table>\n\n  <tr></tr>\n</table>")
    text, parts = set_in.parted(f"# Page\n{block_set_in(f'<div>{inner}</div>')}\nEnd\n")
    assert text == '# Page\n\n<div data-set-in="0"></div>\n\nEnd\n'
    (part,) = parts
    assert part.replace("\n", "") == "<div><table><tr></tr></table></div>"


def test_a_part_that_looks_like_a_place_stays_what_it_is() -> None:
    text, parts = set_in.parted(set_in.marked('<p><div data-set-in="0"></div></p>'))
    assert set_in.whole(text, parts) == '<p><div data-set-in="0"></div></p>'
