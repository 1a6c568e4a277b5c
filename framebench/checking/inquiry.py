"""Every question of every module, put to records and documents; what cannot be read stops nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from framebench.checking import (
    as_asked,
    copies,
    handed_in,
    machines,
    moments,
    plausible,
    reproductions,
    rules,
    selftests,
    sidecars,
    stopwatch,
    sums,
    surroundings,
    texts,
    verdicts,
    works,
)
from framebench.checking.doubt import Finding, refuse
from framebench.checking.history import History, Question
from framebench.checking.known import Known
from framebench.checking.waived import waive
from framebench.records import store
from framebench.records.manifest_document import Manifest
from harness.record import Record

QUESTIONS = (
    moments,
    stopwatch,
    as_asked,
    sums,
    copies,
    surroundings,
    texts,
    machines,
    works,
    rules,
    verdicts,
    sidecars,
    plausible,
    handed_in,
)


class Checked(NamedTuple):
    """What speaks against files, sorted by path; ``unseen`` records were measured in images that nobody who wrote
    ``containers/published.json`` or ``containers/rebuilds.json`` has seen: only a rebuild can tell what is in those."""

    unseen: int
    findings: list[Finding]

    @property
    def refused(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.doubt.refused]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.doubt.refused]


def check(
    paths: Iterable[Path],
    results: Path,
    history: History,
    digests: Set[str] = frozenset(),
    new: Sequence[Manifest] = (),
) -> Checked:
    """Ask everything about the records below ``paths`` and their documents, beside those that are published in
    ``results``.

    ``digests`` are those of images that are known; ``new`` are manifests that are not written yet. What cannot
    be read is a finding like the others and stops nothing. ``UserError`` if a path does not exist.
    """
    paths = list(paths)
    loaded = store.load(paths, published=results)
    found = [Finding(one.path, refuse("file", one.reason, "")) for one in loaded.faults]
    asked = loaded.every_trial
    beside = store.load([results]) if results.is_dir() else store.Loaded()
    everything = [*beside.every_trial, *asked]
    known = Known(
        history=history,
        records={record.trial_id: record for _, record in everything},
        paths={record.trial_id: path for path, record in everything},
        published=results,
        again={record.trial_id for _, record in [*beside.reproduction_trials, *loaded.reproduction_trials]},
        manifests=[*new, *(manifest for _, manifest in [*beside.manifests, *loaded.manifests])],
    )
    _let_commits_answer(asked, history)
    for path, record in asked:
        for module in QUESTIONS:
            found += [Finding(path, doubt) for doubt in module.doubts(record, known)]
    for path, reproduction in loaded.reproductions:
        of_it = handed_in.doubts_of_reproduction(path, reproduction, known)
        found += [
            Finding(path, doubt) for doubt in (*reproductions.doubts(path, reproduction, known), *of_it)
        ]
    for path, selftest in loaded.selftests:
        of_it = handed_in.doubts_of_selftest(path, known)
        found += [Finding(path, doubt) for doubt in (*selftests.doubts(path, selftest, known), *of_it)]
    for path, manifest in loaded.manifests:
        found += handed_in.findings(path, manifest, known)
    documents = [*loaded.reproductions, *loaded.selftests, *loaded.manifests]
    looked_at = [*loaded.every_trial, *documents, *loaded.faults]
    found = waive(found, (path for path, _ in looked_at), results, known.now.date())
    unseen = sum(one.image.config_digest not in {None, *digests} for _, one in asked)
    return Checked(unseen, sorted(dict.fromkeys(found), key=lambda one: (one.path, not one.doubt.refused)))


def _let_commits_answer(asked: Iterable[tuple[Path, Record]], history: History) -> None:
    """Each commit is asked once, about all the works that records of it did."""
    of_commit: dict[str, dict[Question, None]] = defaultdict(dict)
    for _, record in asked:
        commit, question = record.provenance.git_commit, works.question(record)
        if commit is None or record.provenance.dirty is not False or not history.known(commit):
            continue
        if not history.asked(commit, question):
            of_commit[commit][question] = None
    for commit, questions in of_commit.items():
        history.ask(commit, list(questions))
