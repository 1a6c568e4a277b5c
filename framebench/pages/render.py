"""From templates to text: one strict Jinja environment, and filters that keep HTML whole inside Markdown."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from framebench import language
from framebench.errors import visible
from framebench.language import ENGLISH, Language, locale
from framebench.pages import figures, set_in, words
from framebench.pages.views import Cell, Fact, Table

FIGURE, REASON = "fb-num", "fb-reason"
NUMBER = f' class="{FIGURE}"'
COLUMNS = 10  # that the style sheet can name one by one
REMEMBERED = 100_000  # cells and facts: results have most of them in common


@functools.cache
def environment(templates: Path, spoken: Language = ENGLISH) -> jinja2.Environment:
    """The environment of ``site/templates``: a missing name is an error, every value is escaped.

    A template that is prose from end to end may have its translation as a whole in ``site/locale/…/templates``.
    """
    translated = locale(templates.parent.parent, spoken) / "templates"
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates)
        if spoken == ENGLISH
        else _WithAnchors([translated, templates]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # a build is one moment
    )
    env.globals.update(_=language._, language=spoken, figures=figures, words=words)
    env.filters.update(
        html=one_block,
        set_in=block_set_in,
        pre=preformatted,
        fenced=fenced,
        printed=printed,
        yaml=as_yaml,
        docstring=as_prose,
    )
    env.filters.update(prose=with_code, table=table, facts=fact_list, cell=within_cell)
    return env


@functools.cache
def html_environment(templates: Path, spoken: Language = ENGLISH) -> jinja2.Environment:
    """The same for pages that never are Markdown: HTML needs no shelter there."""
    env = environment(templates, spoken).overlay()
    env.filters = env.filters | {"html": Markup, "set_in": Markup}
    return env


def page(templates: Path, template: str, /, **values: Any) -> str:
    """The text of one page from its template and its view model."""
    spoken = language.spoken()
    chosen = html_environment if template.endswith(".html.j2") else environment
    text = chosen(templates, spoken).get_template(template).render(**values)
    if spoken != ENGLISH:
        text = _TIGHT.sub("", text)
        if template.endswith(".md.j2"):
            text = _told_apart(text)
    return text


# Chinese has no space between sentences or beside its own punctuation, where templates and joined sentences put one;
# what Markdown needs stays: the space before a brace, after a list's sign, around a table's bar. The space stands first
# here because `re` finds it ten times faster than what is beside it.
_TIGHT = re.compile(
    r" (?:(?<=[\u3000-\u303f\uff01-\uffee] )(?=[^\s{|])"
    r"|(?<=[\u4e00-\u9fff] )(?=[\u3000-\u9fff\uff01-\uffee])"
    r"|(?<=[\w)\]`] )(?=[\u3000-\u303f\uff01-\uffee]))"
)


class _WithAnchors(jinja2.FileSystemLoader):
    """Templates whose headings have the anchors that they have in English: links hold in every language."""

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        text, name, is_current = super().get_source(environment, template)
        return _SAID_HEADING.sub(_with_anchor, text), name, is_current


_SAID_HEADING = re.compile(r'^#{1,6} \{\{ _\("(?P<text>[^"]+)"\) \}\}$', re.M)
_ANCHOR = re.compile(r"\{: #([\w-]+) \}$", re.M)


def _with_anchor(heading: re.Match[str]) -> str:
    from markdown.extensions.toc import slugify  # a pack, which says the same words, has no Markdown

    return f"{heading[0]} {{{{ '{{: #{slugify(heading['text'], '-')} }}' }}}}"


def _told_apart(markdown: str) -> str:
    """Anchors that stand twice on a page, numbered as Python-Markdown numbers its own."""
    from markdown.extensions.toc import unique

    taken: set[str] = set()
    return _ANCHOR.sub(lambda anchor: f"{{: #{unique(anchor[1], taken)} }}", markdown)


def _shown(value: Any) -> Any:
    """What a template prints: characters that steer, in names of others, are written out."""
    return visible(value) if isinstance(value, str) else value


def one_block(text: str) -> Markup:
    """HTML as one block that Python-Markdown leaves alone: no indentation and no empty line inside."""
    lines = (line.strip() for line in str(text).splitlines())
    return Markup("\n" + "\n".join(line for line in lines if line) + "\n")


def block_set_in(text: str) -> Markup:
    """HTML as one block that MkDocs never sees: see ``set_in``."""
    return Markup("\n" + set_in.marked(str(one_block(text)).strip()) + "\n")


def preformatted(text: str) -> Markup:
    """Text for a ``<pre>`` inside such a block: its line ends and leading spaces survive."""
    return Markup(str(escape(text)).replace("\n", "&#10;").replace(" ", "&#32;"))


def fenced(code: str, language: str, indent: int = 0) -> Markup:
    """A fenced code block whose fence is longer than any run of backticks in the code."""
    fence = "```"
    while fence in code:
        fence += "`"
    lines = [f"{fence}{language}", *code.rstrip("\n").split("\n"), fence]
    return Markup("\n".join((" " * indent + line).rstrip() for line in lines))


def printed(code: str, language: str) -> Markup:
    """A file as a block of code that is set in: coloured here, once for all pages and languages that have it."""
    return Markup(set_in.marked(_coloured(code, language)))


@functools.lru_cache(maxsize=512)
def _coloured(code: str, language: str) -> str:
    from pygments import highlight  # a pack, which says the same words, has no Pygments
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    text: str = highlight(
        code, get_lexer_by_name(language), HtmlFormatter(cssclass="highlight", wrapcode=True)
    )
    return text.rstrip()


def as_prose(text: str) -> Markup:
    """A docstring as Markdown: its doubled backticks are code, everything else stands for itself."""
    parts = text.split("``")
    prose = [f"`{part}`" if number % 2 else _plain(part) for number, part in enumerate(parts)]
    return Markup("".join(prose))


def _plain(text: str) -> str:
    """Text whose signs mean nothing to Markdown; code in single backticks stays code."""
    parts = text.split("`")
    signs = str.maketrans({sign: f"\\{sign}" for sign in "*_[]#"})
    whole = [
        str(escape(part)).translate(signs) if number % 2 == 0 else f"`{part}`"
        for number, part in enumerate(parts)
    ]
    return "".join(whole)


def with_code(text: str) -> Markup:
    """A sentence as HTML: what stands in backticks is code."""
    parts = [escape(visible(part)) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    )


def table(view: Table) -> Markup:
    """A table, each row's first cell a heading. Most of a site is cells: a template takes ten times as long.

    What all cells of a column are is said once, in the table's class: plain figures (all columns, or the second and the
    fifth), headings that may wrap.
    """
    rows: Sequence[Sequence[Cell]] = view.rows
    quoting = language.spoken() != ENGLISH  # an English page says of everything that it is English
    places = range(1, max(map(len, rows), default=0))
    plain = [place for place in places if all(row[place].css == FIGURE for row in rows if place < len(row))]
    if plain and len(plain) == len(places):
        named = [f"{FIGURE}s"]
    else:
        plain = [place for place in plain if place < COLUMNS]
        named = [f"fb-n{place + 1}" for place in plain]
    wrapped = bool(rows) and all(row[0].css == REASON for row in rows)
    if wrapped:
        named.append("fb-wrap")
    caption = f"<caption>{_escaped(view.caption)}</caption>" if view.caption else ""
    first = rows[0] if rows else [Cell("")] * len(view.head)
    figures_above = [place not in plain and FIGURE in cell.css for place, cell in enumerate(first)]
    heads = "".join(
        f'<th scope="col"{NUMBER if figure else ""}>{_escaped(word)}</th>'
        for word, figure in zip(view.head, figures_above, strict=False)
    )
    lines = [
        f'<table class="{" ".join(["fb-figures", *named])}">{caption}<thead><tr>{heads}</tr></thead>',
        "<tbody>",
    ]
    for head, *others in rows:
        cells = "".join([_cell(cell, place in plain, quoting) for place, cell in enumerate(others, 1)])
        lines.append(f'<tr><th scope="row"{_inside(head, "th", quoting, wrapped)}{cells}</tr>')
    return Markup("\n".join([*lines, "</tbody></table>"]))


def fact_list(facts: Sequence[Fact]) -> Markup:
    """The names and texts of a definition list."""
    foreign = language.spoken() != ENGLISH
    return Markup("\n".join(_fact(fact, foreign) for fact in facts))


@functools.lru_cache(maxsize=REMEMBERED)
def _fact(fact: Fact, foreign: bool) -> str:
    quoted = _escaped(fact.quoted)
    if quoted:
        quoted = f' <span lang="en">{quoted}</span>' if foreign else f" {quoted}"
    return f"<dt>{_escaped(fact.name)}</dt><dd>{_linked(fact, False)}{quoted}</dd>"


@functools.lru_cache(maxsize=REMEMBERED)
def _cell(cell: Cell, plain: bool, quoting: bool) -> str:
    return f"<td{_inside(cell, 'td', quoting, plain)}"


def _inside(cell: Cell, tag: str, quoting: bool, plain: bool) -> str:
    """What a cell's tag goes on with; ``plain``: its class is named once for all."""
    css = f' class="{_escaped(cell.css)}"' if cell.css and not plain else ""
    return f"{css}>{_shown_in(cell, quoting)}</{tag}>"


