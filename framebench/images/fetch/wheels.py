"""Fetch the wheels of a lock into a content-addressed store, by hash, before anything is built.

``build/store/wheels/<sha256>/<file>.whl`` is the store; while a wheel comes, its folder holds ``part`` and is locked,
so that processes which share the store wait for each other. ``build/store/links/<lock sha256>/`` holds hard links to
the wheels of one lock and is what the image build and pip are given.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from framebench.errors import UserError
from framebench.images.fetch.download import Download, Gone, Stopped, kept, redacted
from framebench.images.fetch.indexes import Indexes, Offer
from framebench.images.fetch.meter import Meter
from framebench.images.fetch.wheel_tags import best_wheel
from framebench.images.folders import Progress
from framebench.images.locks import Wheel, check_lock, is_locked, lock_path, lock_sha256
from framebench.images.matrix import ImageRow, load_matrix

THREADS = 4


def fetch_wheels(
    root: Path,
    row: ImageRow,
    progress: Progress,
    source: Path | None = None,
    stop: threading.Event | None = None,
) -> Path:
    """Folder with exactly the wheels of the row's lock, each checked; no network when all are there.

    The places that pip is configured with are asked first, then the row's ``index``; the hash decides, so every way
    brings the same file. ``source`` is the checkout that holds the lock, where that is not ``root``, whose
    ``build/store`` is used.

    Raises
    ------
    Stopped
        soon after another thread has set ``stop``; what had come is kept.
    UserError
        when a wheel is gone or is another file than the lock names, when the network fails again and again, or when
        the disk is too small; what had come is kept.
    """
    source = source or root
    wheels = check_lock(source, row)
    links = root / "build" / "store" / "links" / lock_sha256(source, row)
    if links.is_dir():
        _verify(links, wheels)
        return links
    if missing := [wheel for wheel in wheels if stored(root, wheel) is None]:
        _Fetch(root, source, row, progress, stop).run(missing, len(wheels))
    temporary = links.with_name(f"{links.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for wheel in wheels:
        if (file := stored(root, wheel)) is not None:
            os.link(file, temporary / file.name)
    _verify(temporary, wheels)
    if links.is_dir():  # another process was quicker
        shutil.rmtree(temporary)
    else:
        temporary.rename(links)
    return links


def missing_wheels(root: Path, row: ImageRow) -> list[Wheel]:
    """The wheels of the row's lock that are not in the store yet: what has to be downloaded."""
    return [wheel for wheel in check_lock(root, row) if stored(root, wheel) is None]


def store_wheel(root: Path, wheel: Path, digest: str) -> None:
    """Move a checked wheel into the store (whole or not at all)."""
    folder = _folder(root, digest)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.tmp"
    shutil.move(wheel, temporary)
    temporary.rename(folder / wheel.name)


