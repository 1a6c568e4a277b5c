"""StableHLO on the CPU: JAX's own threads, versions and compilations."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.frameworks.export_stack import ExportStack
from harness.frameworks.exported import ExportInfo, source_of
from harness.record import Case, Contender, Settings


def load(info: ExportInfo) -> StableHLOStack:
    return StableHLOStack(info)


class StableHLOStack(ExportStack):
    """What is loaded again is a function of JAX's arrays. ``writer`` is the module ``from_<framework>.py`` of the
    source: its model as a function (``function``), what that takes (``arguments``) and what it is given from step to
    step (``carried``)."""

    def __init__(self, info: ExportInfo) -> None:
        super().__init__(info)
        framework = source_of(info).framework
        self.writer: Any = importlib.import_module(f"harness.frameworks.stablehlo.from_{framework}")

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """As JAX's, whose compiler and threads these are."""
        own = self.configure_source(case, seed)
        return Settings(
            layout="as exported",
            device="cpu",
            gpus_visible=0,
            threads=own.threads,
            precision=own.precision,
            compile={"mode": contender.mode, "compiler": "xla", "cache": own.compile["cache"]},
        )

    def barrier(self, output: Any) -> Any:
        return self.source.barrier(output)

    def to_host(self, tensor: Any) -> np.ndarray:
        return self.source.to_host(tensor)

    def compile_events(self) -> int | None:
        return self.source.compile_events()

    def versions(self) -> dict[str, str]:
        """The language's is that of the JAX that wrote it."""
        own = self.source.versions()
        return {"stablehlo": own["jax"]} | own

    def matmul(self, size: int) -> Callable[[], Any]:
        """JAX's, which XLA compiles too."""
        return self.source.matmul(size)
