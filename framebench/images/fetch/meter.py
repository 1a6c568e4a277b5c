"""How far a download is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import (
    Progress as Bars,
)

from framebench.images.folders import Progress

LINE_EVERY_S = 10.0


class Meter:
    """Counts the bytes of several threads. ``done`` of ``total`` bytes are there before it starts."""

    def __init__(self, label: str, total: int, done: int, progress: Progress) -> None:
        self._label, self._total, self._done, self._progress = label, total, done, progress
        self._before = done
        self._started = self._last = time.monotonic()
        self._guard = threading.Lock()
        console = Console()
        self._plain = not console.is_terminal
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self._plain,
        )
        self._task = self._bars.add_task(label, total=total, completed=done)

    def __enter__(self) -> Meter:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def advance(self, count: int) -> None:
        """``count`` more bytes are there (fewer, if negative)."""
        self._bars.advance(self._task, count)
        with self._guard:
            self._done += count
            now = time.monotonic()
            if not self._plain or now - self._last < LINE_EVERY_S:
                return
            self._last = now
            rate = (self._done - self._before) / (now - self._started)
            left = f", about {(self._total - self._done) / rate:.0f} s left" if rate > 0 else ""
            self._progress(f"{self._label}: {decimal(self._done)} of {decimal(self._total)}{left}")
