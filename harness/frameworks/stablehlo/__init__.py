"""StableHLO: what `jax.export` writes of functions of JAX, loaded again and compiled by XLA."""

from __future__ import annotations

from harness import frameworks
from harness.frameworks.exported import GENERATION, NO_FLOAT64, ExportInfo
from harness.record import Task

_ABOUT = (
    "as StableHLO, the language that XLA reads, with the batch left open. It is loaded again and compiled for the "
    "batch that it is run at. Before anything is timed, a program that imports JAX and nothing of the model runs the "
    "file in a process of its own and must give the same bits. The gate compares in fp32 alone, because that is what "
    "is exported."
)


def _stack(
    source: str, title: str, modules: tuple[str, ...], tasks: tuple[Task, ...], what: str
) -> ExportInfo:
    return ExportInfo(
        name=f"stablehlo-{source}",
        title=f"StableHLO, from {title}",
        framework="stablehlo",
        source=source,
        tasks=tasks,
        modes={"compiled": ("",)},
        plainest=("compiled", ""),
        modules=(*modules, "jax", "flatbuffers"),
        words={"compiled": "jax.export"},
        float64_floor=NO_FLOAT64,
        about=f"`jax.export` writes {what} {_ABOUT}",
    )


STACKS = (
    _stack("jax", "JAX", (), ("infer", *GENERATION), "JAX's function"),
    _stack(
        "keras-jax",
        "Keras on JAX",
        ("keras",),
        ("infer",),
        "the step that `predict` compiles of Keras' model",
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """The source's: it exports, and its XLA compiles."""
    return frameworks.environment(stack.removeprefix("stablehlo-"), cores, cache_dir)
