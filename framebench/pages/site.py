"""The site: dataset → pages → build/docs → MkDocs → build/mkdocs, and with the results' pages → build/site."""

from __future__ import annotations

import functools
import gzip
import http.server
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from framebench import dataset
from framebench.dataset import Result
from framebench.errors import UserError
from framebench.images import load_matrix
from framebench.language import ENGLISH, LANGUAGES, Language, locale, speaking, spoken
from framebench.pages import (
    badge,
    compare,
    compare_data,
    data,
    editions,
    feed,
    gate,
    gpus,
    guides,
    history,
    home,
    host,
    image,
    llms,
    over_time,
    reliability,
    result,
    selftest,
    serving,
    shell,
    source,
    stack,
    workload,
)
from framebench.pages.evidence import Evidence, gather, record_file, sidecar_file
from framebench.pages.publisher import PROJECT, Publisher
from framebench.pages.render import page
from framebench.pages.write import Content, tree, write_tree
from framebench.records import store

BASELINES = "data/baselines.json"
FIGURES = "data/compare.json"


class SiteReport(NamedTuple):
    """What was built, for the command line."""

    folder: Path
    results: int
    trials: int
    pages: int
    written: int
    broken: list[str]

    def describe(self) -> str:
        """One paragraph: how much, where, and what was skipped."""
        lines = [
            f"{self.results} results from {self.trials} trials: {self.pages} pages "
            f"({self.written} files changed) in {self.folder}"
        ]
        if self.broken:
            lines.append(f"{len(self.broken)} record files could not be used; the site lists them:")
            lines += [f"  {line}" for line in self.broken]
        return "\n".join(lines)


def build_site(
    root: Path,
    results_dirs: Sequence[Path],
    out: Path,
    strict: bool = True,
    site_url: str | None = None,
    publisher: Publisher = PROJECT,
) -> SiteReport:
    """Render the records below ``results_dirs`` into the folder ``out``, by way of ``docs`` and ``mkdocs`` beside it:
    in English, and in each other language below a folder of its own (``zh``, by way of ``docs-zh`` and ``mkdocs-zh``).

    A folder that does not exist holds no records. Every page works below any address; ``site_url``, where it is known,
    is for what needs the whole one: the page of a missing page, the sitemap, lines to copy. The signers and waivers
    that count are the project's, or those in the first folder of another ``publisher``. ``UserError`` when MkDocs
    finds a fault (``strict``: any warning is one).
    """
    folders = [folder for folder in results_dirs if folder.exists()]
    published = root / "results" if publisher == PROJECT else results_dirs[0]
    data = dataset.load(folders, published=published, retired=load_matrix(root).retired())
    pages = 0
    files: dict[str, Content] = {}
    for language in LANGUAGES:
        address = site_url and site_url + language.folder
        docs, rendered = out.parent / _of(language, "docs"), out.parent / _of(language, "mkdocs")
        with speaking(language, root):
            evidence = gather(root, data, address, publisher)
            everything = render(evidence)
            tables = {name: content for name, content in everything.items() if isinstance(content, bytes)}
            sources = {name: content for name, content in everything.items() if name not in tables}
            write_tree(docs, sources)  # the tables are no pages, and most of the bytes
            configuration = root / _of(language, "mkdocs", ".yml")
            _mkdocs(configuration, docs, rendered, strict, address, publisher.settings)
            made = {**_lean(tree(rendered)), **tables, **result_pages(evidence, rendered)}
        if site_url is None:
            _without_an_address(made)
        del made[shell.RENDERED]
        if language == ENGLISH:  # there once for all languages
            made |= beside(evidence)
        pages += sum(name.endswith("index.html") for name in made)
        files |= {language.folder + name: content for name, content in made.items()}
    if site_url is None:
        files["404.html"] = root / "site" / "missing.html"
    written = write_tree(out, files)
    return SiteReport(
        folder=out,
        results=len(data.results),
        trials=len(data.records),
        pages=pages,
        written=written,
        broken=[str(fault) for fault in data.broken],
    )