def require_space(folder: Path, needed: int, what: str) -> None:
    """``UserError`` with both figures when the file system of ``folder`` cannot take ``needed`` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {free / 1e9:.1f} GB free, and {what} need {needed / 1e9:.1f} GB;"
            " free some disk (`framebench prune` drops what framebench stored) and run again."
        )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Fetch:
    """Brings the wheels of one row that are missing, four at a time."""

    def __init__(
        self, root: Path, source: Path, row: ImageRow, progress: Progress, stop: threading.Event | None
    ) -> None:
        self._root, self._source, self._row, self._progress = root, source, row, progress
        self._lock = lock_path(source, row)
        self._stop = stop or threading.Event()

    def run(self, missing: list[Wheel], of: int) -> None:
        total = sum(wheel.size for wheel in missing)
        done = sum(min(kept(self._part(wheel)), wheel.size) for wheel in missing)
        require_space(self._root / "build" / "store", total - done, f"the wheels of {self._row.alias}")
        went_on = f", {done // 1_000_000} MB of them kept from before" if done else ""
        self._progress(
            f"{self._row.alias}: fetching {len(missing)} of {of} wheels, {total // 1_000_000} MB{went_on}"
        )
        self._indexes = Indexes(self._row.index)
        with (
            self._indexes.client,
            Meter(self._row.alias, total, done, self._progress) as self._meter,
            ThreadPoolExecutor(THREADS) as pool,
        ):
            large_first = sorted(missing, key=lambda wheel: -wheel.size)
            try:
                for task in as_completed([pool.submit(self._bring, wheel) for wheel in large_first]):
                    task.result()
            except BaseException:  # Ctrl-C too: the others end at their next chunk, and keep what they have
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _bring(self, wheel: Wheel) -> None:
        folder, part = _folder(self._root, wheel.sha256), self._part(wheel)
        had = kept(part)
        with self._alone(folder):
            if stored(self._root, wheel):  # another process fetched it meanwhile
                self._meter.advance(wheel.size - had)
                return
            looked, wrong = [], []
            for where, offers in self._indexes.search(wheel):
                looked.append(where)
                for offer in offers:
                    unknown = offer.sha256 is None and best_wheel(self._row, [offer.name])
                    if offer.sha256 != wheel.sha256 and not unknown:
                        continue
                    try:
                        digest = self._digest_of(wheel, offer, part)
                    except Gone as answer:
                        looked[-1] += f" but {redacted(offer.url)} answers {answer}"
                        continue
                    if digest == wheel.sha256:
                        self._keep(wheel, offer, part)
                        return
                    wrong.append(f"{digest} at {redacted(offer.url)}")
                others = {offer.name: offer for offer in offers if offer.sha256 not in (None, wheel.sha256)}
                if other := best_wheel(self._row, others):
                    wrong.append(f"{others[other].sha256} at {redacted(others[other].url)}")
            raise UserError(self._other_file(wheel, wrong) if wrong else self._nowhere(wheel, looked))

    def _keep(self, wheel: Wheel, offer: Offer, part: Path) -> None:
        part.rename(part.with_name(offer.name))
        if offer.yanked is not None:
            self._progress(
                f"note: {wheel.pin} was yanked by its authors: {offer.yanked or 'no reason given'}"
            )

    def _digest_of(self, wheel: Wheel, offer: Offer, part: Path) -> str:
        """SHA-256 of what the offer brings. A kept part that turns out wrong is dropped and all fetched again."""
        while True:
            kept_before = kept(part)
            Download(self._indexes.client, offer.url, part, wheel.size, self._meter.advance, self._stop).run()
            digest = sha256_of(part)
            if digest == wheel.sha256:
                return digest
            self._meter.advance(-kept(part))
            part.unlink()
            if not kept_before:
                return digest

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Hold the wheel's folder against other processes; waiting ends when the fetch is stopped."""
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._stop.wait(0.2):
                        raise Stopped from None
            yield
        finally:
            os.close(handle)

    def _part(self, wheel: Wheel) -> Path:
        return _folder(self._root, wheel.sha256) / "part"

    def _other_file(self, wheel: Wheel, wrong: list[str]) -> str:
        return (
            f"{self._lock}: {wheel.pin} should have sha256 {wheel.sha256}, found {', '.join(wrong)};"
            f" nothing was built, run `framebench lock {self._row.alias}` if the lock is wrong."
        )

    def _nowhere(self, wheel: Wheel, looked: list[str]) -> str:
        others = [
            row for row in load_matrix(self._source).rows if row.default and is_locked(self._source, row)
        ]
        works = [row.alias for row in others if wheel not in check_lock(self._source, row)]
        return (
            f"{self._lock}: {wheel.pin} with sha256 {wheel.sha256} is not to be had; looked for at"
            f" {', '.join(looked) or 'no place, pip has no index here'};"
            f" images that do without it: {', '.join(works) or 'none'};"
            " a folder that holds the file can be named in PIP_FIND_LINKS."
        )


def _verify(links: Path, wheels: list[Wheel]) -> None:
    """Hash every wheel in the folder: exactly those of the lock, none damaged."""
    there = {sha256_of(file): file.name for file in sorted(links.iterdir())}
    for wheel in wheels:
        if wheel.sha256 in there:
            continue
        stem = wheel.pin.replace("-", "_").replace("==", "-").lower()
        same = [f"{name} with {got}" for got, name in there.items() if name.lower().startswith(stem)]
        other = same[0] if same else "no such wheel"
        raise UserError(
            f"{links}: {wheel.pin} should have sha256 {wheel.sha256}, found {other};"
            " delete build/store and run again."
        )
    if extra := set(there) - {wheel.sha256 for wheel in wheels}:
        names = ", ".join(sorted(there[digest] for digest in extra))
        raise UserError(f"{links}: {names} is not in the lock; delete build/store and run again.")


def _folder(root: Path, digest: str) -> Path:
    return root / "build" / "store" / "wheels" / digest


def stored(root: Path, wheel: Wheel) -> Path | None:
    """The wheel's file in the store, or null where it was never fetched."""
    folder = _folder(root, wheel.sha256)
    return next(folder.glob("*.whl"), None) if folder.is_dir() else None
