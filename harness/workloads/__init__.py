"""A workload is specified once and implemented per framework; it never knows a clock.

``workloads/<name>/`` holds ``spec.py`` (a ``SPEC`` made of ``specification``'s values), one short file per framework
(``torch.py``, ``tensorflow.py``, ``keras.py``, ``jax.py``) with the model as that framework's users write it, and
``reference.json``, what float64 says about it. Discovery is by folder. What a framework's file offers is said in that
framework's ``driver.py``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.record import Case, Contender
from harness.workloads.specification import Work, Workload

FOLDER = Path(__file__).parent
SELF_TEST = "planted"  # proves the machinery; frameworks are not compared on it


class Job(NamedTuple):
    """What a driver needs: which model, at which size, in which precision, and what to load.

    ``preset`` and ``batch`` may be smaller than the case's (the gate's). ``precision`` may be ``fp64`` (the
    gate's too).
    """

    workload: Workload
    file: ModuleType | Any
    preset: Any
    batch: int
    precision: Literal["fp64", "fp32", "tf32", "bf16"]
    case: Case
    contender: Contender
    weights: Mapping[str, np.ndarray]
    batches: Mapping[str, np.ndarray]

    @property
    def work(self) -> Work:
        """What a step of the case's task takes and gives."""
        return self.workload.work(self.case.task, self.preset)


def names() -> list[str]:
    """Workload folders that frameworks are compared on, sorted."""
    return [name for name in _folders() if name != SELF_TEST]


def get(name: str) -> Workload:
    """The specification of a workload; ``KeyError`` if there is no such folder."""
    if name not in _folders():
        raise KeyError(name)
    return importlib.import_module(f"{__name__}.{name}.spec").SPEC  # type: ignore[no-any-return]


def broken() -> dict[str, str]:
    """``{folder: error}`` of workloads whose specification cannot be imported."""
    errors: dict[str, str] = {}
    for name in _folders():
        try:
            get(name)
        except Exception as error:
            errors[name] = f"{type(error).__name__}: {error}"
    return errors


def _folders() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(__path__) if info.ispkg)


def has_file(workload: str, framework: str) -> bool:
    """Whether the workload has a file for this framework."""
    return (FOLDER / workload / f"{framework}.py").is_file()


def file(workload: str, framework: str) -> ModuleType:
    """The workload's file for a framework, imported: the framework has to be importable."""
    return importlib.import_module(f"{__name__}.{workload}.{framework}")
