"""Keras' model as ONNX, by ``Model.export``, which hands it to the backend's exporter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras

from harness.frameworks.export_driver import Facts

NAME = 'Model.export(format="onnx")'
CHANNELS_FIRST = False  # Keras' default, and the source's


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is Keras'."""
    inputs = {
        name: keras.ops.convert_to_tensor(driver.job.batches[name][0]) for name in driver.job.work.inputs
    }
    # a model that was only built has not been called, and is not exported
    driver.model(inputs if len(inputs) > 1 else next(iter(inputs.values())))
    with tempfile.TemporaryDirectory(prefix="onnx-") as folder:
        path = Path(folder) / "model.onnx"
        driver.model.export(str(path), format="onnx", verbose=False)
        return path.read_bytes(), {}
