"""What encoders get wrong, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.gate.mutants import Mutant, batches, patched, preset
from harness.workloads import Job


def padding_is_seen(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """Attention looks at the padding too."""
    return np.ones_like(array) if name == "mask" else array


def one_too_many(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """Attention looks at the first place of the padding."""
    if name != "mask":
        return array
    seen = array.copy()
    seen[..., 1:] |= array[..., :-1]
    return seen


def other_gelu(gelu: Callable[..., Any]) -> Callable[..., Any]:
    """x times the normal distribution of 1.002 x: as far from the exact form as the one with tanh is."""
    return lambda x, **form: gelu(1.002 * x, **form) / 1.002


MUTANTS = (
    Mutant("padding is seen", batches(padding_is_seen)),
    Mutant("one place of the padding is seen", batches(one_too_many)),
    Mutant("another form of GELU", patched("gelu", other_gelu)),
    Mutant("another epsilon of LayerNorm", preset("epsilon", lambda epsilon: 1e-5)),
)
