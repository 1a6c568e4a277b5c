"""TensorFlow's model as ONNX, by tf2onnx."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf2onnx

from harness.frameworks.export_driver import OPEN, Facts, open_shapes

NAME = "tf2onnx"
CHANNELS_FIRST = False
OPSET = 18  # its own default is 15


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
    step = tf.function(lambda *inputs: driver.step(*inputs))
    model, _ = tf2onnx.convert.from_function(step, input_signature=signature, opset=OPSET)
    return model.SerializeToString(), {}
