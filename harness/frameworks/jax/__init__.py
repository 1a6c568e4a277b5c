"""JAX: the stack ``jax``, with optax for the optimizer; ``keras-jax`` stands on it too."""

from __future__ import annotations

from pathlib import Path

from harness.frameworks import StackInfo

REFUSALS = {
    "jax.errors.ConcretizationTypeError": "",
    "jax.errors.TracerArrayConversionError": "",
    "jax.errors.TracerIntegerConversionError": "",
    "jax.errors.NonConcreteBooleanIndexError": "",
    "builtins.TypeError": "Shapes must be 1D sequences of concrete values",
}

STACKS = (
    StackInfo(
        name="jax",
        title="JAX",
        framework="jax",
        modes={"eager": ("",), "compiled": ("",)},
        modules=("jax", "optax"),
        refusals=REFUSALS,
        words={"compiled": "jit"},
        about=(
            "A model is a pure function of its parameters, a tree of arrays. `grad` derives the gradient's function "
            "from it by tracing, `jit` hands a traced function to XLA, which compiles it as a whole; state goes in "
            "and comes out. Without `jit` each operation is dispatched by itself."
        ),
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """XLA's CPU client sizes its thread pool by ``NPROC``; the cache keeps even quick compilations."""
    variables = {"NPROC": str(cores)}
    if cache_dir is not None:
        variables |= {
            "JAX_COMPILATION_CACHE_DIR": str(Path(cache_dir) / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return variables