def within_cell(cell: Cell) -> Markup:
    """What a cell shows, outside a table too: the stack's dot, the text, its link."""
    return Markup(_shown_in(cell, cell.quoted))


def _shown_in(cell: Cell, quoting: bool) -> str:
    dot = f'<span class="fb-dot" data-stack="{_escaped(cell.stack)}"></span>' if cell.stack else ""
    return dot + _linked(cell, quoting and cell.quoted)


def _linked(shown: Cell | Fact, quoted: bool) -> str:
    text = _escaped(shown.text)
    if shown.code:
        text = f"<code>{text}</code>"
    elif quoted:
        text = f'<span lang="en">{text}</span>'
    return f'<a href="{_escaped(shown.href)}">{text}</a>' if shown.href else text


_TO_ESCAPE = re.compile("[^ !#-%(-;=?-~\u2009\u202f–…×÷·µ±\u3001-\u9fff\uff01-\uff5e]")
"""What may have to be escaped or written out; most texts have nothing of it."""


def _escaped(text: str) -> str:
    return str(escape(visible(text))) if _TO_ESCAPE.search(text) else text


def as_yaml(value: Any) -> Markup:
    """A value for a page's front matter: JSON is YAML, and nothing in it needs quoting by hand."""
    return Markup(json.dumps(_shown(value), ensure_ascii=False))
