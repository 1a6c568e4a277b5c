"""A stack knows one framework, never a workload: configure, barrier, compile, memory, versions.

Discovery is by folder: ``frameworks/<name>/stack.py`` serves the stacks it lists in ``STACKS`` and offers
``load(stack) -> Stack`` and ``environment(stack, cores, cache_dir) -> dict[str, str]``, the variables the
framework reads when it is imported. Importing such a file must not import the framework; ``load`` does.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.record import Contender, Settings

SELF_TEST = "numpy"  # the stack of the self-test; nobody compares it


class Unsupported(Exception):
    """This contender cannot run here. ``reason`` is one sentence; ``mend`` says what would help."""

    def __init__(self, reason: str, mend: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


class Stack(Protocol):
    """One framework (or Keras with its backend), as the protocol sees it."""

    name: str

    def configure(self, contender: Contender, cores: int, seed: int) -> Settings:
        """Set threads, precision and layout explicitly, read them back; raise ``Unsupported``."""

    def barrier(self, output: Any) -> Any:
        """Wait until ``output`` and all work it depends on is finished; return ``output``."""

    def to_host(self, tensor: Any) -> np.ndarray:
        """The tensor as a NumPy array, waiting for it."""

    def to_device(self, array: np.ndarray) -> Any:
        """A device-resident tensor with the array's values."""

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """``function`` in the contender's mode: itself when eager, else compiled.

        Torch compiles full graphs; where its compiler refuses (``optimizer.step``), pass ``fullgraph=False``
        and the graph breaks are counted.
        """

    def compile_events(self) -> int | None:
        """Compilations so far in this process; null when the framework does not say."""

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        """What compiling turned out to be (graph breaks, traces ...), asked after the clock."""

    def allocator_peak(self) -> tuple[int | None, str | None]:
        """Peak bytes of the framework's allocator, or null and the reason."""

    def versions(self) -> dict[str, str]:
        """Framework, backend and compiler versions read at run time, by distribution name."""

    def matmul(self, size: int) -> Callable[[], Any]:
        """A ready (size, size) x (size, size) fp32 product of ``canaries.operands``, for canaries and ceiling."""


def stacks() -> dict[str, str]:
    """``{stack: module}`` of every framework file; a broken file is skipped, ``broken()`` names it."""
    found: dict[str, str] = {}
    for info in pkgutil.iter_modules(__path__):
        try:
            module = importlib.import_module(f"{__name__}.{info.name}.stack")
            found.update(dict.fromkeys(module.STACKS, info.name))
        except Exception:  # a broken plug-in must not stop the others; broken() names it
            continue
    return found


def broken() -> dict[str, str]:
    """``{file: error}`` of framework files that cannot be imported."""
    errors: dict[str, str] = {}
    for info in pkgutil.iter_modules(__path__):
        try:
            importlib.import_module(f"{__name__}.{info.name}.stack")
        except Exception as error:
            errors[info.name] = f"{type(error).__name__}: {error}"
    return errors


def environment(stack: str, cores: int, cache_dir: str | None) -> dict[str, str]:
    """Environment variables to set before ``load``: threads of every pool, compile caches, quiet logs."""
    threads = {
        name: str(cores)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    }
    # what the CUDA driver compiles from PTX is kept in the home folder otherwise, and cold would be warm
    caches = {} if cache_dir is None else {"CUDA_CACHE_PATH": str(Path(cache_dir) / "cuda")}
    known = stacks()
    if stack not in known:
        return threads | caches
    module = importlib.import_module(f"{__name__}.{known[stack]}.stack")
    own: dict[str, str] = module.environment(stack, cores, cache_dir)
    return threads | caches | own


def load(stack: str) -> Stack:
    """The stack, its framework imported. ``Unsupported`` when it is not installed."""
    known = stacks()
    if stack not in known:
        raise Unsupported(f"unknown stack {stack!r}", f"known stacks: {', '.join(sorted(known))}")
    module = importlib.import_module(f"{__name__}.{known[stack]}.stack")
    try:
        return module.load(stack)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise Unsupported(
            f"{error.name} is not installed in this interpreter",
            "run it in its image (framebench build) or its virtual environment",
        ) from error
