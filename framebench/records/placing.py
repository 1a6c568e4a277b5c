"""Where a record belongs below ``results/``; its path repeats what it says.

``<host>/<workload>/<case slug>/<contender slug>--<where>/<trial-id>.json``, where ``where`` is the image's
name for a container, ``venv-<image>`` for a virtual environment and ``system`` for this interpreter, so
that results made in a container never share a folder with others. The sidecar (time series) lies beside
its record. Reproductions lie in ``reproductions/<result-id>/<reproduction-id>.json``, their trials in
``reproductions/<result-id>/trials/`` below the same five names. What self-tests found lies in
``selftests/<host>/<selftest-id>.json``. The manifest of files that were handed in together is
``manifests/<campaign>/<manifest-id>.json``, with its signature, if there is one, beside it; ``allowed_signers`` says
whose keys are known.
"""

from __future__ import annotations

import re
from pathlib import Path

from framebench.errors import UserError, quoted
from harness.record import Record

REPRODUCTIONS = "reproductions"
SELFTESTS = "selftests"
MANIFESTS = "manifests"
ALLOWED_SIGNERS = "allowed_signers"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")  # no file system here has names beyond 255 bytes


def relative_path(record: Record) -> Path:
    """Where the record belongs below ``results``. ``UserError`` if a part is no safe folder name."""
    names = [part for _, part in parts(record)]
    return Path(*names[:-1], f"{names[-1]}.json")


def parts(record: Record) -> list[tuple[str, str]]:
    """``(field, folder or file name)`` of each part of a record's path below ``results``."""
    executor, image = record.provenance.executor, record.image.name
    if executor == "system" or image is None:
        where: str = executor
    else:
        where = image if executor == "docker" else f"{executor}-{image}"
    parts = [
        ("provenance.host_id", record.provenance.host_id),
        ("case.workload", record.case.workload),
        ("case", record.case.slug),
        ("contender and image", f"{record.contender.slug}--{where}"),
        ("trial_id", record.trial_id),
    ]
    for name, part in [*parts, ("image.name", image or where)]:
        if not _NAME.fullmatch(part) or part in (REPRODUCTIONS, SELFTESTS, MANIFESTS):
            raise UserError(
                f"record {quoted(record.trial_id)}: {name} is {quoted(part)}, which cannot name a folder;"
                " use at most 200 letters, digits, '.', '_' and '-'"
            )
    return parts


def sidecar_path(record_path: Path) -> Path:
    return record_path.with_name(sidecar_name(record_path.name))


def sidecar_name(record_name: str) -> str:
    return record_name.removesuffix(".json") + ".sidecar.json.gz"


def record_of_sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".sidecar.json.gz") + ".json")


def signature_path(manifest_path: Path) -> Path:
    return manifest_path.with_name(f"{manifest_path.name}.sig")


def manifest_of_signature(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".sig"))
