"""How a command says a line, as it is and without markup, and shows how far a download is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from framebench.records.store import Broken


class DownloadBar:
    """Bytes of one download, on a terminal."""

    def __init__(self, bars: Progress, label: str, total: int, done: int) -> None:
        self._bars = bars
        self._task = bars.add_task(label, total=total, completed=done)

    def advance(self, count: int) -> None:
        """``count`` more bytes are there."""
        self._bars.advance(self._task, count)


class Sayer:
    """Called with a line, it prints it on ``console``; ``bar`` is for downloads."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, line: str) -> None:
        self._console.print(line, markup=False, emoji=False)

    def skipped(self, faults: Iterable[Broken]) -> None:
        """A warning for each file that could not be used; the others are."""
        for fault in faults:
            self(f"warning: skipped {fault}")

    def bar(self, label: str, total: int, done: int) -> AbstractContextManager[DownloadBar] | None:
        """A bar that goes when the download is there; null where there is no terminal."""
        return self._bar(label, total, done) if self._console.is_terminal else None

    @contextmanager
    def _bar(self, label: str, total: int, done: int) -> Iterator[DownloadBar]:
        columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(
            TextColumn("{task.description}"), BarColumn(), *columns, console=self._console, transient=True
        ) as bars:
            yield DownloadBar(bars, label, total, done)