def render(evidence: Evidence) -> dict[str, Content]:
    """Every file but those of results, in the language that is spoken: relative path → text of a page's source, bytes
    of a table, or a file to copy. Downloads are in English, whoever reads the page beside them."""
    root = evidence.root
    text = functools.partial(page, root / "site" / "templates")
    with speaking(ENGLISH, root):
        downloads = data.files(evidence)
    explained = {name: view(evidence) for name, view in guides.GUIDES.items()}
    files: dict[str, Content] = {
        "index.md": text("home.md.j2", **home.view(evidence)),
        "compare.md": text("compare.md.j2", **compare.view(evidence)),
        "data.md": text("data.md.j2", licence=evidence.publisher.licence, **data.view(downloads)),
        "data/dictionary.md": text("dictionary.md.j2", **data.dictionary()),
        "gpus.md": text("gpus.md.j2", **gpus.view()),
        "licence.md": text("licence.md.j2", licence=evidence.publisher.licence),
        "method.md": text("method.md.j2", selftests=selftest.summary(evidence, "../")),
        "reliability.md": text("reliability.md.j2", **reliability.view(evidence)),
        "serving.md": text("serving.md.j2", **serving.view(evidence)),
        "problems.md": text("problems.md.j2", **data.problems(evidence)),
        "workloads/index.md": text("index.md.j2", **workload.index(evidence)),
        "stacks/index.md": text("index.md.j2", **stack.index(evidence)),
        "images/index.md": text("index.md.j2", **image.index(evidence)),
        "history/index.md": text("history.md.j2", **history.index(evidence)),
        "editions/index.md": text("index.md.j2", **editions.index(evidence)),
        "hosts/index.md": text("index.md.j2", **host.index(evidence)),
        "guides/index.md": text("index.md.j2", **guides.index(explained)),
        feed.NAME: text("feed.xml.j2", **feed.view(evidence)),
        "llms.txt": text("llms.txt.j2", **llms.view(evidence)),
        "assets/stacks.css": stack.colours(),
        BASELINES: compare.baselines_json(evidence),
        FIGURES: compare_data.compare_json(evidence),
        **downloads,
        shell.SOURCE: shell.MARKDOWN,
    }
    for (name, work), told in history.pages(evidence).items():
        shown = history.view(name, work, told, evidence)
        files[f"history/{name}/{work}.md"] = text("contender_history.md.j2", **shown)
    for edition in evidence.dataset.editions:
        files[f"editions/{edition.id}.md"] = text("edition.md.j2", **editions.view(edition))
    if spoken() == ENGLISH:  # the one at the site's root counts
        files["robots.txt"] = text("robots.txt.j2", site_url=evidence.site_url, languages=LANGUAGES)
    for name in workload.names():
        files[f"workloads/{name}.md"] = text("workload.md.j2", **workload.view(name, evidence))
        files.update(source.copies(root, [*workload.files(root, name), *gate.catalogue(root, name)]))
    for name in stack.names():
        files[f"stacks/{name}.md"] = text("stack.md.j2", **stack.view(name, evidence))
        files.update(source.copies(root, stack.files(root, name)))
    for name, guide in explained.items():
        files[f"guides/{name}.md"] = text(f"guides/{name}.md.j2", **guide)
        files.update(source.copies(root, guide.get("sources", [])))
    for row in image.rows(evidence):
        files[f"images/{row.name}.md"] = text("image.md.j2", **image.view(row, evidence))
    for name in image.gone(evidence):
        files[f"images/{name}.md"] = text("image.md.j2", **image.view_gone(name, evidence))
    for host_id in host.ids(evidence):
        files[f"hosts/{host_id}.md"] = text("host.md.j2", **host.view(host_id, evidence))
    files.update(_by_hand(root))
    return files


def result_pages(evidence: Evidence, rendered: Path) -> dict[str, Content]:
    """The page of each result, rendered when it is written, and the sitemap that names them; ``rendered`` is what
    MkDocs made of the rest."""
    filled, language = shell.read(rendered), spoken()
    results = {result.id: result for result in evidence.dataset.results}
    pages: dict[str, Content] = {
        f"results/{one.id}/index.html": functools.partial(_filled, filled, one, evidence, language)
        for one in results.values()
    }
    sitemap = rendered / "sitemap.xml"
    if sitemap.exists():
        text = shell.in_sitemap(sitemap.read_text(), results)
        pages |= {"sitemap.xml": text, "sitemap.xml.gz": gzip.compress(text.encode(), mtime=0)}
    return pages


