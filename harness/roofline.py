"""Peaks: which GPU this is, what its data sheet promises, and in which precision a stack really multiplied.

The table is ``gpus.toml`` beside this file. A GPU is found by its exact NVML name and PCI id, never by a part of
its name: "L40S" is no "L4". One that is not in the table has no peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from harness import record

TABLE = Path(__file__).with_name("gpus.toml")

Precision = Literal["fp32", "tf32", "fp16", "bf16"]

# What each stack reads back, and the precision of a fp32 product under it. PyTorch: "high" allows TF32, "medium"
# bf16. JAX (lax.Precision on a GPU): "highest" is fp32, "high" TF32.
READ_BACK: dict[str, dict[str | bool, Precision]] = {
    "float32_matmul": {"highest": "fp32", "high": "tf32", "medium": "bf16"},
    "cudnn_tf32": {False: "fp32", True: "tf32"},
    "tensor_float_32": {False: "fp32", True: "tf32"},
    "default_matmul": {
        "highest": "fp32",
        "float32": "fp32",
        "high": "tf32",
        "tensorfloat32": "tf32",
        "bfloat16": "bf16",
    },
    "compute": {"float32": "fp32", "bfloat16": "bf16"},
    "keras_dtype_policy": {
        "float32": "fp32",
        "bfloat16": "bf16",
        "mixed_bfloat16": "bf16",
        "float16": "fp16",
        "mixed_float16": "fp16",
    },
}
FASTER: tuple[Precision, ...] = ("fp32", "tf32", "fp16", "bf16")


class Check(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The 16-bit peak from the architecture: multiprocessors, FLOP per multiprocessor and clock, GHz."""

    multiprocessors: int
    flops_per_clock: int
    clock: float


class Gpu(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One row of the table. Peaks are dense TFLOP/s, null where no source states one.

    ``pci`` holds the ids ``vendor:device`` that NVML reports under ``name``; empty where they are unknown.
    ``bandwidth`` is GB/s (10^9), ``tdp`` W.
    """

    name: str
    source: str
    url: str
    pci: tuple[str, ...] = ()
    bf16: float | None = None
    fp16: float | None = None
    tf32: float | None = None
    fp32: float | None = None
    bandwidth: float | None = None
    tdp: float | None = None
    check: Check | None = None

    def peak(self, precision: Precision) -> float | None:
        """Dense FLOP/s in this precision; null where the table has none."""
        found: float | None = getattr(self, precision)
        return None if found is None else found * 1e12


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    gpu: list[Gpu]


@cache
def table() -> tuple[Gpu, ...]:
    """Every row, in the file's order. Raises ``msgspec.ValidationError`` naming the field if it is malformed."""
    return tuple(msgspec.toml.decode(TABLE.read_bytes(), type=_Table).gpu)


def find(gpu: record.Gpu) -> Gpu | None:
    """The row of an entry of ``hardware.gpus``, by exact ``name`` and ``pci_device_id``.

    Where either side does not know the id, the name alone decides. A GPU cut into instances (``mig``) has none:
    an instance is a part of it.
    """
    if gpu.mig:
        return None
    pci = pci_id(gpu)
    for row in table():
        if row.name == gpu.name and (pci is None or not row.pci or pci in row.pci):
            return row
    return None


def pci_id(gpu: record.Gpu) -> str | None:
    """``vendor:device`` of an entry of ``hardware.gpus``: ``10de:2335`` for ``0x233510de``; null if unknown."""
    told = gpu.pci_device_id
    if told is None:
        return None
    number = int(told, 16)
    return f"{number & 0xFFFF:04x}:{number >> 16:04x}"


def fastest() -> float:
    """FLOP/s of the fastest row in its fastest precision: what no single GPU of the table exceeds."""
    return max(row.peak(precision) or 0.0 for row in table() for precision in FASTER)


def precision_ran(
    read_back: Mapping[str, str | bool | None], device: str
) -> tuple[Precision | None, str | None]:
    """In which precision fp32 products ran, from ``Settings.precision``; null with the reason.

    Where parts differ (cuDNN may use TF32, matrix products not) the fastest counts: its peak bounds both.
    Without a word from the stack a CPU ran fp32, as there is nothing else; on a GPU it is unknown.
    """
    found: list[Precision] = []
    for name, value in read_back.items():
        meanings = READ_BACK.get(name)
        if meanings is None:
            continue
        if value is None or value not in meanings:
            return None, f"the stack reads back {name} = {value!r}, which names no precision"
        found.append(meanings[value])
    if not found:
        return ("fp32", None) if device == "cpu" else (None, "the stack reads back no precision")
    return max(found, key=FASTER.index), None
