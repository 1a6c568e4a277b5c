"""An executor runs one trial somewhere and hands back its record; docker, venv and system differ in where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from harness.record import ImageRef, Outcome, Record, TrialSpec


class Failure(NamedTuple):
    """What the process could not report itself: OOM kill, signal, timeout. The host writes the record."""

    outcome: Outcome
    duration_ns: int


class Unavailable(NamedTuple):
    """A stack that cannot run on this executor, in one sentence, with what would help."""

    reason: str
    mend: str | None = None


Progress = Callable[[str], None]
"""Receives one line of human-readable progress (a build step, a line of a trial's stderr)."""


class Executor(Protocol):
    name: str  # "docker", "venv" or "system": goes into the record

    def ready(self, stacks: Iterable[str]) -> dict[str, ImageRef]:
        """Those of the stacks whose environment is there already; builds and fetches nothing."""

    def prepare(self, stacks: Iterable[str], progress: Progress) -> dict[str, ImageRef | Unavailable]:
        """Build, fetch or find what each stack needs; idempotent and quick the second time."""

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        """One fresh process; blocks until it ended, was killed at ``spec.timeout_s`` or ``stop`` was called.

        The executor sets ``cache_dir`` and ``cache_state`` of the spec that the harness gets: it alone
        knows where caches can lie.
        """

    def stop(self) -> None:
        """Kill the running trial now (from a signal handler); ``run`` then returns ``interrupted``."""
