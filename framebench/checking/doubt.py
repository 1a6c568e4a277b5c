"""What speaks against a record: a sentence that names the field and the mend, and how much it weighs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from framebench.errors import named, one_line

LOOK = "look at the trial's telemetry, and measure again where nothing explains it"
MEND = "records are never edited; restore the file, or delete it and measure again"


class Doubt(NamedTuple):
    """``refused`` is what cannot be true; everything else is for a human to look at."""

    field: str
    words: str
    refused: bool

    def __str__(self) -> str:
        return f"{self.field}: {self.words}"


class Finding(NamedTuple):
    """A doubt about a file."""

    path: Path
    doubt: Doubt

    def __str__(self) -> str:
        return f"{named(self.path)}: {self.doubt}"


def refuse(field: str, words: str, mend: str = MEND) -> Doubt:
    """The record contradicts itself, its commit, or others."""
    return Doubt(one_line(field), f"{one_line(words)}; {mend}" if mend else words, True)


def warn(field: str, words: str, mend: str) -> Doubt:
    """Unlikely, or not to be known here."""
    return Doubt(one_line(field), f"{one_line(words)}; {mend}", False)
