"""Progress of a self-test: a bar per stage on a terminal, a line per stage elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from framebench.commands.phrases import minutes


class SelfTestProgress:
    """``stage`` around each part, ``advance`` after each trial."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def stage(self, name: str, trials: int) -> Iterator[None]:
        """One part of the self-test; nothing is shown of a part without trials."""
        if trials == 0:
            yield
            return
        started = time.monotonic()
        self._task = self._bar.add_task(name, total=trials)
        with self._bar:
            yield
        self.say(f"{name}: {trials} trials in {minutes(time.monotonic() - started)}")
        self._bar.remove_task(self._task)

    def advance(self) -> None:
        """A trial ended and is on disk."""
        self._bar.advance(self._task)

    def say(self, line: str) -> None:
        """One line of text."""
        self._console.print(line, markup=False)
