"""What a framework does where its user says nothing, asked of the packages that are installed.

Nothing is typed in: an answer is read from a signature or found by running a tiny computation. A framework that has
answers offers ``answers(info)`` in ``harness/frameworks/<name>/defaults.py``: by the question's name, a function that
gives a ``Default``. The questions in words are ``containers/defaults/questions.toml``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from harness import frameworks

Value = float | int | bool | str
Answers = dict[str, Callable[[], "Default"]]


class Default(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """``value``, and by what it was read or measured (``read``); without a value, the ``reason`` why there is none."""

    value: Value | None
    read: str | None = None
    reason: str | None = None


def table(stack: str) -> dict[str, Any]:
    """Every answer of a stack, with the versions that gave them. ``Unsupported`` if it is not installed."""
    loaded = frameworks.load(stack)
    module = importlib.import_module(f"harness.frameworks.{loaded.info.framework}.defaults")
    return {
        "stack": stack,
        "packages": loaded.versions() | {"numpy": np.__version__},
        "answers": {name: answer() for name, answer in module.answers(loaded.info).items()},
    }
