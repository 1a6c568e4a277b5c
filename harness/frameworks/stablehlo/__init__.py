"""StableHLO: what `jax.export` writes of JAX's functions, loaded again and compiled by XLA."""

from __future__ import annotations

from harness import frameworks
from harness.frameworks.exported import GENERATION, NO_FLOAT64, ExportInfo

_ABOUT = (
    "as StableHLO, the language that XLA reads, with the batch left open. It is loaded again and compiled for the "
    "batch that it is run at. Before anything is timed, a program that imports JAX and nothing of the model runs the "
    "file in a process of its own and must give the same bits. The gate compares in fp32 alone, because that is what "
    "is exported."
)
STACKS = (
    ExportInfo(
        name="stablehlo-jax",
        title="StableHLO, from JAX",
        framework="stablehlo",
        source="jax",
        tasks=("infer", *GENERATION),
        modes={"compiled": ("",)},
        plainest=("compiled", ""),
        modules=("jax", "flatbuffers"),
        words={"compiled": "jax.export"},
        float64_floor=NO_FLOAT64,
        about=f"`jax.export` writes JAX's function {_ABOUT}",
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """JAX's: it exports, and XLA compiles."""
    return frameworks.environment("jax", cores, cache_dir)
