"""The references that are committed: made by one command per workload, read by the parity trial.

``<workload>/reference.json`` holds what float64 says about each preset and task (see ``harness.parity``),
``<workload>/digests.json`` the SHA-256 of each preset's weights and batches at seed 0.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from harness import parity, workloads
from harness.record import Task
from harness.workloads import philox

SEED = 0
FOLDER = Path(__file__).parent


def expected(workload: str, preset: str, task: Task) -> parity.Reference:
    """The stored reference; ``ValueError`` with the mend if the preset has none."""
    stored = parity.read_references(FOLDER / workload / "reference.json")
    if f"{preset}/{task}" not in stored:
        raise ValueError(
            f"{workload}/reference.json has no {preset}/{task}; "
            f"write it with: python -m harness.workloads.{workload}.reference"
        )
    return stored[f"{preset}/{task}"]


def digests(workload: str) -> dict[str, dict[str, str]]:
    """The committed ``{preset: {"weights": sha256, "batches": sha256}}`` at seed 0."""
    stored: dict[str, dict[str, str]] = json.loads((FOLDER / workload / "digests.json").read_text())
    return stored


def current_digests(workload: str, preset: str) -> dict[str, str]:
    """What this interpreter makes of the same: the weights, and the parity batches, of seed 0."""
    spec: Any = workloads.get(workload)
    return {
        "weights": philox.digest(spec.weights(preset, SEED)),
        "batches": philox.digest(spec.parity_batches(preset)._asdict()),
    }


def compute(spec: Any, preset: str) -> dict[str, parity.Reference]:
    """``{"<preset>/train": ..., "<preset>/infer": ...}`` from the workload's own fp64 NumPy code."""
    module = importlib.import_module(f"harness.workloads.{spec.name}.reference")
    weights, batches = spec.weights(preset, SEED), spec.parity_batches(preset)
    logits = module.forward(weights, batches.x[0]).logits
    training = module.train(weights, batches, parity.STEPS, spec.learning_rate, spec.momentum)
    common: dict[str, Any] = {
        "source": f"numpy {np.__version__} float64",
        "preset": preset,
        "batch": spec.parity_batch(preset),
        "seed": SEED,
    }
    return {
        f"{preset}/infer": parity.Reference(
            task="infer", logits=parity.summarise(logits, "logits"), **common
        ),
        f"{preset}/train": parity.Reference(
            task="train",
            loss=training.loss,
            gradients={
                name: parity.summarise(array, f"gradient {name}")
                for name, array in training.gradients.items()
            },
            updates={
                name: parity.summarise(array, f"update {name}") for name, array in training.updates.items()
            },
            **common,
        ),
    }


def regenerate(workload: str) -> None:
    """Write both files of a workload, all its presets."""
    spec = workloads.get(workload)
    references: dict[str, parity.Reference] = {}
    for preset in spec.presets:
        print(f"{workload}/{preset} ...", file=sys.stderr)
        references |= compute(spec, preset)
    parity.write_references(FOLDER / workload / "reference.json", references)
    found = {preset: current_digests(workload, preset) for preset in spec.presets}
    (FOLDER / workload / "digests.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
