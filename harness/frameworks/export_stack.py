"""What the stacks of runtimes share: they run exported models on the CPU in fp32, and every call is finished when it
returns. The framework that exports is the stack ``source``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from harness import frameworks
from harness.cores import cores_allowed
from harness.frameworks import Unsupported
from harness.frameworks.exported import ExportInfo, source_contender, source_of
from harness.record import Case, Contender, Settings


class ExportStack:
    """A runtime's stack says what it sets (``configure``), its versions and its own matrix product."""

    def __init__(self, info: ExportInfo) -> None:
        self.info, self.source = info, frameworks.load(info.source)
        self.facts: dict[str, str | bool | int | None] = {}  # of the last export

    def configure_source(self, case: Case, seed: int) -> Settings:
        """The source in its plainest form; ``Unsupported`` for what is not exported."""
        if case.device == "gpu":
            raise Unsupported("exported models are run on the CPU here", "ask for device cpu")
        if case.precision != "fp32":
            raise Unsupported(f"models are exported in fp32, not {case.precision}", "ask for fp32")
        return self.source.configure(case, source_contender(self.info), seed)

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        raise NotImplementedError

    def barrier(self, output: Any) -> Any:
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def to_device(self, array: np.ndarray) -> Any:
        return array

    def compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        return function

    def compile_events(self) -> int | None:
        return 0

    def compile_facts(self) -> dict[str, str | bool | int | None]:
        """Of the last export: exporter, the file's bytes, the traced batch, how long export and load took."""
        return self.facts

    def kernels(self) -> dict[str, str]:
        return {}

    def allocator_peak(self) -> tuple[int | None, str | None]:
        return None, "the runtime keeps no peak"

    def versions(self) -> dict[str, str]:
        raise NotImplementedError

    def matmul(self, size: int) -> Callable[[], Any]:
        raise NotImplementedError


class FileStack(ExportStack):
    """A runtime that reads files and takes NumPy arrays. ``writer`` is the module ``from_<framework>.py`` of the source
    in the runtime's folder: ``NAME``, whose function it calls, and ``export(driver)``, the file's bytes and facts about
    it, from the source's driver."""

    def __init__(self, info: ExportInfo) -> None:
        super().__init__(info)
        framework = source_of(info).framework
        self.writer: Any = importlib.import_module(f"harness.frameworks.{info.framework}.from_{framework}")

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """As many threads as the case has cores, whatever number the runtime takes by itself."""
        self.configure_source(case, seed)
        return Settings(
            layout="as exported",
            device="cpu",
            gpus_visible=0,
            threads={"intra": cores_allowed()},
            precision={"compute": "float32"},
            compile={"mode": contender.mode, "compiler": self.info.framework, "cache": None},
        )
