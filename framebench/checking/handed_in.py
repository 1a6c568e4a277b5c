"""Handed in: every file that a manifest lists is there and as it was then, and no other file of its campaign is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from pathlib import Path

from framebench.checking.doubt import Doubt, Finding, refuse, warn
from framebench.checking.known import Known
from framebench.errors import unreadable
from framebench.records.manifest_document import Manifest
from framebench.records.manifests import place, sha256
from framebench.records.placing import ALLOWED_SIGNERS, signature_path
from framebench.records.reproduction_document import Reproduction
from framebench.records.signature import INSTALL, judge
from harness.record import Record

MEND = "restore it, or delete the manifest too and hand in the rest again (`framebench submit`)"


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Whether a record, wherever it lies, is the one that was handed in for its place."""
    yield from _as_handed_in(known.paths[record.trial_id], {record.campaign_id}, known)


def doubts_of_reproduction(path: Path, reproduction: Reproduction, known: Known) -> Iterator[Doubt]:
    """The same of a reproduction, which is of its trials' campaign."""
    trials = [known.records[one] for one in reproduction.trial_ids if one in known.records]
    yield from _as_handed_in(path, {one.campaign_id for one in trials}, known)


def doubts_of_selftest(path: Path, known: Known) -> Iterator[Doubt]:
    """The same of a self-test, which belongs to no campaign and need not be handed in with one."""
    yield from _as_handed_in(path, set(), known)


def findings(path: Path, manifest: Manifest, known: Known) -> Iterator[Finding]:
    """What speaks against a manifest, held against the folder of results that it lies in."""
    for one in (path, signature_path(path)):
        if one.absolute() in known.rewritten:
            yield Finding(one, refuse("file", "it was changed after it had been committed"))
    yield from (Finding(signature_path(path), doubt) for doubt in _signed(path, known))
    results, wrong = path.parents[2], defaultdict(list)
    for name, digest in manifest.files.items():
        file = results / name
        if not file.exists():
            wrong["missing"].append(name)
        elif file.resolve() != results.resolve() / name or not file.is_file():
            wrong["no plain file of these results"].append(name)
        elif known.campaign_of.get(file.absolute(), manifest.campaign_id) != manifest.campaign_id:
            wrong["of another campaign"].append(name)
        else:
            yield from (Finding(file, doubt) for doubt in _changed(file, {digest}))
    for words, names in wrong.items():
        which = f"{names[0]} is" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more are"
        yield Finding(path, refuse("files", f"{which} {words}", MEND))


def _signed(path: Path, known: Known) -> Iterator[Doubt]:
    """Whether the signature, where there is one, is right, and whose; a manifest may be unsigned."""
    signature = judge(path, known.published / ALLOWED_SIGNERS)
    if signature is None or signature.state == "known":
        return
    if signature.state == "wrong":
        yield refuse(
            "signature",
            f"it is none of {path.name}",
            "restore both; or delete both and hand the campaign in again (`framebench submit --key FILE`)",
        )
    elif signature.state == "unknown":
        yield warn(
            "signature",
            f"it is by the key {signature.key}, which {ALLOWED_SIGNERS} does not name",
            "add a line there if you know whose it is",
        )
    else:
        yield warn("signature", "it was not checked, because there is no ssh-keygen on the path", INSTALL)


def _as_handed_in(path: Path, campaigns: Set[str], known: Known) -> Iterator[Doubt]:
    said = known.listed.get(place(path))
    if said is not None:
        yield from _changed(path, said)
    elif late := campaigns & known.handed_in:
        yield refuse(
            "manifest",
            f"campaign {min(late)} was handed in without this file",
            f"hand it in too (`framebench submit --campaign {min(late)}`), or delete it",
        )


def _changed(path: Path, said: Set[str]) -> Iterator[Doubt]:
    try:
        found = sha256(path)
    except OSError as error:
        yield refuse("file", unreadable(error), "")
        return
    if said != {found}:
        listed = " and ".join(f"{one[:12]}…" for one in sorted(said))
        yield refuse("manifest", f"its SHA-256 is {found[:12]}…, and was {listed} when it was handed in")
