"""Keras' model as ONNX, by ``Model.export``, which hands it to the backend's exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from harness.frameworks.export_driver import Facts
from harness.frameworks.keras.exporting import exported

NAME = 'Model.export(format="onnx")'
CHANNELS_FIRST = False  # Keras' default, and the source's


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is Keras'."""
    return exported(driver, "onnx", ".onnx", whole), {}


def whole(path: Path) -> bytes:
    """With the weights that an exporter laid beside the file, as those of large models are."""
    written: bytes = onnx.load(path).SerializeToString()
    return written
