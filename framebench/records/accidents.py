"""Ends that say nothing of the work: the trial was stopped, killed, or left without its disk, GPU or container.

How the reason of a host's record begins, or what it holds, stands here too.
"""

from __future__ import annotations

from harness.record import Outcome, Record

KILLED_BY = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"})
"""Signals that come from somebody else; a fault of the program's own ends in another one."""
KERNEL_KILLED = "the kernel's out-of-memory killer ran meanwhile"
"""Beside SIGKILL: the trial itself had asked for too much."""
CLOCK_STEPPED = "clock_stepped"
CONTAINER_LOST = "container_lost"
"""The engine went away, or somebody removed the container or its image."""
GPU_LOST = "gpu_lost"
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
            return killed(outcome) or any(words in (outcome.reason or "") for words in LEFT_WITHOUT)
        case "invalid":
            return (outcome.reason or "").startswith((GPU_LOST, CLOCK_STEPPED, CONTAINER_LOST))
        case _:
            return False


def in_passing(record: Record) -> bool:
    """Whether what ended it from outside is over, as far as can be known: it was killed, or lost its container."""
    return killed(record.outcome) or container_lost(record.outcome)


def killed(outcome: Outcome) -> bool:
    """Whether somebody else killed the trial."""
    own = KERNEL_KILLED in (outcome.reason or "")
    return outcome.status == "crashed" and outcome.signal in KILLED_BY and not own


def container_lost(outcome: Outcome) -> bool:
    """Whether its container went away under the trial."""
    return outcome.status == "invalid" and (outcome.reason or "").startswith(CONTAINER_LOST)
