"""The table of GPUs that MFU is computed with, from the data itself."""

from __future__ import annotations

from typing import Any

from framebench.language import _
from framebench.pages import figures
from framebench.pages.views import Cell, Table
from harness import roofline


def view() -> dict[str, Any]:
    """Everything the template ``gpus.md.j2`` needs."""
    rows = []
    for gpu in roofline.table():
        peaks = [gpu.bf16, gpu.fp16, gpu.tf32, gpu.fp32]
        rows.append(
            [
                Cell(gpu.name, code=True),
                Cell(", ".join(gpu.pci) or figures.NONE, code=bool(gpu.pci)),
                *(Cell(_figure(value), "fb-num") for value in (*peaks, gpu.bandwidth, gpu.tdp)),
                Cell(gpu.source, "fb-reason", href=gpu.url, quoted=True),
            ]
        )
    head = [
        _("Name, as NVML gives it"),
        _("PCI id"),
        "bf16",
        "fp16",
        "TF32",
        "fp32",
        _("Memory, GB/s"),
        _("Power, W"),
        _("Source"),
    ]
    return {"table": Table(head, rows)}


def _figure(value: float | None) -> str:
    return figures.NONE if value is None else f"{value:g}"
