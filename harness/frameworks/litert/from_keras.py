"""Keras' model as a LiteRT file, by ``Model.export``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras

from harness.frameworks.export_driver import Facts

NAME = 'Model.export(format="litert")'


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is Keras'."""
    inputs = {
        name: keras.ops.convert_to_tensor(driver.job.batches[name][0]) for name in driver.job.work.inputs
    }
    # a model that was only built has not been called, and is not exported
    driver.model(inputs if len(inputs) > 1 else next(iter(inputs.values())))
    with tempfile.TemporaryDirectory(prefix="litert-") as folder:
        path = Path(folder) / "model.tflite"
        driver.model.export(str(path), format="litert", verbose=False)
        return path.read_bytes(), {}
