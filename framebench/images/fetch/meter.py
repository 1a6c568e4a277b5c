"""How far a download is: a bar where whoever listens can show one, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, runtime_checkable

from framebench.images.folders import Progress

LINE_EVERY_S = 10.0


class Bar(Protocol):
    """A bar of bytes on a terminal."""

    def advance(self, count: int) -> None: ...


@runtime_checkable
class ShowsBars(Protocol):
    """A ``Progress`` that can show more than lines."""

    def bar(self, label: str, total: int, done: int) -> AbstractContextManager[Bar] | None:
        """A bar of ``total`` bytes, ``done`` of them there; null where there is no terminal."""


class Meter:
    """Counts the bytes of several threads. ``done`` of ``total`` bytes are there before it starts."""

    def __init__(self, label: str, total: int, done: int, progress: Progress) -> None:
        self._label, self._total, self._done, self._progress = label, total, done, progress
        self._before = done
        self._started = self._last = time.monotonic()
        self._guard = threading.Lock()
        self._shown = progress.bar(label, total, done) if isinstance(progress, ShowsBars) else None
        self._bar: Bar | None = None

    def __enter__(self) -> Meter:
        self._bar = self._shown.__enter__() if self._shown else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._shown.__exit__(kind, error, trace)

    def advance(self, count: int) -> None:
        """``count`` more bytes are there (fewer, if negative)."""
        if self._bar:
            self._bar.advance(count)
            return
        with self._guard:
            self._done += count
            now = time.monotonic()
            if now - self._last < LINE_EVERY_S:
                return
            self._last = now
            rate = (self._done - self._before) / (now - self._started)
            left = f", about {(self._total - self._done) / rate:.0f} s left" if rate > 0 else ""
            self._progress(f"{self._label}: {_size(self._done)} of {_size(self._total)}{left}")


def _size(count: int) -> str:
    """``412.0 MB``, in decimal units as indexes give them."""
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
