"""Stacks that run a library's own models, where the others run those that were written for the comparison."""

from __future__ import annotations

from harness import frameworks
from harness.frameworks import StackInfo
from harness.record import Task


class LibraryInfo(StackInfo, frozen=True, kw_only=True):
    """What such a stack says of itself besides: ``base``, the stack that the library is made for and whose driver
    steps its models, and the ``tasks`` that are compared. A workload has a file for it as for any framework."""

    base: str
    tasks: tuple[Task, ...]


def is_library(stack: StackInfo | None) -> bool:
    """Whether the stack runs a library's own models."""
    return isinstance(stack, LibraryInfo)


def base_of(stack: StackInfo) -> StackInfo:
    """The stack that the library is made for; any other stack itself."""
    return frameworks.info(stack.base) if isinstance(stack, LibraryInfo) else stack


def refusal(stack: StackInfo, task: Task) -> str | None:
    """Why the stack does not do this task; null where it does."""
    if not isinstance(stack, LibraryInfo) or task in stack.tasks:
        return None
    return f"{stack.title} is compared in {' and '.join(stack.tasks)} alone, not in {task}"
