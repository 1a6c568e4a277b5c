"""libtorch: PyTorch's C++ library runs what PyTorch exported, without Python."""

from __future__ import annotations

from harness import frameworks
from harness.frameworks.exported import GENERATION, NO_FLOAT64, ExportInfo

STACKS = (
    ExportInfo(
        name="libtorch",
        title="libtorch in C++, from PyTorch",
        framework="libtorch",
        source="torch",
        tasks=("infer", *GENERATION),
        modes={"compiled": ("aotinductor", "torchscript")},
        plainest=("compiled", "aotinductor"),
        modules=("torch",),
        words={"compiled": "", "aotinductor": "AOTInductor", "torchscript": "TorchScript"},
        float64_floor=NO_FLOAT64,
        about=(
            "PyTorch's model in C++. `torch.export` traces it with the batch left open and AOTInductor compiles that "
            "ahead of time into a package; TorchScript, its deprecated predecessor, records the operations of one run. "
            "A small C++ library of ours, compiled against the wheel's own libtorch, loads either and runs it. Before "
            "anything is timed, a C++ program without Python runs the file once too and must give the same bits. "
            "libtorch does not load ONNX. The gate compares in fp32 alone, because that is what is exported."
        ),
    ),
)


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """PyTorch's: it exports, and its compiler compiles."""
    return frameworks.environment("torch", cores, cache_dir)
