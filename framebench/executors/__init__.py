"""An executor runs one trial somewhere and hands back its record; docker, venv and system differ in where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from framebench.executors.machine import Machine
from framebench.images import Device
from harness.record import ImageRef, Outcome, Record, TrialSpec

if TYPE_CHECKING:
    from framebench.executors.rows import Rows


class Failure(NamedTuple):
    """What the process could not report itself: OOM kill, signal, timeout. The host writes the record."""

    outcome: Outcome
    duration_ns: int


class StackOn(NamedTuple):
    """What an environment is for: one stack on one kind of device. Its CPU image sees no GPU, and the reverse."""

    stack: str
    device: Device = "cpu"

    def __str__(self) -> str:
        return self.stack if self.device == "cpu" else f"{self.stack} on a GPU"


class Unavailable(NamedTuple):
    """A stack that cannot run on this executor, in one sentence, with what would help."""

    reason: str
    mend: str | None = None


Progress = Callable[[str], None]
"""Receives one line of human-readable progress (a build step, a line of a trial's stderr)."""


class Executor(Protocol):
    name: str  # "docker", "venv" or "system": goes into the record

    @property
    def engine(self) -> str | None:
        """What runs the containers, by name and version; null where there are none."""

    @property
    def rows(self) -> Rows | None:
        """Which image each stack is measured in; null where there are none."""

    def machine(self) -> Machine:
        """The machine that trials run on, which need not be the one that asks."""

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        """Why this stack cannot run on ``count`` such devices here; null if nothing speaks against it.

        Builds and fetches nothing.
        """

    def ready(self, wanted: Iterable[StackOn]) -> dict[StackOn, ImageRef]:
        """Those whose environment is there already; builds and fetches nothing."""

    def prepare(self, wanted: Iterable[StackOn], progress: Progress) -> dict[StackOn, ImageRef | Unavailable]:
        """Build, fetch or find what each needs; idempotent and quick the second time."""

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        """One fresh process; blocks until it ended, was killed at ``spec.timeout_s`` or ``stop`` was called.

        The executor sets ``cache_dir`` and ``cache_state`` of the spec that the harness gets: it alone
        knows where caches can lie.
        """

    def stop(self) -> None:
        """Kill the running trial now (from a signal handler); ``run`` then returns ``interrupted``."""
