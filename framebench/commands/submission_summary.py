"""What was handed in, as Markdown for the text of a pull request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from framebench.checking import Finding
from framebench.records.manifest_document import Manifest
from framebench.records.signature import Signature
from harness.record import Record

MOST_ROWS = 200
"""GitHub takes no text of more than 65,536 characters."""


def summary(
    path: Path,
    manifest: Manifest,
    trials: Sequence[tuple[Path, Record]],
    warnings: Sequence[Finding],
    signature: Signature | None,
) -> str:
    """Machine, commits, contenders with their outcomes and flags, and what has to be explained."""
    records = [record for _, record in trials]
    started = sorted(record.started_utc[:10] for record in records)
    lines = [f"### Campaign {_code(manifest.campaign_id)}", ""]
    if records:
        lines.append(f"- {len(records)} records, {started[0]} to {started[-1]} (UTC)")
    lines += [f"- machine: {one}" for one in sorted({_machine(record) for record in records})]
    commits = sorted({_commit(record) for record in records})
    lines += [f"- measured at {one}" for one in commits]
    lines.append(f"- manifest: {_code(path.name)}, {len(manifest.files)} files, {_signed(signature)}")
    lines += ["", "| case | contender | where | trials | outcomes | flags |", "|---|---|---|---|---|---|"]
    rows: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        where = f"{record.provenance.executor} {record.image.name or ''}".strip()
        rows[record.case.path, record.contender.slug, where].append(record)
    for names, mine in sorted(rows.items())[:MOST_ROWS]:
        outcomes = _counts(record.outcome.status for record in mine)
        flags = _counts(flag for record in mine for flag in record.flags)
        lines.append(f"| {' | '.join([*map(_code, names), str(len(mine)), outcomes, flags])} |")
    if len(rows) > MOST_ROWS:
        lines += ["", f"… and {len(rows) - MOST_ROWS} rows more"]
    words = Counter(str(doubt) for _, doubt in warnings)
    lines += [
        "",
        "Warnings of `framebench check`, to be explained:" if words else "No warnings of `framebench check`.",
    ]
    lines += ["", *(f"- {count} × {_code(one)}" for one, count in words.most_common(50))] if words else []
    return "\n".join(lines)


def _signed(signature: Signature | None) -> str:
    if signature is None:
        return "unsigned"
    whose = f"signed by {_code(signature.signer)}" if signature.signer else "signed"
    return f"{whose}, key {_code(signature.key or 'unknown')}"


def _machine(record: Record) -> str:
    machine = record.hardware
    host = _code(record.provenance.host_id)
    if machine is None:
        return host
    gpus = [gpu.name or "unknown GPU" for gpu in machine.gpus]
    return f"{host}, {_code(', '.join([machine.cpu_model or 'unknown processor', *gpus]))}"


def _commit(record: Record) -> str:
    origin = record.provenance
    changed = (
        "" if origin.dirty is False else ", with uncommitted changes" if origin.dirty else ", changes unknown"
    )
    return f"commit {_code(origin.git_commit)}{changed}" if origin.git_commit else "no commit"


def _counts(words: Iterable[str]) -> str:
    counted = Counter(words)
    return ", ".join(f"{count} {_code(word)}" for word, count in sorted(counted.items())) or "–"


def _code(text: str) -> str:
    """A stranger's words as code on one line of a table: none of its signs means anything there."""
    return "`" + " ".join(text.replace("`", "'").replace("|", "/").split()) + "`"
