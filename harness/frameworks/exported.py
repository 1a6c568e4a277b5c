"""Stacks that run what another stack's model was exported to."""

from __future__ import annotations

import math

from harness import frameworks
from harness.frameworks import StackInfo
from harness.record import PHASES, Contender, Task

GENERATION: tuple[Task, ...] = ("prefill", "decode")

NO_FLOAT64 = math.inf  # as a stack's ``float64_floor``: it computes nothing in float64


class ExportInfo(StackInfo, frozen=True, kw_only=True):
    """What such a stack says of itself besides: ``source``, the stack whose model it runs, and the ``tasks`` that it
    is exported for. A trial exports, loads and runs; the package that it loads is made anew in each."""

    source: str
    tasks: tuple[Task, ...] = ("infer",)


def is_exported(stack: StackInfo | None) -> bool:
    """Whether the stack runs what another exported."""
    return isinstance(stack, ExportInfo)


def source_of(stack: StackInfo) -> StackInfo:
    """The stack in which the model is written: that one itself, but where it runs what another exported."""
    return frameworks.info(stack.source) if isinstance(stack, ExportInfo) else stack


def source_contender(stack: ExportInfo) -> Contender:
    """The source in its plainest form."""
    mode, variant = source_of(stack).plainest
    return Contender(stack=stack.source, mode=mode, variant=variant)


def refusal(stack: StackInfo, task: Task) -> str | None:
    """Why the stack does not do this task; null where it does."""
    if not isinstance(stack, ExportInfo) or task in stack.tasks:
        return None
    if task == "train":
        return f"{stack.title}: an exported model is run, and does not train"
    if task == "load":
        return f"{stack.title}: files are loaded by the framework that the model is from"
    if task in PHASES:
        return f"{stack.title}: the whole model is exported, not its {task} alone"
    return f"{stack.title}: its exporter writes a model alone, and not the cache that {task} changes"