def beside(evidence: Evidence) -> dict[str, Content]:
    """What the pages of results link that no other page does: records as they were written, and badges."""
    files: dict[str, Content] = {
        record_file(trial_id): path for trial_id, path in evidence.dataset.paths.items()
    }
    for one in evidence.dataset.results:
        for trial in (one.parity_trial, over_time.watched(one)):
            if trial and (sidecar := store.sidecar_of(evidence.dataset.paths[trial.trial_id])):
                files[sidecar_file(trial.trial_id)] = sidecar
    return files | badge.files(evidence)


def _filled(filled: shell.Shell, one: Result, evidence: Evidence, language: Language) -> str:
    with speaking(language, evidence.root):
        return filled.fill(result.page(one, evidence))


def serve(site: Path, port: int) -> None:
    """Serve the folder of a built site on this machine only, until Ctrl-C."""
    if not (site / "index.html").is_file():
        raise UserError(f"{site} holds no site; run `make site` first")
    handler = functools.partial(_Handler, directory=str(site))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(f"port {port} cannot be served ({error.strerror}); choose another one") from error
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Without a log line per request."""

    def log_message(self, format: str, *args: object) -> None:
        return


def _of(language: Language, name: str, suffix: str = "") -> str:
    """The name of what each language has one of: ``docs`` and ``docs-zh``, ``mkdocs.yml`` and ``mkdocs-zh.yml``."""
    return name + suffix if language == ENGLISH else f"{name}-{language.code}{suffix}"


def _by_hand(root: Path) -> dict[str, Path]:
    """The pages and assets that people write; a page that nobody has translated yet is in English."""
    files = {}
    folders = [(root / "site" / "docs", ""), (root / "site" / "assets", "assets/")]
    if spoken() != ENGLISH:
        folders.append((locale(root, spoken()) / "docs", ""))
    for folder, prefix in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                files[prefix + path.relative_to(folder).as_posix()] = path
    return files


_SPACED = re.compile(r"(<(?:pre|script|style|textarea)\b.*?</(?:pre|script|style|textarea)>)", re.DOTALL)
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)
_INDENT = re.compile(r"\n\s+")


def _mkdocs(
    configuration: Path, docs: Path, out: Path, strict: bool, site_url: str | None, own: dict[str, Any]
) -> None:
    """Run MkDocs in this process: the last step, to be replaced by whatever builds an mkdocs.yml."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort, ConfigurationError

    complaints = _Complaints(level=logging.WARNING)
    logger = logging.getLogger("mkdocs")
    logger.addHandler(complaints)
    try:
        config = load_config(
            str(configuration),
            docs_dir=str(docs),
            site_dir=str(out),
            strict=strict,
            site_url=site_url or "",
            **own,
        )
        config.extra["card"] = not own  # the picture has the project's name on it
        build(config)
    except (Abort, ConfigurationError) as error:
        why = "; ".join(complaints.lines[:5]) or str(error)
        raise UserError(f"MkDocs refused the pages in {docs}: {why}") from error
    finally:
        logger.removeHandler(complaints)


def _lean(made: dict[str, Path]) -> dict[str, Content]:
    """Pages without the theme's indents, a tenth of most, and our scripts without the lines that explain them."""
    lean: dict[str, Content] = {}
    for name, path in made.items():
        if path.suffix == ".html":
            lean[name] = functools.partial(_without_indents, path)
        elif path.suffix == ".js" and path.parent.name == "assets":
            lean[name] = functools.partial(_without_comments, path)
        else:
            lean[name] = path
    return lean


def _without_comments(script: Path) -> str:
    return _COMMENT.sub("", script.read_text())


def _without_indents(page: Path) -> str:
    """What counts its spaces stays as it is."""
    parts = _SPACED.split(page.read_text())
    return "".join(part if number % 2 else _INDENT.sub("\n", part) for number, part in enumerate(parts))


def _without_an_address(made: dict[str, Content]) -> None:
    """A server gives the page of a missing page at every depth, so it can load and link nothing by a relative path;
    and a sitemap without addresses is empty."""
    for name in ("404.html", "sitemap.xml", "sitemap.xml.gz"):
        made.pop(name, None)


class _Complaints(logging.Handler):
    """Collects what MkDocs warns about."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
