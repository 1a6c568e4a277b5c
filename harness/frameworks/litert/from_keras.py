"""Keras' model as a LiteRT file, by ``Model.export``."""

from __future__ import annotations

from typing import Any

from harness.frameworks.export_driver import Facts
from harness.frameworks.keras.exporting import exported

NAME = 'Model.export(format="litert")'


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is Keras'."""
    return exported(driver, "litert", ".tflite"), {}
