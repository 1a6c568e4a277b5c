"""libtorch on the CPU: PyTorch's own threads and versions, and our C++ compiled against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.cores import cores_allowed
from harness.frameworks.export_stack import ExportStack
from harness.frameworks.exported import ExportInfo
from harness.frameworks.libtorch.binaries import compiled
from harness.record import Case, Contender, Settings


def load(info: ExportInfo) -> LibtorchStack:
    return LibtorchStack(info)


class LibtorchStack(ExportStack):
    """``variant`` says which exporter writes, ``binaries`` where the compiled C++ lies."""

    variant = ""

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        """As PyTorch's, whose threads these are."""
        own = self.configure_source(case, seed)
        self.variant, self.binaries = contender.variant, compiled()
        return Settings(
            layout=own.layout,
            device="cpu",
            gpus_visible=0,
            threads={"intra": cores_allowed()},
            precision=own.precision,
            compile={"mode": contender.mode, "compiler": contender.variant, "cache": None},
        )

    def versions(self) -> dict[str, str]:
        own = self.source.versions()
        return {"libtorch": own["torch"]} | own

    def matmul(self, size: int) -> Callable[[], Any]:
        """PyTorch's, which calls the same libtorch."""
        return self.source.matmul(size)
