"""JAX's functions, as they are."""

from __future__ import annotations

from harness.frameworks.jax.exporting import arguments, carried, function

__all__ = ["NAME", "arguments", "carried", "function"]

NAME = "jax.export"
