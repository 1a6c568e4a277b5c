"""Everything that is stored below some paths, read in one go: what can be used, and why the rest cannot."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from framebench.records.index import Index, Known
from framebench.records.listing import Folder, folders
from framebench.records.manifest_document import Manifest
from framebench.records.placing import (
    MANIFESTS,
    REPRODUCTIONS,
    SELFTESTS,
    manifest_of_signature,
    record_of_sidecar,
)
from framebench.records.reading import Fault, read, read_manifest, read_reproduction, read_selftest
from framebench.records.reproduction_document import Reproduction
from framebench.records.selftest_document import SelfTest
from harness import flags
from harness.record import Record


class Broken(NamedTuple):
    """A file that cannot be used: ``reason`` is one clause naming the field and the mend."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass
class Loaded:
    """Everything found, sorted by path.

    ``leftovers`` are remains of an interrupted write. ``reproduction_trials`` were measured to check a
    result and are no part of it: they may come from the same host and image and have the same result id.
    """

    records: list[tuple[Path, Record]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    reproductions: list[tuple[Path, Reproduction]] = field(default_factory=list)
    reproduction_trials: list[tuple[Path, Record]] = field(default_factory=list)
    leftovers: list[Broken] = field(default_factory=list)
    selftests: list[SelfTest] = field(default_factory=list)
    manifests: list[tuple[Path, Manifest]] = field(default_factory=list)

    @property
    def every_trial(self) -> list[tuple[Path, Record]]:
        """Those of results and those of reproductions."""
        return [*self.records, *self.reproduction_trials]

    @property
    def faults(self) -> list[Broken]:
        """Every file that cannot be used, sorted by path."""
        return sorted([*self.broken, *self.leftovers])


def load(paths: Iterable[Path], published: Path | None = None, index: Index | None = None) -> Loaded:
    """Read records and reproductions from files and, recursively, folders.

    Strict per file and tolerant of files: what cannot be used is in ``broken`` and never stops the rest.
    So is, below the folder ``published``, what is never published. ``index`` has what is known already of the
    folder that it is of, and is brought up to date; its records are ``kept`` ones. ``UserError`` if a path does not
    exist.
    """
    loaded = Loaded()
    with _no_collection():
        _look_below(paths, published, index, loaded)
    if index is not None:
        with contextlib.suppress(OSError):  # the next command decodes again
            index.save()
    return loaded


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Records make no circles, and the collector would look at all of them again and again while they come."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _look_below(paths: Iterable[Path], published: Path | None, index: Index | None, loaded: Loaded) -> None:
    for folder in folders(paths):
        known = index.within(folder) if index is not None and index.folder == folder.below else None
        for name in folder.files:
            _look_at(folder, name, known, published, loaded)
        if known is not None:
            known.close()
    _settle(loaded)


def _look_at(folder: Folder, name: str, known: Known | None, published: Path | None, loaded: Loaded) -> None:
    """One file, which is what its name and its folder say."""
    if name.endswith(".tmp"):
        path = folder.path / name
        loaded.leftovers.append(Broken(path, "left over from an interrupted write; delete it"))
    elif name.endswith(".sidecar.json.gz"):
        path = folder.path / name
        if not folder.has(record_of_sidecar(path)):
            loaded.leftovers.append(Broken(path, "a sidecar without its record; delete it"))
    elif name.endswith(".json.sig"):
        path = folder.path / name
        if not folder.has(manifest_of_signature(path)):
            loaded.leftovers.append(Broken(path, "a signature without its manifest; delete it"))
    elif name.endswith(".json") and name != ".json":
        path = folder.path / name
        try:
            _read(folder, path, known, published, loaded)
        except Fault as fault:
            loaded.broken.append(Broken(path, str(fault)))


def _read(folder: Folder, path: Path, known: Known | None, published: Path | None, loaded: Loaded) -> None:
    """One document; ``Fault`` where it cannot be used."""
    kind = "".join(folder.path.parts[-2:-1])
    if kind == REPRODUCTIONS:
        loaded.reproductions.append((path, read_reproduction(path)))
    elif kind == SELFTESTS:
        loaded.selftests.append(read_selftest(path))
    elif kind == MANIFESTS:
        loaded.manifests.append((path, read_manifest(path)))
    else:
        record = known.record(path) if known else read(path)
        reason = never_published(record)
        if reason and published and path.resolve().is_relative_to(published.resolve()):
            raise Fault(f"{reason}; move it to another folder")
        # results/reproductions/<result-id>/trials/<host>/<workload>/<case>/<contender>/<trial>.json
        again = folder.path.parts[-7:-4:2] == (REPRODUCTIONS, "trials")
        (loaded.reproduction_trials if again else loaded.records).append((path, record))


def never_published(record: Record) -> str | None:
    """Why a record may not be among those that are published, whoever measured it; null if it may."""
    if record.image.own_builds:
        build = record.image.own_builds[0]
        return f"image.own_builds: measured with {build}, somebody's own build, which is never published"
    if record.hardware and flags.stand_in(record.hardware):
        return (
            "hardware.gpus: a driver that stands in for one, as the tests have, and no card of NVIDIA's: what it says "
            "was measured nowhere and is never published"
        )
    return None


def _settle(loaded: Loaded) -> None:
    """Everything in the order of its path, and each trial in the first file that has it alone."""
    places: dict[str, Path] = {}
    twice: set[Path] = set()
    for path, record in sorted(loaded.every_trial, key=itemgetter(0)):
        first = places.setdefault(record.trial_id, path)
        if first is not path:
            reason = f"trial_id {record.trial_id} is also in {first}; delete one of the two"
            loaded.broken.append(Broken(path, reason))
            twice.add(path)
    for trials in (loaded.records, loaded.reproduction_trials):
        trials.sort(key=itemgetter(0))
        if twice:
            trials[:] = [pair for pair in trials if pair[0] not in twice]
    loaded.reproductions.sort(key=itemgetter(0))
    loaded.manifests.sort(key=itemgetter(0))
    loaded.broken.sort()
    loaded.leftovers.sort()
