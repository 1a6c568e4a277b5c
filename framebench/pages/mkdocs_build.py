"""MkDocs, the last and replaceable step: from a folder of sources to a folder of pages.

Beside the pages lies a note of what they were made from. Sources that are as they were are not rendered again; where
the engine, its configuration, its theme or a page that people write has changed, or a source is gone, everything is:
only then does MkDocs look at every link.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from framebench.errors import UserError
from framebench.pages.fingerprint import fingerprint
from framebench.pages.write import tree

SEARCH = "search/search_index.json"


class Made(msgspec.Struct):
    """What pages were made by, from which sources (name → digest), and when each of them was written (ns)."""

    engine: bytes
    sources: dict[str, bytes]
    written: dict[str, tuple[int, int]]


def build(
    root: Path,
    configuration: Path,
    docs: Path,
    out: Path,
    strict: bool,
    site_url: str | None,
    own: dict[str, Any],
    generated: Collection[str],
) -> None:
    """Make ``out`` what MkDocs makes of ``docs``; ``UserError`` where it finds a fault (``strict``: any warning is
    one). ``generated``: sources that nobody writes, whose links follow from their templates."""
    note = out.with_name(f"{out.name}.made")
    engine = hashlib.blake2b(
        fingerprint(root) + json.dumps([str(docs), strict, site_url, own], default=str).encode(),
        digest_size=16,
    ).digest()
    sources = {name: hashlib.blake2b(path.read_bytes()).digest() for name, path in tree(docs).items()}
    before = _before(note)
    if before is None or before.engine != engine or before.written != _written(out):
        before = None
    if before is not None and before.sources == sources:
        return
    known = before.sources if before else {}
    changed = {name for name in sources.keys() | known.keys() if sources.get(name) != known.get(name)}
    some = before is not None and changed <= sources.keys() & {*generated}
    note.unlink(missing_ok=True)  # until this is done, nobody knows what is there
    if some and not any(name.endswith(".md") for name in changed):
        for name in changed:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(docs / name, out / name)
    else:
        older = _entries(out) if some else []
        if some:
            _only(changed, sources, docs, out)
        _run(configuration, docs, out, strict, site_url, own, some)
        newer = _entries(out)
        again = {_address(name) for name in changed} | {_page(one) for one in newer}
        _keep_entries(out, [*(one for one in older if _page(one) not in again), *newer])
    note.write_bytes(msgspec.msgpack.encode(Made(engine, sources, _written(out))))


def _only(changed: Collection[str], sources: Collection[str], docs: Path, out: Path) -> None:
    """MkDocs takes for changed what is newer than its page, or has none."""
    for name in sources:
        page = out / destination(name)
        if name in changed:
            page.unlink(missing_ok=True)
        elif page.exists():
            newer = (docs / name).stat().st_mtime_ns + 1_000_000_000
            os.utime(page, ns=(newer, newer))


def destination(name: str) -> str:
    """Where MkDocs puts what it makes of a source."""
    return f"{_address(name)}index.html" if name.endswith(".md") else name


def _address(name: str) -> str:
    """The page of a source, relative to the site's root."""
    stem = name.removesuffix(".md")
    return stem.removesuffix("index") if Path(stem).name == "index" else f"{stem}/"


def _page(entry: dict[str, Any]) -> str:
    """The page that an entry of the search leads to."""
    return str(entry["location"]).partition("#")[0]


def _entries(out: Path) -> list[dict[str, Any]]:
    """What the search knows."""
    entries: list[dict[str, Any]] = json.loads((out / SEARCH).read_bytes())["docs"]
    return entries


def _keep_entries(out: Path, entries: list[dict[str, Any]]) -> None:
    """In an order that says nothing of the order in which pages were made; those of one page stay in theirs."""
    document = json.loads((out / SEARCH).read_bytes())
    document["docs"] = sorted(entries, key=_page)
    (out / SEARCH).write_text(json.dumps(document, separators=(",", ":")))


def _before(note: Path) -> Made | None:
    try:
        return msgspec.msgpack.decode(note.read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return None


def _written(out: Path) -> dict[str, tuple[int, int]]:
    """When each file was written, as nobody can set it."""
    if not out.is_dir():
        return {}
    stats = {name: path.stat() for name, path in tree(out).items()}
    return {name: (stat.st_size, stat.st_ctime_ns) for name, stat in stats.items()}


def _run(
    configuration: Path,
    docs: Path,
    out: Path,
    strict: bool,
    site_url: str | None,
    own: dict[str, Any],
    some: bool,
) -> None:
    """In this process; only what has changed where ``some``, of which MkDocs warns."""
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
            strict=strict and not some,
            site_url=site_url or "",
            **own,
        )
        config.extra["card"] = not own  # the picture has the project's name on it
        build(config, dirty=some)
        if some and strict and complaints.lines:
            raise Abort(complaints.lines[0])
    except (Abort, ConfigurationError) as error:
        why = "; ".join(complaints.lines[:5]) or str(error)
        raise UserError(f"MkDocs refused the pages in {docs}: {why}") from error
    finally:
        logger.removeHandler(complaints)


class _Complaints(logging.Handler):
    """Collects what MkDocs warns about, but for our asking it to render some pages only."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if not line.startswith("A 'dirty' build"):
            self.lines.append(line)
