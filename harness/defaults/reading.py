"""How an answer is made: read from a signature, measured, or null with its reason."""

from __future__ import annotations

import inspect
from functools import partial
from importlib import import_module
from typing import Any

from harness.defaults import Answers, Default, Value


def parameter(path: str, name: str) -> Default:
    """The default of a parameter of what the dotted ``path`` names, e.g. ``torch.optim.Adam``."""
    declared = inspect.signature(named(path)).parameters[name].default
    if declared is inspect.Parameter.empty:
        return absent(f"{path} has no default for {name}: its user has to say it")
    value = ", ".join(map(str, declared)) if isinstance(declared, tuple) else declared
    return Default(value=value, read=f"{path}({name})")


def measured(value: Value, by: str) -> Default:
    """What a computation showed; ``by`` names what was run."""
    return Default(value=value, read=by)


def absent(reason: str) -> Default:
    """The framework has no such thing."""
    return Default(value=None, reason=reason)


def without(questions: str, reason: str) -> Answers:
    """None of these, separated by spaces, has an answer."""
    return {name: partial(absent, reason) for name in questions.split()}


def named(path: str) -> Any:
    """The object of a dotted path, whichever part of it is a module."""
    package, *rest = path.split(".")
    found = import_module(package)
    for part in rest:
        found = getattr(found, part)
    return found
