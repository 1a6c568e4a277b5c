"""TensorFlow's model as a LiteRT file: a SavedModel, converted."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from harness.frameworks.export_driver import OPEN, Facts, open_shapes

NAME = "TFLiteConverter"


def export(driver: Any) -> tuple[bytes, Facts]:
    """``driver`` is TensorFlow's."""
    signature = [
        tf.TensorSpec(shape, one.dtype, name=name)
        for name, shape, one in zip(
            driver.job.work.inputs,
            open_shapes(driver.job, dict.fromkeys(OPEN)),
            driver.stream.batches[0],
            strict=True,
        )
    ]
    saved = tf.Module()
    saved.model = driver.model  # its variables are written too
    saved.step = tf.function(lambda *inputs: driver.step(*inputs), input_signature=signature)
    with tempfile.TemporaryDirectory(prefix="litert-") as folder:
        tf.saved_model.save(saved, folder, signatures=_numbered(saved.step))
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert(), {"saved_model_bytes": written}


def _numbered(step: Any) -> Any:
    """A signature gives back tensors by name."""

    def numbered(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"output_{index}": one for index, one in enumerate(tf.nest.flatten(step(*inputs)))}

    return tf.function(numbered, input_signature=step.input_signature).get_concrete_function()
