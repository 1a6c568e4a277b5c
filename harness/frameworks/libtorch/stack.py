"""libtorch on the CPU: threads, versions, and the C++ that is compiled against the wheel."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness import frameworks
from harness.cores import cores_allowed
from harness.frameworks import Stack, Unsupported
from harness.frameworks.exported import ExportInfo, source_contender
from harness.record import Case, Contender, Settings

FOLDER = Path(__file__).parent


def load(info: ExportInfo) -> LibtorchStack:
    return LibtorchStack(info, frameworks.load(info.source))


class LibtorchStack:
    """Every call is finished when it returns."""

    def __init__(self, info: ExportInfo, source: Stack) -> None:
        self.info, self.source = info, source
        self.variant = ""
        self.facts: dict[str, str | bool | int | None] = {}

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """As PyTorch's, whose threads these are."""
        if case.device == "gpu":
            raise Unsupported("exported models are run on the CPU here", "ask for device cpu")
        if case.precision != "fp32":
            raise Unsupported(f"models are exported in fp32, not {case.precision}", "ask for fp32")
        self.variant = contender.variant
        own = self.source.configure(case, source_contender(self.info), seed)
        self.binaries = compiled()
        return Settings(
            layout=own.layout,
            device="cpu",
            gpus_visible=0,
            threads={"intra": cores_allowed()},
            precision=own.precision,
            compile={"mode": contender.mode, "compiler": contender.variant, "cache": None},
        )

    def barrier(self, output: Any) -> Any:
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(self.source.to_host(tensor))

    def to_device(self, array: np.ndarray) -> Any:
        return self.source.to_device(array)

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return function

    def compile_events(self) -> int | None:
        return 0

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        """Of the last export: the file's bytes, the batch that was traced, how long it took."""
        return self.facts

    def kernels(self) -> dict[str, str]:
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        return self.source.allocator_peak()

    def versions(self) -> dict[str, str]:
        own = self.source.versions()
        return {"libtorch": own["torch"]} | own

    def matmul(self, size: int) -> Callable[[], Any]:
        return self.source.matmul(size)


def compiled() -> Path:
    """The folder with ``libpackage.so`` and ``program``, made once for these sources and this libtorch."""
    import torch

    wheel = Path(torch.__file__).parent
    digest = hashlib.sha256(torch.__version__.encode())
    for name in ("package.h", "package.cpp", "program.cpp"):
        digest.update((FOLDER / name).read_bytes())
    cache = Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", tempfile.gettempdir()))
    folder = cache / f"libtorch-{digest.hexdigest()[:16]}"
    if (folder / "program").exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=cache))
    compiler = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2"]
    headers = [f"-I{wheel / 'include'}", f"-I{wheel / 'include/torch/csrc/api/include'}"]
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    libraries = [f"-L{wheel / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{wheel / 'lib'}"]
    library, program = str(made / "libpackage.so"), str(made / "program")
    _run(
        [*compiler, "-fPIC", "-shared", abi, *headers, str(FOLDER / "package.cpp"), "-o", library, *libraries]
    )
    beside = [f"-L{made}", "-lpackage", "-Wl,-rpath,$ORIGIN", f"-Wl,-rpath-link,{wheel / 'lib'}"]
    _run([*compiler, str(FOLDER / "program.cpp"), "-o", program, *beside])
    try:
        made.rename(folder)
    except OSError:  # another trial was first
        return folder if (folder / "program").exists() else made
    return folder


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unsupported(
            "no C++ compiler",
            f"libtorch's program needs {command[0]!r} on the PATH: install g++ (Debian: apt install g++) "
            "or run this contender in its image",
        ) from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr[-3000:]}")


def library(folder: Path) -> Any:
    """The C interface of ``package.cpp``."""
    loaded = ctypes.CDLL(str(folder / "libpackage.so"))
    shape, pointer = ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "package_error": (ctypes.c_char_p, []),
        "package_load": (pointer, [ctypes.c_char_p, ctypes.c_int]),
        "package_free": (None, [pointer]),
        "package_clear": (None, [pointer]),
        "package_feed": (ctypes.c_int, [pointer, ctypes.c_int, pointer, ctypes.c_int, shape, ctypes.c_int]),
        "package_run": (ctypes.c_int, [pointer, ctypes.c_int64, ctypes.c_int64]),
        "package_outputs": (ctypes.c_int, [pointer]),
        "package_output": (pointer, [pointer, ctypes.c_int, shape, ctypes.POINTER(ctypes.c_int)]),
    }
    for name, (gives, takes) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = gives, takes
    return loaded
