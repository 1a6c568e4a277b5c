"""Runs a file of `jax.export` with JAX alone: ``python program.py MODEL INPUTS.npz OUTPUTS.npz``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export


def loaded(written: bytes) -> Callable[..., Any]:
    """The function in the file; compiled at the first call of each shape."""
    function: Callable[..., Any] = jax.jit(export.deserialize(bytearray(written)).call)
    return function


def main(model: str, given: str, made: str) -> None:
    with np.load(given) as inputs:
        outputs = loaded(Path(model).read_bytes())(*(inputs[name] for name in inputs.files))
    np.savez(made, *map(np.asarray, jax.tree.leaves(outputs)))


if __name__ == "__main__":
    main(*sys.argv[1:])
