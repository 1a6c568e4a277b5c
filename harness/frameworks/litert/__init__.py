"""LiteRT, TensorFlow Lite's successor: runs what TensorFlow and Keras on TensorFlow were converted to."""

from __future__ import annotations

from harness import frameworks
from harness.frameworks.exported import NO_FLOAT64, ExportInfo

_ABOUT = (
    "LiteRT, as TensorFlow Lite is called now, runs the file on the CPU without TensorFlow. It has its own operations "
    "alone: a file that needs TensorFlow's does not run, whoever wrote it. The batch is left open. The gate compares "
    "in fp32 alone, because that is what is exported."
)
STACKS = (
    ExportInfo(
        name="litert-tensorflow",
        title="LiteRT, from TensorFlow",
        framework="litert",
        source="tensorflow",
        modes={"compiled": ("",)},
        plainest=("compiled", ""),
        modules=("ai_edge_litert", "tensorflow"),
        words={"compiled": "TFLiteConverter"},
        float64_floor=NO_FLOAT64,
        about=f"TensorFlow's model is written as a SavedModel, and `TFLiteConverter` turns that into a file. {_ABOUT}",
    ),
    ExportInfo(
        name="litert-keras-tensorflow",
        title="LiteRT, from Keras on TensorFlow",
        framework="litert",
        source="keras-tensorflow",
        modes={"compiled": ("",)},
        plainest=("compiled", ""),
        modules=("ai_edge_litert", "keras", "tensorflow"),
        words={"compiled": "Model.export"},
        float64_floor=NO_FLOAT64,
        about=f'`Model.export(format="litert")` writes Keras\' model into a file, by `TFLiteConverter`. {_ABOUT}',
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """What the exporting framework reads; LiteRT reads nothing at import."""
    return frameworks.environment(stack.removeprefix("litert-"), cores, cache_dir)
