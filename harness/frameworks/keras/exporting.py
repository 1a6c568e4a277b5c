"""Keras' own way out, ``Model.export``, which hands the model to an exporter of the backend."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from harness.frameworks.export_driver import OPEN, open_shapes


def exported(driver: Any, form: str, ending: str, read: Callable[[Path], bytes] = Path.read_bytes) -> bytes:
    """What ``read`` makes of the file that ``format=form`` writes of the driver's model; Keras wants its name to end
    so."""
    names = driver.job.work.inputs
    given = {name: keras.ops.convert_to_tensor(driver.job.batches[name][0]) for name in names}
    specs = {
        name: keras.InputSpec(dtype=keras.backend.standardize_dtype(one.dtype), shape=shape, name=name)
        for (name, one), shape in zip(
            given.items(), open_shapes(driver.job, dict.fromkeys(OPEN)), strict=True
        )
    }
    # a model that was only built has not been called, and is not exported
    driver.model(given if len(names) > 1 else given[names[0]])
    signature = [specs if len(names) > 1 else specs[names[0]]]
    with tempfile.TemporaryDirectory(prefix="keras-export-") as folder:
        path = Path(folder) / f"model{ending}"
        driver.model.export(str(path), format=form, verbose=False, input_signature=signature)
        return read(path)
