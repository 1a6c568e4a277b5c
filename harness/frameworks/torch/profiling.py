"""PyTorch's profiler, and what Inductor makes of a model (``TORCH_COMPILE_DEBUG``)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.profiling import Cost

CODE = "inductor"
OPEN = {
    "trace.json": "the time line; open it in https://ui.perfetto.dev or chrome://tracing",
    f"{CODE}/*/output_code.py": "the code that Inductor generated, which runs by itself; open it in any editor",
    f"{CODE}/*/fx_graph_*.py": "the graph that Inductor got, and after its passes; open it in any editor",
    f"{CODE}/*/ir_*.txt": "Inductor's own form, before and after fusion; open it in any editor",
}


def environment(folder: Path) -> dict[str, str]:
    return {"TORCH_COMPILE_DEBUG": "1", "TORCH_COMPILE_DEBUG_DIR": str(folder)}


def profile(run: Callable[[], Any], folder: Path, device: str) -> list[Cost]:
    """On a GPU the time of an operation is that of its kernels."""
    import torch
    from torch.profiler import ProfilerActivity

    on_gpu = device == "gpu"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    for _ in range(2):
        # under the profiler Dynamo compiles an optimizer's step anew: the second time it is there
        with torch.profiler.profile(activities=activities) as profiler:
            run()
    profiler.export_chrome_trace(str(folder / "trace.json"))
    _keep_code(folder)
    return [
        Cost(
            one.key,
            one.count,
            round(1000 * (one.self_device_time_total if on_gpu else one.self_cpu_time_total)),
        )
        for one in profiler.key_averages()
    ]


def _keep_code(folder: Path) -> None:
    """Of the compiler's logs one folder for each graph."""
    logs = folder / "torch_compile_debug"
    for graph in sorted(logs.glob("run_*/torchinductor/*/")):
        (folder / CODE).mkdir(exist_ok=True)
        graph.rename(folder / CODE / graph.name)
    shutil.rmtree(logs, ignore_errors=True)
    for path in (folder / CODE).glob("*/*"):
        if not any(path.match(pattern) for pattern in OPEN):
            path.unlink()
