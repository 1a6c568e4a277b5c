"""Thread pools as they really are: sizes read back from the libraries that a framework has loaded.

OpenMP and BLAS runtimes are asked through their own functions, found in what is mapped into this process;
nothing is loaded for the question. XLA's pool on a CPU offers no function: its threads are counted by name
(``tf_XLAEigen``, in TensorFlow and in JAX). TensorFlow's own pools cannot be counted: the name it gives them,
``tf_numa_-1_Eigen``, is one character too long for Linux, and the threads keep their creator's name. What is not
there, or cannot be asked, is left out.
"""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import PurePath
from typing import NamedTuple

from harness.telemetry import proc


class Family(NamedTuple):
    """Runtimes of one interface: their file names, and the functions that read and set the team's size.

    OpenBLAS' functions carry what its build adds to all of its names, NumPy's wheels ``scipy_`` and ``64_``.
    """

    name: str
    file: re.Pattern[str]
    get: tuple[str, ...]
    set: tuple[str, ...]


_OPENBLAS = [
    f"{prefix}openblas_{{}}_num_threads{suffix}" for prefix in ("", "scipy_") for suffix in ("", "64_")
]
FAMILIES = (
    Family("omp", re.compile(r"lib(gomp|iomp5|omp)[-.]"), ("omp_get_max_threads",), ("omp_set_num_threads",)),
    Family(
        "openblas",
        re.compile(r"lib(scipy_)?openblas"),
        tuple(name.format("get") for name in _OPENBLAS),
        tuple(name.format("set") for name in _OPENBLAS),
    ),
    Family("mkl", re.compile(r"libmkl_rt[.]"), ("MKL_Get_Max_Threads",), ("MKL_Set_Num_Threads",)),
    Family(
        "blis", re.compile(r"libblis[-.]"), ("bli_thread_get_num_threads",), ("bli_thread_set_num_threads",)
    ),
)


XLA_POOL = "xla_pool"
XLA_THREADS = "tf_XLAEigen"

TEAMS = ("intra", *(family.name for family in FAMILIES), XLA_POOL)
"""Keys of a record's threads whose value is a team that shares one operation, and so the case's cores."""


def read_back() -> dict[str, int]:
    """Threads of each loaded family's team, the most where several copies are loaded, and of XLA's pool."""
    found: dict[str, int] = {}
    for family, library in _loaded():
        get = _function(library, family.get)
        if get is not None:
            found[family.name] = max(found.get(family.name, 0), int(get()))
    if (xla := named(XLA_THREADS)) > 0:
        found[XLA_POOL] = xla
    return found


def limit(threads: int) -> None:
    """Give every BLAS runtime that is loaded already a team of ``threads``: NumPy's was made before the trial."""
    for family, library in _loaded():
        if family.name != "omp" and (resize := _function(library, family.set)) is not None:
            resize(threads)


def named(prefix: str) -> int:
    """How many threads of this process have a name that begins with ``prefix``."""
    tasks = proc.names("/proc/self/task")
    return sum((proc.read(f"/proc/self/task/{task}/comm") or "").startswith(prefix) for task in tasks)


def _loaded() -> list[tuple[Family, ctypes.CDLL]]:
    """Every OpenMP and BLAS library in this process's memory map."""
    rows = [row.split(None, 5) for row in (proc.read("/proc/self/maps") or "").splitlines()]
    paths = sorted({row[5] for row in rows if len(row) == 6 and row[5].startswith("/")})
    found = []
    for path in paths:
        for family in FAMILIES:
            if family.file.match(PurePath(path).name):
                try:
                    found.append((family, ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD)))
                except OSError:  # mapped, but not by the dynamic loader
                    continue
    return found


def _function(library: ctypes.CDLL, names: tuple[str, ...]) -> ctypes._NamedFuncPointer | None:
    """The first of these functions that the library has."""
    return next((getattr(library, name) for name in names if hasattr(library, name)), None)
