"""The stored float64 reference of a workload: ``<workload>/reference.json``, made by ``framebench reference``.

An entry is tied to the hash of the config that it was computed for; another config makes it stale, and it says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness import workloads
from harness.gate.optimizers import Epsilon
from harness.gate.summary import Summary
from harness.record import Task
from harness.workloads.specification import AdamW, Workload

SEED = 0  # weights and batches of everything that is compared or timed
LOSSES = 5  # steps whose losses are compared, at the gate's size: more than there are distinct batches
STEPS = 3  # after which the state is stored


Made = TypeVar("Made", "Entry", "Shape")


class MissingReference(Exception):
    """There is no entry, or a stale one; the message is a sentence with the mend."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What float64 says about one preset, task and form at the gate's batch, seed 0.

    ``losses`` of the first five steps; ``gradients`` of the first step; ``updates``, each tensor after three
    steps minus its start, buffers too; ``outputs`` of all batches and one step more together. ``tolerances`` per
    precision: what each may be off, relative (losses: absolute), measured by disturbing this very computation.
    """

    source: str
    config_sha256: str
    batch: int
    weights_sha256: str
    batches_sha256: str
    losses: list[float] = []
    outputs: dict[str, list[float]] = {}
    gradients: dict[str, list[float]] = {}
    updates: dict[str, list[float]] = {}
    tolerances: dict[str, dict[str, float]] = {}

    def summary(self, what: str, name: str) -> Summary:
        """``what`` is outputs, gradients or updates."""
        return Summary(getattr(self, what)[name])


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What float64 says about one timed shape: losses of the first steps, or the outputs of all
    batches and one step more together; ``tolerances`` as an entry's, for the first five losses. ``sure``: in
    this precision so many losses come before a choice among the model's own predictions tips, if one does."""

    source: str
    config_sha256: str
    losses: list[float] = []
    outputs: dict[str, list[float]] = {}
    tolerances: dict[str, dict[str, float]] = {}
    sure: dict[str, int] = {}


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything in one workload's ``reference.json``."""

    entries: dict[str, Entry] = {}
    shapes: dict[str, Shape] = {}


def entry_key(preset: str, task: Task, smooth: bool, epsilon: Epsilon) -> str:
    """``cpu/train``, ``cpu/train/smooth``, ``cpu/train/uncorrected``."""
    parts = [preset, task, "smooth" if smooth else "", "uncorrected" if epsilon == "uncorrected" else ""]
    return "/".join(part for part in parts if part)


def shape_key(preset: str, task: Task, batch: int, epsilon: Epsilon) -> str:
    """``cpu/train/b16``."""
    key = f"{preset}/{task}/b{batch}"
    return f"{key}/uncorrected" if epsilon == "uncorrected" else key


def epsilon_matters(workload: Workload, task: Task, declared: Epsilon) -> Epsilon:
    """Where epsilon is added matters to AdamW's training alone."""
    return declared if task == "train" and isinstance(workload.optimizer, AdamW) else "corrected"


def path(workload: str) -> Path:
    return workloads.FOLDER / workload / "reference.json"


def read(workload: str) -> Stored:
    """Strictly decode a workload's file; an empty one where there is none."""
    file = path(workload)
    return msgspec.json.decode(file.read_bytes(), type=Stored) if file.exists() else Stored()


def write(workload: str, stored: Stored) -> None:
    """One line per tensor; numbers as they are."""

    def lines(document: Any, depth: int) -> str:
        if isinstance(document, Mapping) and document and depth < 5:
            inner = ",\n".join(
                f"{' ' * depth}{json.dumps(key)}: {lines(value, depth + 1)}"
                for key, value in document.items()
            )
            return "{\n" + inner + "\n" + " " * (depth - 1) + "}"
        return json.dumps(document)

    path(workload).write_text(lines(msgspec.to_builtins(stored), 1) + "\n")


def entry(workload: Workload, preset: str, smooth: bool, task: Task, epsilon: Epsilon) -> Entry:
    """The entry for the preset that the gate compares ``preset`` at; ``MissingReference`` if it cannot be used."""
    size = workload.gate.sizes[preset]
    at = size.preset or preset
    key = entry_key(at, task, smooth, epsilon_matters(workload, task, epsilon))
    stored = read(workload.name).entries.get(key)
    given = formed(workload, at, smooth)
    return _fresh(stored, workload, key, workload.config_sha256(given))


def shape(workload: Workload, preset: str, task: Task, batch: int, epsilon: Epsilon) -> Shape:
    """The timed shape's expectation; ``MissingReference`` if it cannot be used."""
    key = shape_key(preset, task, batch, epsilon_matters(workload, task, epsilon))
    return _fresh(
        read(workload.name).shapes.get(key), workload, key, workload.config_sha256(workload.presets[preset])
    )


def formed(workload: Workload, preset: str, smooth: bool) -> Any:
    """The preset, in its smooth form if asked for."""
    given = workload.presets[preset]
    return given._replace(smooth=True) if smooth else given


def _fresh(stored: Made | None, workload: Workload, key: str, config_sha256: str) -> Made:
    mend = f"make it with: framebench reference {workload.name}"
    if stored is None:
        raise MissingReference(f"harness/workloads/{workload.name}/reference.json has no {key}; {mend}")
    if stored.config_sha256 != config_sha256:
        raise MissingReference(
            f"harness/workloads/{workload.name}/reference.json: {key} is stale,"
            f" the specification has changed since; {mend}"
        )
    return stored
