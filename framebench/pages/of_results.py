"""What a site has of each result: its page in every language, its badges, and its records as they were written."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from framebench.dataset import Result
from framebench.language import Language, speaking
from framebench.pages import badge, over_time, result, shell
from framebench.pages.depends import Dependencies
from framebench.pages.evidence import Evidence, record_file, sidecar_file
from framebench.pages.fingerprint import fingerprint
from framebench.pages.write import Content, Keyed
from framebench.records import store
from framebench.records.kept import digest_of


class Frame(NamedTuple):
    """What the pages of results are set into in one language; ``evidence`` knows the site's address there."""

    language: Language
    evidence: Evidence
    around: shell.Shell


def result_pages(frames: Sequence[Frame], depends: Dependencies) -> dict[str, Content]:
    """The page of each result in each language, made when it is written: those of one result come together, because
    their trials are read once."""
    alike = {
        one.language: _alike(one.evidence, f"{one.around} {one.language.code} {one.evidence.site_url}")
        for one in frames
    }
    return {
        f"{frame.language.folder}results/{one.id}/index.html": Keyed(
            alike[frame.language] + depends.of(one), functools.partial(_filled, frame, one)
        )
        for one in frames[0].evidence.dataset.results
        for frame in frames
    }


def sitemap(evidence: Evidence, rendered: Path) -> dict[str, Content]:
    """That of MkDocs with every result; nothing where it made none."""
    made = rendered / "sitemap.xml"
    if not made.exists():
        return {}
    text = shell.in_sitemap(made.read_text(), [result.id for result in evidence.dataset.results])
    return {"sitemap.xml": text, "sitemap.xml.gz": gzip.compress(text.encode(), mtime=0)}


def beside(evidence: Evidence, depends: Dependencies) -> dict[str, Content]:
    """What the pages of results link that no other page does: records as they were written, and badges."""
    files: dict[str, Content] = {
        record_file(trial_id): path for trial_id, path in evidence.dataset.paths.items()
    }
    for one in evidence.dataset.results:
        for trial in (one.parity_trial, over_time.watched(one)):
            if trial and (sidecar := store.sidecar_of(evidence.dataset.paths[trial.trial_id])):
                files[sidecar_file(trial.trial_id)] = sidecar
    alike = _alike(evidence, "badge")
    for name, (one, draw) in badge.files(evidence).items():
        files[name] = Keyed(alike + depends.of(one), draw)
    return files


def _alike(evidence: Evidence, text: str) -> bytes:
    """What all files of a kind depend on."""
    return digest_of(fingerprint(evidence.root) + text.encode())


def _filled(frame: Frame, one: Result) -> str:
    with speaking(frame.language, frame.evidence.root):
        return frame.around.fill(result.page(one, frame.evidence))
