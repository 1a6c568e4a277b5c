"""Bring one file to disk, going on where an earlier attempt stopped (HTTP range requests, RFC 9110)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
from unearth import Link

from framebench.errors import UserError

PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Between tries that brought nothing; a try that brought bytes starts the count again."""


class Stopped(Exception):
    """The download was told to stop; what had come is kept."""


class Gone(Exception):
    """The server does not give the file out (any more)."""


class Download:
    """One file from ``url`` into ``part``, to which bytes are appended as they come.

    ``size`` is the length that is expected, null if unknown: no more than one chunk beyond it is taken, so that a
    server with another file cannot fill the disk. ``advance`` is told how many bytes came; of a negative number when
    some have to be fetched again. Once ``stop`` is set, the download ends with ``Stopped``.
    """

    def __init__(
        self,
        client: httpx2.Client,
        url: str,
        part: Path,
        size: int | None = None,
        advance: Callable[[int], object] = int,
        stop: threading.Event | None = None,
    ) -> None:
        self._client, self._url, self._part, self._size = client, url, part, size
        self._advance = advance
        self._stop = stop or threading.Event()

    def run(self) -> None:
        """Until the file is whole.

        Raises
        ------
        Gone
            when the server refuses the file.
        UserError
            when it broke off again and again; the sentence says how much is kept.
        """
        tries = 0
        while True:
            had = kept(self._part)
            try:
                if self._receive(had):
                    return
                error = "the connection ended early"
            except httpx2.HTTPStatusError as failure:
                status = failure.response.status_code
                error = f"{status} {failure.response.reason_phrase}"
                if status < 500 and status not in (408, 429):
                    raise Gone(error) from None
            except httpx2.TransportError as failure:
                error = str(failure) or type(failure).__name__
            if kept(self._part) > had:
                tries = 0
                continue
            if tries == len(PAUSES_S):
                raise UserError(
                    f"{redacted(self._url)} broke off, and {tries + 1} tries brought nothing more ({error});"
                    f" {kept(self._part):,} bytes are kept, and the same command goes on from there."
                )
            self._stop.wait(PAUSES_S[tries])
            tries += 1

    def _receive(self, have: int) -> bool:
        """One request; true when the file is whole, or longer than it should be."""
        if have == self._size:
            return True
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with (
            self._client.stream("GET", self._url, headers=headers) as answer,
            self._part.open("ab") as file,
        ):
            beyond = answer.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE
            if not beyond:
                answer.raise_for_status()
            if have and answer.status_code != httpx2.codes.PARTIAL_CONTENT:
                file.truncate(0)  # more is kept than the file has, or no ranges here: from the beginning
                self._advance(-have)
            if beyond:
                return False
            for chunk in answer.iter_raw():
                if self._stop.is_set():
                    raise Stopped
                file.write(chunk)
                self._advance(len(chunk))
                if self._size is not None and file.tell() > self._size:
                    return True
            return "Content-Length" in answer.headers or file.tell() == self._size


def kept(part: Path) -> int:
    """Bytes that are there already."""
    return part.stat().st_size if part.exists() else 0


def redacted(url: str) -> str:
    """The address without the password that may be in it."""
    return Link(url).redacted
