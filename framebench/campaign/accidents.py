"""Ends that say nothing of the work: the trial was stopped, killed, or left without its disk, GPU or container."""

from __future__ import annotations

from framebench.executors.ending import CONTAINER_LOST
from framebench.executors.process import KERNEL_KILLED
from harness.record import Record

KILLED_BY = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"})
"""Signals that come from somebody else; a fault of the program's own ends in another one."""
CLOCK_STEPPED = "clock_stepped"
LEFT_WITHOUT = (
    "No space left on device",
    "Disk quota exceeded",
    "Input/output error",
    "Stale file handle",
    "Transport endpoint is not connected",  # of a file system over a network, as the one before
)


def from_outside(record: Record) -> bool:
    """Whether something outside the trial ended it, so that the same trial may well end otherwise."""
    outcome = record.outcome
    match outcome.status:
        case "interrupted":
            return True
        case "crashed":
            reason = outcome.reason or ""
            killed = outcome.signal in KILLED_BY and KERNEL_KILLED not in reason
            return killed or any(words in reason for words in LEFT_WITHOUT)
        case "invalid":
            return (outcome.reason or "").startswith(("gpu_lost", CLOCK_STEPPED, CONTAINER_LOST))
        case _:
            return False


def container_lost(record: Record) -> bool:
    """Whether the trial lost its container, which the executor has an engine for again."""
    return record.outcome.status == "invalid" and (record.outcome.reason or "").startswith(CONTAINER_LOST)
