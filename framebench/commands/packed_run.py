"""``run`` of a pack: a campaign in the Python that runs it, and the records so far as one archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console

from framebench.campaign.request import Request
from framebench.commands.run import run as measure
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.executors.machine import host_id
from framebench.pack.results_archive import write_archive
from framebench.records.pack_document import pack_id, read_pack_document
from framebench.records.writing import disk_error


def run(root: Path, pack: Path, options: dict[str, Any], console: Console) -> int:
    """As ``framebench run``. The records are in a folder beside the pack from the moment that their trials end."""
    document = read_pack_document(root)
    assert document is not None
    suite = options.pop("suite") or document.suite
    records = pack.absolute().with_name(f"{pack.stem}-results")
    archive = Path.cwd() / f"framebench-results-{host_id()}-{pack_id(root)}.tar.gz"
    _require_writable(records, archive.parent)
    _write(records, archive, console)  # of a call that was killed before it could
    try:
        return measure(Request(root, suite=suite, executor="system", results=records, **options), console)
    finally:
        _write(records, archive, console)


def _require_writable(records: Path, folder: Path) -> None:
    """Said before anything is measured."""
    try:
        records.mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(records, error) from error
    for one in (records, folder):
        if not os.access(one, os.W_OK):
            raise UserError(f"{one} cannot be written; copy the pack to a folder that can, and run it there.")


def _write(records: Path, archive: Path, console: Console) -> None:
    if count := write_archive(records, archive):
        Sayer(console)(f"{count} records are in {archive}")
