"""The C++ beside this file, compiled against the wheel's libtorch, and its C interface."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from harness.frameworks import Unsupported

FOLDER = Path(__file__).parent
SOURCES = ("package.h", "package.cpp", "program.cpp")


def compiled() -> Path:
    """The folder with ``libpackage.so`` and ``program``: made once for these sources and this libtorch where there is
    a compile cache, else for this process. ``Unsupported`` without a compiler."""
    import torch

    digest = hashlib.sha256(torch.__version__.encode())
    for name in SOURCES:
        digest.update((FOLDER / name).read_bytes())
    cache = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    if cache is None:
        return _compile(Path(tempfile.mkdtemp(prefix="libtorch-")), Path(torch.__file__).parent)
    kept = Path(cache) / f"libtorch-{digest.hexdigest()[:16]}"
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    made = _compile(Path(tempfile.mkdtemp(dir=kept.parent)), Path(torch.__file__).parent)
    try:
        made.rename(kept)
    except OSError:  # another trial was first
        shutil.rmtree(made)
    return kept


def _compile(folder: Path, wheel: Path) -> Path:
    import torch

    compiler = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2"]
    headers = [f"-I{wheel / 'include'}", f"-I{wheel / 'include/torch/csrc/api/include'}"]
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    libraries = [f"-L{wheel / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{wheel / 'lib'}"]
    library, program = str(folder / "libpackage.so"), str(folder / "program")
    shared = [*compiler, "-fPIC", "-shared", abi, *headers, str(FOLDER / "package.cpp"), "-o", library]
    _run([*shared, *libraries])
    beside = [f"-L{folder}", "-lpackage", "-Wl,-rpath,$ORIGIN", f"-Wl,-rpath-link,{wheel / 'lib'}"]
    _run([*compiler, str(FOLDER / "program.cpp"), "-o", program, *beside])
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
        "package_carry": (ctypes.c_int, [pointer, pointer, shape, ctypes.c_int]),
        "package_run": (ctypes.c_int, [pointer, ctypes.c_int64, ctypes.c_int64]),
        "package_outputs": (ctypes.c_int, [pointer]),
        "package_output": (pointer, [pointer, ctypes.c_int, shape, ctypes.POINTER(ctypes.c_int)]),
    }
    for name, (gives, takes) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = gives, takes
    return loaded
