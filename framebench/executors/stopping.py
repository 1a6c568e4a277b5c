"""A stop request that a signal handler may make while another call is waiting for it."""

from __future__ import annotations

import contextlib
import os


class StopRequest:
    """A pipe with one byte in it once ``make`` was called: selectable, and free of locks.

    A lock could be held by the very thread that the signal handler interrupted. A request made while no
    trial runs stays and holds for the next one.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def make(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the pipe is full of requests: it is made
            os.write(self._write, b"!")

    def take(self) -> bool:
        """Whether a request was made since the last ``take``."""
        try:
            return bool(os.read(self._read, 65536))
        except BlockingIOError:
            return False

    def fileno(self) -> int:
        return self._read

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)
