"""The pack itself: a zip that Python runs, with the tree that measures, its wheels, and what it says of itself."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import msgspec

from framebench.images.make.harness_layer import files_below
from framebench.pack.carried import IN_TRIALS, MACHINE_FIRST, Carried
from framebench.records import provenance
from framebench.records.pack_document import PACK_DOCUMENT, PackDocument, PackedWheel

FOLDERS = ("harness", "framebench", "suites")
MATRIX = "containers/images.toml"
"""What of the clone a campaign reads."""
START = "framebench/packed_start.py"
"""What Python runs of a zip is its ``__main__.py``: this."""
FIRST_LINE = b"#!/usr/bin/env python3\n"
OLD_PLATFORMS = {"manylinux2014": "2.17", "manylinux2010": "2.12", "manylinux1": "2.5"}


def write_pack(root: Path, target: Path, python: str, suite: str, wheels: Sequence[Carried]) -> PackDocument:
    """Write the clone at ``root`` with these wheels as the pack ``target``; the same input gives the same bytes.

    ``suite`` is what ``run`` measures there unless told otherwise.
    """
    files = {name: data for folder in FOLDERS for name, data in files_below(root, folder).items()}
    files[MATRIX] = (root / MATRIX).read_bytes()
    document = PackDocument(
        python=python,
        machine=platform.machine(),
        glibc=oldest_glibc(wheel.path.name for wheel in wheels),
        git_commit=provenance.commit(root),
        dirty=provenance.dirty(root),
        suite=suite,
        wheels=[
            PackedWheel(
                name=wheel.name,
                file=wheel.path.name,
                sha256=wheel.sha256,
                in_trials=wheel.name in IN_TRIALS,
                machines_module=MACHINE_FIRST.get(wheel.name),
                needs_numpy=wheel.needs_numpy,
            )
            for wheel in wheels
        ],
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(FIRST_LINE)
            with ZipFile(file, "w") as pack:
                pack.writestr(_entry("__main__.py"), files[START])
                pack.writestr(_entry(PACK_DOCUMENT), msgspec.json.encode(document))
                for name, data in files.items():
                    pack.writestr(_entry(f"tree/{name}"), data)
                for wheel in wheels:
                    pack.writestr(_entry(f"wheels/{wheel.path.name}", ZIP_STORED), wheel.path.read_bytes())
        temporary.chmod(0o755)
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return document


def oldest_glibc(names: Iterable[str]) -> str:
    """The oldest glibc that all these wheels run on; ``0.0`` if none of them is for a certain one."""
    oldest = (0, 0)
    for name in names:
        for old, level in OLD_PLATFORMS.items():
            name = name.replace(old, f"manylinux_{level.replace('.', '_')}")
        levels = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", name)]
        oldest = max(oldest, min(levels, default=(0, 0)))
    return "{}.{}".format(*oldest)


def _entry(name: str, compression: int = ZIP_DEFLATED) -> ZipInfo:
    entry = ZipInfo(name)  # always of the same time
    entry.compress_type = compression
    return entry
