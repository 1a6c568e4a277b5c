"""What stacks and workloads declare, looked up once: the harness searches its folders at every question, and a site
asks ten thousands of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from harness import frameworks, workloads
from harness.frameworks import StackInfo
from harness.frameworks.exported import is_exported
from harness.frameworks.library import is_library


def stacks() -> dict[str, StackInfo]:
    """``frameworks.stacks()``."""
    known: dict[str, StackInfo] = _once(frameworks.stacks)
    return known


def is_framework(stack: StackInfo | None) -> bool:
    """Whether models are written in it for the comparison: neither another's exports nor a library's own run in it."""
    return not is_exported(stack) and not is_library(stack)


def workload(name: str) -> Any:
    """``workloads.get(name)``, a ``Workload``; ``KeyError`` if there is no such folder."""
    return _once(workloads.get, name)


@functools.cache
def _once(look_up: Callable[..., Any], *names: str) -> Any:
    return look_up(*names)
