"""PyTorch: threads, precision, ``torch.compile`` with Inductor, allocator, versions."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.frameworks import StackInfo, Unsupported
from harness.operands import operands
from harness.record import Case, Contender, Precision, Settings


def load(info: StackInfo) -> TorchStack:
    import torch  # noqa: F401  (the import is what ``load`` is timed for)

    return TorchStack(info)


class TorchStack:
    """Serves ``torch``, and ``keras-torch`` through ``keras.py``."""

    def __init__(self, info: StackInfo) -> None:
        import torch

        self.torch = torch
        self.info = info
        self.device = torch.device("cpu")
        self.compiled = False
        self.precision: Precision = "fp32"

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """Precision, device and layout as declared. Threads are PyTorch's own defaults for the cores of the case."""
        torch = self.torch
        self.compiled, self.precision = contender.mode == "compiled", case.precision
        self.device = torch.device("cuda" if case.device == "gpu" else "cpu")
        if case.device == "gpu" and not torch.cuda.is_available():
            raise Unsupported(
                "PyTorch sees no GPU", "run it where NVIDIA's driver and a CUDA build of PyTorch are"
            )
        if case.precision == "tf32" and case.device == "cpu":
            raise Unsupported("a CPU has no TF32", "ask for fp32 or bf16")
        if self.compiled and case.device == "cpu":
            require_cpp_compiler()
        torch.set_float32_matmul_precision("high" if case.precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = case.precision == "tf32"
        torch.manual_seed(seed)
        return Settings(
            layout="NCHW, channels last" if contender.variant == "channels-last" else "NCHW",
            device=str(self.device),
            gpus_visible=torch.cuda.device_count(),
            threads={
                "intra": torch.get_num_threads(),
                "inter": torch.get_num_interop_threads(),
                "mkl": mkl_threads(torch.__config__.parallel_info()),
            },
            precision={
                "float32_matmul": torch.get_float32_matmul_precision(),
                "cudnn_tf32": torch.backends.cudnn.allow_tf32,
                "compute": "bfloat16" if case.precision == "bf16" else "float32",
            },
            compile={
                "mode": contender.mode,
                "compiler": "inductor" if self.compiled else None,
                "cache": "inductor" if self.compiled and "TORCHINDUCTOR_CACHE_DIR" in os.environ else None,
            },
        )

    def barrier(self, output: Any) -> Any:
        """Nothing is asynchronous on a CPU."""
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        tensor = tensor.detach()
        array: np.ndarray = (tensor.float() if tensor.dtype == self.torch.bfloat16 else tensor).cpu().numpy()
        return array

    def to_device(self, array: np.ndarray) -> Any:
        return self.torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        if not self.compiled:
            return function
        compiled: Callable[..., Any] = self.torch.compile(function, **({"fullgraph": True} | options))
        return compiled

    def compile_events(self) -> int | None:
        """Graphs that Dynamo has made; importing Dynamo only to ask would cost an eager run a second."""
        if "torch._dynamo" not in sys.modules:
            return 0
        from torch._dynamo.utils import counters

        return int(counters["stats"]["unique_graphs"])

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        if not self.compiled:
            return {}
        from torch._dynamo.utils import counters

        return {
            "graphs": int(counters["stats"]["unique_graphs"]),
            "graph_breaks": sum(counters["graph_break"].values()),
        }

    def kernels(self) -> dict[str, str]:
        """Nothing here; the driver knows which attention was asked for."""
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        if self.device.type == "cuda":
            return int(self.torch.cuda.max_memory_allocated()), None
        return None, "PyTorch's CPU allocator keeps no peak"

    def versions(self) -> dict[str, str]:
        torch = self.torch
        found = {"torch": torch.__version__, "cuda": torch.version.cuda}
        if torch.version.cuda and torch.backends.cudnn.is_available():
            found["cudnn"] = str(torch.backends.cudnn.version())
        return {name: str(version) for name, version in found.items() if version}

    def matmul(self, size: int) -> Callable[[], Any]:
        a, b = (self.to_device(array) for array in operands(size))
        if self.precision == "bf16":
            a, b = a.bfloat16(), b.bfloat16()
        return lambda: self.torch.matmul(a, b)


def require_cpp_compiler() -> None:
    """Inductor on a CPU writes C++ and runs what ``CXX`` (default ``g++``) makes of it."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise Unsupported(
            "no C++ compiler",
            f"torch.compile needs {compiler!r} on the PATH: install g++ (Debian: apt install g++) "
            "or run this contender in its image",
        )
    folder = Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", "/tmp"))
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if os.statvfs(existing).f_flag & os.ST_NOEXEC:
        raise Unsupported(
            f"the compile cache {existing} is on a file system mounted noexec",
            "put the cache folder where compiled code may be executed",
        )


def mkl_threads(parallel_info: str) -> int | None:
    """Threads of the MKL inside PyTorch's own library, which no other function reaches; null without MKL."""
    found = re.search(r"mkl_get_max_threads\(\) : (\d+)", parallel_info)
    return int(found[1]) if found else None
