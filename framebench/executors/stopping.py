"""A stop request that a signal handler may make while another call is waiting for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


class StopRequest:
    """A pipe that holds bytes once ``make`` was called, one for each trial to stop: selectable, and free of locks.

    A lock could be held by the very thread that the signal handler interrupted. A request made while no
    trial runs stays and holds for the next one.
    """

    def __init__(self) -> None:
        self._running = 0
        self._read, self._write = os.pipe()  # closed by itself when another program starts
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def make(self) -> None:
        """One for each trial that runs, or for the next one if none does."""
        with contextlib.suppress(BlockingIOError):  # the pipe is full of requests: it is made
            os.write(self._write, b"!" * max(1, self._running))

    def take(self) -> bool:
        """Whether a request was made that nobody has taken yet."""
        try:
            return bool(os.read(self._read, 1))
        except BlockingIOError:
            return False

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """While a trial runs, a request is meant for it too."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def fileno(self) -> int:
        return self._read

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)
